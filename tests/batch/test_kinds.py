"""What columns look like, and how they are read for it."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from driftgauge.batch.kinds import Shown, kind_of, shown, total

IDS = [f"0b7e41b4-5a3c-4d5f-9c64-1f0c7b6c9d{at:02x}" for at in range(4)]


@pytest.mark.parametrize(
    ("description", "values", "untyped", "expected"),
    [
        ("numbers", [1.5, 2.5, None], False, "numeric"),
        ("0 and 1", [0, 1, 1], False, "flag"),
        ("booleans", [True, None], False, "boolean"),
        ("booleans in words", ["True", "FALSE", "1"], True, "boolean"),
        ("a pair of words", ["yes", "No", "NA"], True, "boolean"),
        ("true and false, and a stray word", ["True", "False", "1", "x"], True, "boolean"),
        ("numbers with a stray true", ["0", "0", "5", "true"], True, "numeric"),
        ("words of two pairs", ["t", "no"], True, "categorical"),
        ("words among others", ["yes", "no", "maybe"], True, "categorical"),
        ("numbers of a CSV file", ["1", "2.5", ""], True, "numeric"),
        ("text of whole numbers, where there are types", ["007", "12"], False, "categorical"),
        ("text of fractions", ["0.95", "12.50", "3"], False, "numeric"),
        ("few cells that are no numbers", ["1", "2", "3", "#N/A", "1,234.56", "x"], True, "numeric"),
        ("words for nothing do not count", ["1", "?", "-", "n/a", "inf", "#N/A"], True, "flag"),
        ("mostly text", ["1", "A", "B"], True, "categorical"),
        ("half is enough", ["1", "2", "A", "B"], True, "numeric"),
        ("dates", ["2025-01-31", "2025/02/01", "31.01.2025", "x"], True, "left_out"),
        ("moments", ["2025-01-31T10:00:00Z", "2025-01-31 10:00:00.123+01:00"], False, "left_out"),
        ("months", ["2025-01", "2025-02"], False, "left_out"),
        ("written dates", ["5 Jan 2025", "January 6, 2025", "07-Jan-25"], False, "left_out"),
        ("typed moments", [dt.datetime(2025, 1, 1), None], False, "left_out"),  # noqa: DTZ001 - without a zone
        ("numbers with a dash are no dates", ["1234-56", "9999-12"], False, "categorical"),
        ("identifiers", IDS, False, "left_out"),
        ("a few identifiers, often", [IDS[0]] * 5 + [IDS[1]] * 5, False, "categorical"),
        ("JSON text", ['{"a": 1}', "{}", "[1]"], False, "left_out"),
        ("clocks", ["08:03:00", "23:59"], False, "numeric"),
        ("durations", ["0 days 00:05:00", "PT5M"], False, "numeric"),
        ("a category called P", ["P", "P"], False, "categorical"),
        ("typed durations", [dt.timedelta(seconds=5)], False, "numeric"),
        ("nothing", [None, None], False, None),
        ("empty text", ["", "NA"], True, None),
    ],
)
def test_readings(description: str, values: list[Any], untyped: Any, expected: str | None) -> None:
    """Half of the values decide, and those that are missing do not count."""
    assert shown(pa.array(values), untyped=untyped).reading() == expected, description


def test_categories_that_are_chosen() -> None:
    """The configuration makes any column a category, one of 0 and 1 a boolean."""
    assert Shown(numbers=3).reading(chosen=True) == "categorical"
    assert Shown(dates=3).reading(chosen=True) == "categorical"
    assert Shown(numbers=3, bits=3).reading(chosen=True) == "boolean"


def test_counts_add_up() -> None:
    """A column in blocks is as the whole."""
    values = ["1", "0", "yes", "x", "2025-01-31", "08:00", *IDS, "{}"]
    whole = shown(pa.array(values), untyped=True)
    assert total(shown(pa.array([value]), untyped=True) for value in values) == whole
    assert whole.present == len(values)


def test_kinds_of_readings() -> None:
    """Statistics know two kinds."""
    assert [kind_of(read_as) for read_as in ("numeric", "flag", "categorical", "boolean", "left_out", None)] == [
        "numeric", "numeric", "categorical", "categorical", None, None,
    ]  # fmt: skip

"""Every value that serving code can log ends in a typed column, and none costs its row."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from driftgauge.client.values import MAX_TEXT, array_column, column, floats, id_text, joined, plain, texts

DAY: Final = "2026-01-02"


class Angry:
    """An object that raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        """Raise."""
        raise RuntimeError(name)


@pytest.mark.parametrize(
    ("description", "values", "kind", "expected"),
    [
        ("nothing", [], pa.null(), []),
        ("only missing", [None, None], pa.null(), [None, None]),
        ("booleans", [True, None], pa.bool_(), [True, None]),
        ("whole numbers", [1, None, 3], pa.int64(), [1, None, 3]),
        ("numbers with NaN", [1.5, float("nan"), None], pa.float64(), [1.5, None, None]),
        ("text", ["a", None], pa.string(), ["a", None]),
        ("a boolean next to a number", [True, 2], pa.int64(), [1, 2]),
        ("a whole number next to a fraction", [1, 2.5, None], pa.float64(), [1.0, 2.5, None]),
        ("numbers next to text", [1, 2.0, 2.5, True, "high"], pa.string(), ["1", "2", "2.5", "true", "high"]),
        ("beyond 64 bits", [2**70, 1], pa.string(), [str(2**70), "1"]),
        ("beyond 64 bits next to a fraction", [2**70, 0.5], pa.float64(), [2.0**70, 0.5]),
        ("beyond floats", [10**400, 0.5], pa.string(), [str(10**400), "0.5"]),
        ("beyond all reason", [10**5000, 1], pa.int64(), [None, 1]),
        ("NumPy scalars", [np.float32(0.5), np.int8(2), np.bool_(1)], pa.float64(), [0.5, 2.0, 1.0]),
        ("arrays of one element", [np.array([3]), np.array(4)], pa.int64(), [3, 4]),
        ("pandas' missing values", [pd.NaT, pd.NA, 1], pa.int64(), [None, None, 1]),
        ("decimals", [Decimal("1.5"), Decimal("NaN")], pa.float64(), [1.5, None]),
        ("times", [datetime(2026, 1, 2, tzinfo=UTC), date(2026, 1, 2)], pa.string(), [f"{DAY}T00:00:00+00:00", DAY]),
        ("NumPy's time", [np.datetime64("2026-01-02"), np.datetime64("NaT")], pa.string(), ["2026-01-02", None]),
        ("no single values", [[1, 2], {"a": 1}, b"raw", np.zeros(3), 7], pa.int64(), [None, None, None, None, 7]),
        ("an object that raises", [Angry(), 7], pa.int64(), [None, 7]),
        ("text that is no Unicode", ["\ud800", "a"], pa.string(), ["?", "a"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_column_has_the_narrowest_type_that_holds_its_values(
    description: str, values: list[Any], kind: Any, expected: list[Any]
) -> None:
    """The ladder is bool, int64, float64, text; what is no single value is missing."""
    found = column(values)
    assert (found.type, found.to_pylist()) == (kind, expected), description


def test_long_text_is_cut_and_distinguished() -> None:
    """Text over the bound is shortened, and different text stays different."""
    first, second = column(["x" * 5_000 + "a", "x" * 5_000 + "b"]).to_pylist()
    assert max(len(first), len(second)) <= MAX_TEXT
    assert first != second


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.arange(2), [0, 1]),
        (np.array([[1.0], [np.nan]]), [1.0, None]),
        (np.array([0.5, 1], dtype=np.float16), [0.5, 1.0]),
        (np.array([2**64 - 1, 1], dtype=np.uint64), [str(2**64 - 1), "1"]),
        (np.array(["2026-01-01", "NaT"], dtype="M8[ns]"), ["2026-01-01T00:00:00", None]),
        (np.array([1, "a", None], dtype=object), ["1", "a", None]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Series([1.5, None]), [1.5, None]),
        (pd.Series(["a", None], dtype="category"), ["a", None]),
        (pd.Series(pd.to_datetime(["2026-01-01", None], utc=True)), ["2026-01-01T00:00:00+00:00", None]),
        (pa.chunked_array([["a"], ["b"]]), ["a", "b"]),
        (pa.array([1, 2], pa.int8()), [1, 2]),
        ((True, False), [True, False]),
    ],
    # Not their text, which tells addresses in memory: workers could not agree on the names.
    ids=[
        *("integers", "one column", "half precision", "beyond 63 bits", "times", "objects", "nullable integers"),
        *("missing floats", "category", "times with a zone", "chunks", "Arrow", "tuple"),
    ],
)
def test_arrays_of_every_kind_become_the_same_columns(values: Any, expected: list[Any]) -> None:
    """NumPy, pandas, Arrow and plain sequences are read alike, missing values too."""
    assert array_column(values).to_pylist() == expected


def test_parts_of_a_column_are_joined_in_the_type_that_holds_all() -> None:
    """What is whole in one part and text in another is text, written the shortest way."""
    parts = [column([True]), column([None]), column([1, 2]), column([2.0, 0.5]), column(["a"])]
    assert joined(parts).to_pylist() == ["true", None, "1", "2", "2", "0.5", "a"]
    assert joined(parts[:-1]).to_pylist() == [1.0, None, 1.0, 2.0, 2.0, 0.5]


def test_numbers_and_texts_of_columns() -> None:
    """As numbers, text is missing; as text, numbers are written the shortest way."""
    assert floats(column(["a", None])).to_pylist() == [None, None]
    assert floats(column([True, 3])).to_pylist() == [1.0, 3.0]
    assert texts(column([3.0, 0.25, None])).to_pylist() == ["3", "0.25", None]


def test_a_request_id_is_the_same_however_it_is_typed() -> None:
    """Labels come from data frames, where whole numbers turn into floats."""
    assert {id_text(value) for value in ("7", 7, 7.0, np.int64(7), np.float64(7))} == {"7"}
    assert id_text(None) == ""


def test_plain_values_raise_nothing() -> None:
    """Whatever an object does when it is looked at, it is missing."""
    assert plain(Angry()) is None

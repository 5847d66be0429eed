"""Columns from Python records."""

from typing import Any

import pyarrow as pa
import pytest

from driftgauge.batch.reasons import all_fine
from driftgauge.batch.records import PathLimit, rows_from_records
from driftgauge.batch.rows import MAX_COLUMNS, MAX_DEPTH, UNUSABLE_TEXT, Rows


def from_values(*values: Any) -> Rows:
    """Return rows of one column."""
    return rows_from_records([{"x": value} for value in values], all_fine(len(values)), PathLimit())


@pytest.mark.parametrize(
    ("description", "values", "kind", "expected"),
    [
        ("nothing", [None], pa.null(), [None]),
        ("booleans", [True, None], pa.bool_(), [True, None]),
        ("whole numbers", [1, None], pa.int64(), [1, None]),
        ("numbers", [1, 0.5, None], pa.float64(), [1.0, 0.5, None]),
        ("text", ["a", None], pa.string(), ["a", None]),
        ("lists", [[1, 2], [3], [], None], pa.binary(), [b"", b"", None, None]),
        ("lists of one", [[1], [[2]], [], [None], None], pa.int64(), [1, 2, None, None, None]),
        ("identifiers beyond 64 bits", [2**64, 1], pa.string(), ["18446744073709551616", "1"]),
        ("numbers beyond floats", [10**400, 0.5], pa.string(), ["1" + "0" * 400, "0.5"]),
        (
            "a mixture",
            [1, 1.0, 1.5, True, False, "x", [1], {"a": 1}, None, float("nan")],
            pa.string(),
            ["1", "1", "1.5", "true", "false", "x", UNUSABLE_TEXT, UNUSABLE_TEXT, None, None],
        ),
    ],
)
def test_column_types(description: str, values: list[Any], kind: Any, expected: list[Any]) -> None:
    """A column has the type of its values, and is text when they differ."""
    column = from_values(*values).columns["x"]
    assert (column.type, column.to_pylist()) == (kind, expected), description


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2, "x"], {"x"}), ([1, "x"], {"x"}), ([1, "x", "y"], set()), ([1, 2], set()), ([True, "x"], set())],
)
def test_text_that_is_mostly_numbers_is_known_as_such(values: list[Any], expected: set[str]) -> None:
    """One odd value among numbers does not make a category of them."""
    assert from_values(*values).numeric_text == expected


def test_objects_become_paths() -> None:
    """Members are found under dotted paths, and the object itself stays visible."""
    rows = rows_from_records([{"f": {"a": 1, "n": {"b": "x"}}}, {"f": {}}, {"f": None}, None], all_fine(4), PathLimit())
    assert {path: column.to_pylist() for path, column in rows.columns.items()} == {
        "f.a": [1, None, None, None],
        "f.n.b": ["x", None, None, None],
        "f.n": [b"", None, None, None],
        "f": [b"", None, None, None],
    }


def test_the_first_of_two_spellings_wins() -> None:
    """A record may hold the same path twice."""
    rows = rows_from_records([{"a.b": 1, "a": {"b": 2}}, {"a": {"b": 3}}], all_fine(2), PathLimit())
    assert rows.columns["a.b"].to_pylist() == [1, 3]


def test_depth_and_width_are_bounded() -> None:
    """Data used as names costs no more than a fixed number of columns, and nesting a fixed depth."""
    record: dict[str, Any] = {}
    for _ in range(100):
        record = {"a": record or 1}
    assert len(rows_from_records([record], all_fine(1), PathLimit()).columns) == MAX_DEPTH + 1
    wide = rows_from_records([{f"{at}": at} for at in range(MAX_COLUMNS + 5)], all_fine(MAX_COLUMNS + 5), PathLimit())
    assert len(wide.columns) == MAX_COLUMNS

"""Flat columns from nested tables of any type."""

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from batch.samples import plain
from driftgauge.batch.flattening import first_of_each, flatten, lists_in, precision_in
from driftgauge.batch.rows import MAX_DEPTH, is_unusable


def flat(column: Any) -> Any:
    """Return what becomes of a single column."""
    return first_of_each(flatten(pa.table({"x": column})))["x"]


@pytest.mark.parametrize(
    ("description", "column", "expected"),
    [
        ("text in a dictionary", pa.array(["a", "b", "a", None]).dictionary_encode(), ["a", "b", "a", None]),
        ("large text", pa.array(["a", None], pa.large_string()), ["a", None]),
        ("views of text", pa.array(["a", None], pa.string_view()), ["a", None]),
        ("bytes that are text", pa.array([b"a", None], pa.binary()), ["a", None]),
        ("small floats", pa.array([0.5, None], pa.float32()), [0.5, None]),
        ("half floats", pa.array([np.float16(0.5)], pa.float16()), [0.5]),
        ("decimals", pa.array([decimal.Decimal("1.50")], pa.decimal128(10, 2)), [1.5]),
        ("whole decimals", pa.array([decimal.Decimal(10**17 + 1)], pa.decimal128(18, 0)), [10**17 + 1]),
        ("decimals, each as the nearest double", pa.array([decimal.Decimal("0.95")], pa.decimal128(10, 2)), [0.95]),
        ("times of day, in seconds", pa.array([dt.time(8, 3), None], pa.time64("us")), [28_980.0, None]),
        ("dates", pa.array([dt.date(2026, 1, 5), None]), ["2026-01-05", None]),
        ("unsigned numbers", pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
        ("nothing", pa.nulls(2), [None, None]),
    ],
)
def test_types_that_get_through(description: str, column: Any, expected: list[Any]) -> None:
    """Encodings and widths do not matter, values do."""
    assert flat(column).to_pylist() == expected, description


@pytest.mark.parametrize(
    ("description", "column", "present"),
    [
        ("lists, of which an empty one is no value", pa.array([[1, 2], [3], [], None]), [True, True, False, False]),
        ("large lists", pa.array([[1, 2], []], pa.large_list(pa.int8())), [True, False]),
        ("bytes", pa.array([b"\xff", None], pa.binary()), [True, False]),
        ("bytes of fixed width", pa.array([b"\xff\xfe"], pa.binary(2)), [True]),
        ("objects", pa.array([{"a": 1}, {"a": None}, None]), [True, False, False]),
        ("objects without members", pa.array([{}, None], pa.struct([])), [False, False]),
        ("an extension of unusable storage", pa.array([b"\xff" * 8], pa.opaque(pa.binary(8), "a", "b")), [True]),
    ],
)
def test_types_that_no_role_can_use(description: str, column: Any, present: list[bool]) -> None:
    """Of these only the presence of a value gets through."""
    result = flat(column)
    assert is_unusable(result), description
    assert result.is_valid().to_pylist() == present, description


def test_objects_become_paths() -> None:
    """Each leaf is found under its dotted path; a null object has null leaves."""
    leaves = first_of_each(flatten(pa.table({"f": pa.array([{"a": 1, "n": {"b": "x"}}, None])})))
    assert {path: column.to_pylist() for path, column in leaves.items() if not is_unusable(column)} == {
        "f.a": [1, None],
        "f.n.b": ["x", None],
    }


def test_maps_are_objects() -> None:
    """Each key of a map is a name; a row without it has nothing there, and of two values of a key the last counts."""
    pairs = pa.array([[("a", 1), ("b", 2)], None, [], [("a", 3), ("a", 4)]], pa.map_(pa.string(), pa.int8()))
    leaves = first_of_each(flatten(pa.table({"m": pairs.slice(0, 4)})))
    assert leaves["m.a"].to_pylist() == [1, None, None, 4]
    assert leaves["m.b"].to_pylist() == [2, None, None, None]
    assert first_of_each(flatten(pa.table({"m": pairs.slice(3)})))["m.a"].to_pylist() == [4]
    assert is_unusable(leaves["m"])


def test_lists_are_kept_beside_their_columns() -> None:
    """Lists of plain values keep what they hold, also within objects; lists of objects do not."""
    table = pa.table({"o": pa.array([{"l": [1.5, 2.5], "d": [{"a": 1}]}]), "x": [1]})
    assert {path: lists.to_pylist() for path, lists in lists_in(table).items()} == {"o.l": [[1.5, 2.5]]}
    assert lists_in(table.to_batches()[0]).keys() == {"o.l"}


def test_precision_of_floats() -> None:
    """Floats of fewer bits than a double are known by their paths, wherever they are."""
    kinds = {"h": pa.float16(), "s": pa.float32(), "d": pa.float64(), "l": pa.list_(pa.float32())}
    kinds["o"] = pa.struct({"s": pa.float32()})
    assert precision_in(pa.schema(kinds)) == {"h": 16, "s": 32, "l": 32, "o.s": 32}


def test_depth_is_bounded() -> None:
    """An object that is nested too deeply is an unusable value."""
    column = pa.array([1])
    for _ in range(MAX_DEPTH + 3):
        column = pa.StructArray.from_arrays([column], ["a"])
    leaves = first_of_each(flatten(pa.table({"x": column})))
    assert max(path.count(".") for path in leaves) == MAX_DEPTH
    assert all(is_unusable(column) for column in leaves.values())


def test_the_first_of_two_columns_wins() -> None:
    """A flat column and a nested one may have the same path."""
    leaves = flatten(pa.table({"a.b": [1], "a": [{"b": 2}]}))
    assert plain(first_of_each(leaves)["a.b"]) == [1]
    assert len(leaves) == 3

"""What values mean, whatever their type."""

import hashlib
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.samples import plain
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.rows import UNUSABLE_TEXT, Rows
from driftgauge.batch.values import (
    category_text,
    first_present,
    loose_text,
    number_text,
    numbers,
    unusable,
    version_text,
)

NAN = float("nan")
INF = float("inf")


@pytest.mark.parametrize(
    ("description", "column", "values", "bad"),
    [
        ("floats", pa.array([0.5, NAN, None, INF]), [0.5, None, None, None], [False, False, False, True]),
        ("whole numbers", pa.array([2**60, None]), [2.0**60, None], [False, False]),
        ("booleans", pa.array([True, False, None]), [1.0, 0.0, None], [False, False, False]),
        ("nothing", pa.nulls(1), [None], [False]),
        ("clean text", pa.array(["1", "-1.5e3", None]), [1.0, -1500.0, None], [False, False, False]),
        ("words for missing", pa.array(["", "NA", "NaN", "None", "null"]), [None] * 5, [False] * 5),
        (
            "dirty text",
            pa.array([" 7 ", "+.5", "5.", "abc", "1,5", "0x10", "inf", "1_0", "1e999", UNUSABLE_TEXT]),
            [7.0, 0.5, 5.0, None, None, None, None, None, None, None],
            [False, False, False, True, True, True, True, True, True, True],
        ),
        ("objects", pa.array([b"", None]), [None, None], [True, False]),
        ("times", pa.array([0, None], pa.timestamp("s")), [None, None], [True, False]),
    ],
)
def test_numbers(description: str, column: Any, values: list[Any], bad: list[bool]) -> None:
    """Missing and bad are distinguished, and neither is ever a finite number."""
    read = numbers(column)
    assert (plain(read.values), read.bad.tolist()) == (values, bad), description


@pytest.mark.parametrize(
    ("description", "column", "expected"),
    [
        ("booleans", pa.array([True, False, None]), ["true", "false", None]),
        ("booleans of pandas", pa.array(["True", "False", "TRUE"]), ["true", "false", "true"]),
        ("whole numbers", pa.array([1, -7]), ["1", "-7"]),
        ("whole floats", pa.array([1.0, -0.0, NAN, None]), ["1", "0", None, None]),
        ("fractions", pa.array([1.5, 1.0, 1e300, 1e-7]), ["1.5", "1", "1e+300", "1e-07"]),
        (
            "whole floats as text",
            pa.array(["1.0", "-2.0", "v1.0", "1.50", "1.00"]),
            ["1", "-2", "v1.0", "1.50", "1.00"],
        ),
        ("text as it is", pa.array([" a ", "007", "NA", "None", "Ä"]), [" a ", "007", "NA", "None", "Ä"]),
        ("empty text", pa.array(["", "a"]), [None, "a"]),
        ("nothing", pa.nulls(2), [None, None]),
        ("objects", pa.array([b"", None]), [None, None]),
        ("an object among text", pa.array([UNUSABLE_TEXT, "a"]), [None, "a"]),
        ("200 characters", pa.array(["ä" * 200]), ["ä" * 200]),
    ],
)
def test_category_text(description: str, column: Any, expected: list[str | None]) -> None:
    """The same category is spelled the same in every format."""
    assert category_text(column).to_pylist() == expected, description


def test_long_categories_are_cut_but_stay_apart() -> None:
    """Two long texts that differ at their end are two categories of at most 200 characters."""
    texts = ["x" * 300 + "a", "x" * 300 + "b", "short", None]
    digests = [hashlib.blake2b(text.encode(), digest_size=8).hexdigest() for text in texts[:2] if text]
    assert category_text(pa.array(texts)).to_pylist() == [
        *("x" * 160 + "…" + digest for digest in digests),
        "short",
        None,
    ]


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)))
def test_number_text_reads_back(value: float) -> None:
    """Writing a number loses nothing, and a column of it is written the same way."""
    assert float(number_text(value)) == value
    assert category_text(pa.array([value])).to_pylist() == [number_text(value)]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([3, None]), ["3", "?"]),
        (pa.array([3.0, 3.5]), ["3", "3.5"]),
        (pa.array(["1.10", "2.0", ""]), ["1.10", "2.0", "?"]),
        (pa.array(["a\nb\x7f\ufffd\x1b"]), ["a?b???"]),
        (pa.array([" 1.2.0\n"]), ["1.2.0"]),
        (pa.nulls(1), ["?"]),
        (pa.array([b""]), ["?"]),
        (pa.array(["None", "nan", "NA", "none"]), ["?", "?", "NA", "none"]),
    ],
)
def test_version_text(column: Any, expected: list[str]) -> None:
    """Text versions stay as written, and every row has one."""
    assert version_text(column, "?").to_pylist() == expected


def test_long_versions_are_cut() -> None:
    """A version is a metric label: at most 100 characters."""
    (version,) = version_text(pa.array(["v" * 101]), "?").to_pylist()
    assert version.startswith("v" * 80 + "…")
    assert len(version) <= 100


@pytest.mark.parametrize(
    ("description", "columns", "expected"),
    [
        ("no columns", [], [None, None, None]),
        ("one column", [pa.array([1.0, NAN, None])], [1.0, None, None]),
        ("one type", [pa.array(["a", "", None]), pa.array(["b", "c", ""])], ["a", "c", None]),
        ("two types", [pa.array([1.5, NAN, None]), pa.array([True, False, None])], ["1.5", "false", None]),
        ("an object", [pa.array([None, b"", None]), pa.array([1, 2, None])], ["1", UNUSABLE_TEXT, None]),
    ],
)
def test_first_present(description: str, columns: list[Any], expected: list[Any]) -> None:
    """Row by row the first value counts, and missing ones make way."""
    rows = Rows({str(at): column for at, column in enumerate(columns)}, all_fine(3))
    assert plain(first_present(rows, tuple(rows.columns))) == expected, description


def test_unusable() -> None:
    """An object is recognised alone and among text."""
    assert unusable(pa.array([b"", None])).tolist() == [True, False]
    assert unusable(pa.array([UNUSABLE_TEXT, "a", None])).tolist() == [True, False, False]
    assert unusable(pa.array([1])).tolist() == [False]


def test_loose_text_of_times() -> None:
    """A time next to text of another column can still be read as one."""
    assert loose_text(pa.array([0], pa.timestamp("s", "UTC"))).to_pylist() == ["1970-01-01 00:00:00Z"]

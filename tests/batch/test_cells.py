"""Cells of features, in every way that they are read."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from batch.samples import plain
from driftgauge.batch.cells import read_booleans, read_categories, read_numbers, seconds_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("08:03:00", 28_980.0),
        ("8:03", 28_980.0),
        ("08:03 PM", 72_180.0),
        ("12:00 am", 0.0),
        ("00:00:01.5", 1.5),
        ("0 days 00:05:00", 300.0),
        ("1 day, 0:00:01", 86_401.0),
        ("-1 days +23:59:59", -1.0),
        ("36:00:00", 129_600.0),
        ("PT1H5M", 3_900.0),
        ("P1DT2S", 86_402.0),
        ("-PT1.5S", -1.5),
    ],
)
def test_clocks_and_durations_are_seconds(text: str, expected: float) -> None:
    """Whatever wrote them: Python, pandas, ISO 8601."""
    assert seconds_in(text) == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "x", "8", "08:61", "2026-01-05", "16:9"])
def test_what_is_no_clock(text: str) -> None:
    """Other text has no seconds."""
    assert np.isnan(seconds_in(text))


def test_durations_compare_whatever_wrote_them() -> None:
    """Types and text agree."""
    typed = pa.array([dt.timedelta(minutes=5), dt.timedelta(seconds=-1)])
    text = pa.array(["0 days 00:05:00", "-1 day, 23:59:59"])
    assert read_numbers(typed).values.tolist() == read_numbers(text).values.tolist() == [300.0, -1.0]


def test_words_are_numbers_in_a_column_of_flags() -> None:
    """Elsewhere they are missing."""
    column = pa.array(["1", "TRUE", " no", "0.0", "maybe", None])
    values, bad = read_numbers(column, flag=True)
    assert plain(values) == [1.0, 1.0, 0.0, 0.0, None, None]
    assert bad.tolist() == [False, False, False, False, True, False]
    assert plain(read_numbers(column).values) == [1.0, None, None, 0.0, None, None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([True, False, None]),
        pa.array([1, 0, None]),
        pa.array([1.0, 0.0, float("nan")]),
        pa.array(["TRUE", "FALSE", "NA"]),
        pa.array(["Yes", "no ", "?"]),
        pa.array(["t", "f", ""]),
        pa.array(["1", "0", "null"]),
    ],
)
def test_booleans_are_one_value_however_written(column: Any) -> None:
    """Words, numbers and types."""
    assert read_booleans(column).to_pylist() == ["true", "false", None]


def test_other_values_among_booleans_stay() -> None:
    """They are categories that the reference never had."""
    assert read_booleans(pa.array(["true", "2", "perhaps"])).to_pylist() == ["true", "2", "perhaps"]


def test_categories_of_floats_of_32_bits() -> None:
    """A number of 32 bits is written as short as these allow, so that it equals the same text elsewhere."""
    column = pa.array([float(np.float32(0.1)), 2.0, None])
    assert read_categories(column, bits=32).to_pylist() == ["0.1", "2", None]
    assert read_categories(column).to_pylist() == ["0.10000000149011612", "2", None]

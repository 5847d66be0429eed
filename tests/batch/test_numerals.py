"""Whole numbers in files without types."""

import pyarrow as pa
import pytest

from driftgauge.batch.numerals import whole_numbers


@pytest.mark.parametrize(
    ("description", "cells", "expected", "inexact"),
    [
        ("as R and pandas write them", ["1e+05", "20", "3.0", "1.5e6", ""], ["100000", "20", "3", "1500000", ""], []),
        ("leading zeros", ["007", "1e+05"], ["007", "100000"], []),
        ("fractions and codes", ["1.50", "1.5e-5", "2"], ["1.50", "1.5e-5", "2"], []),
        ("text among them", ["1e5", "ab3"], ["1e5", "ab3"], []),
        ("digits that a spreadsheet left out", ["1.23457E+17", "1.23457E+11", "7"],
         ["123457000000000000", "123457000000", "7"], [0, 1]),
        ("floats with too many digits", ["1.2345678901234568e+17", "9007199254740993.0"],
         ["123456789012345680", "9007199254740993"], [0, 1]),
    ],
)  # fmt: skip
def test_cells(description: str, cells: list[str], expected: list[str | None], inexact: list[int]) -> None:
    """Cells of a CSV column are numbers when all of them are, and some have lost digits."""
    lost, text = whole_numbers(pa.array(cells))
    assert (text.to_pylist(), lost.nonzero()[0].tolist()) == (expected, inexact), description

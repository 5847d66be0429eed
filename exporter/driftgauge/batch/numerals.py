"""Whole numbers in files without types: programs write them as floats, so that 100000 may be 1e+05 or 100000.0.

A column is one of numbers only if all of its cells are. A float that shows fewer digits than it has, or that is
beyond what a double holds exactly, may have been another number before it was written.
"""

import re
from decimal import Decimal
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.values import MISSING, mask
from driftgauge.columns import BoolArray, TextArray

# Floats have every whole number up to here.
EXACT: Final = 2**53
_NUMBER: Final = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$"
# Other notations stay: 1.10 may be a code, and another one than 1.1.
_NOTATION: Final = r"[eE]|\.0$"
# A float that shows fewer digits than it has was rounded; round numbers have fewer than these.
_ROUND_DIGITS: Final = 5


def whole_numbers(text: TextArray) -> tuple[BoolArray, TextArray]:
    """Write the numbers of a column of cells that are all numbers the shortest way; leading zeros mean text.

    Returns where (n,) digits may have been lost, and the cells.
    """
    lost = np.zeros(len(text), dtype=np.bool_)
    missing = pc.is_in(text, value_set=MISSING)
    present = text.filter(pc.invert(missing)).drop_null()
    # Most columns of text show with their first cell that they are none of numbers.
    if not len(present) or re.match(_NUMBER, present[0].as_py()) is None:
        return lost, text
    written = mask(pc.match_substring_regex(text, pattern=_NOTATION)) & ~mask(missing)
    if not written.any() or not pc.all(pc.match_substring_regex(present, pattern=_NUMBER)).as_py():
        return lost, text
    cells = text.filter(pa.array(written)).dictionary_encode()
    read = [_whole(cell) for cell in cells.dictionary.to_pylist()]
    codes = cells.indices.to_numpy()
    lost[written] = np.array([inexact for _, inexact in read], np.bool_)[codes]
    shortest = pa.array([number for number, _ in read], pa.string()).take(cells.indices)
    return lost, pc.replace_with_mask(text, pa.array(written), shortest)


def _whole(cell: str) -> tuple[str, bool]:
    """Return a number the shortest way, and whether it may have been another one before it was written."""
    value = Decimal(cell)
    if value != value.to_integral_value():
        return cell, False
    digits = len(value.normalize().as_tuple().digits)
    rounded = "e" in cell.lower() and _ROUND_DIGITS <= digits <= value.adjusted()
    return str(int(value)), bool(abs(value) >= EXACT or rounded)

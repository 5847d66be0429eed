"""Decimal commas: numbers in columns of text that separates its cells with semicolons or tabs, rewritten with a point.

Spreadsheets of half the world write 1234.5 as `1234,5` or `1.234,5`. A comma between cells says nothing of the kind, so
a file of commas keeps its cells. Cells decide which columns are numbers; text stays as written.
"""

from typing import Any, Final

import pyarrow.compute as pc

from driftgauge.batch.values import MISSING, mask

_DECIMAL: Final = r"^\s*[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+(?:[eE][+-]?\d+)?\s*$"
_GROUPED: Final = r"^\s*[+-]?\d{1,3}(?:\.\d{3})+\s*$"
_NUMBER: Final = r"^\s*[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?\s*$"


class DecimalCommas:
    """Rewrites the blocks of one file; a column that had decimal commas keeps its reading for the rest of the file."""

    def __init__(self) -> None:
        self._columns: set[str] = set()

    def rewritten(self, name: str, column: Any) -> Any:
        """Return the column with a decimal point in its numbers, or as it is where it has no decimal commas.

        In a column with decimal commas a point groups thousands: 1.500 next to 2,25 is 1500.
        """
        if not pc.any(pc.match_substring(column, ",")).as_py() and name not in self._columns:
            return column
        decimal = pc.match_substring_regex(column, pattern=_DECIMAL)
        if not pc.any(decimal).as_py() and name not in self._columns:
            return column
        if not _mostly_numbers(column):
            return column
        self._columns.add(name)
        changed = pc.or_(decimal, pc.match_substring_regex(column, pattern=_GROUPED))
        pointed = pc.replace_substring(pc.replace_substring(column, ".", ""), ",", ".")
        return pc.if_else(changed, pointed, column)


def _mostly_numbers(column: Any) -> bool:
    """Tell whether at least half of the cells that are not missing are numbers."""
    missing = mask(pc.is_in(pc.utf8_trim_whitespace(column), value_set=MISSING))
    present = int((~missing).sum())
    numbers = int(mask(pc.match_substring_regex(column, pattern=_NUMBER)).sum())
    return bool(2 * numbers >= max(1, present))

"""Rows as every format delivers them: flat, typed columns under dotted paths, and a verdict per row.

A nested object becomes one column per leaf (`features.plan`), which is also how flat files spell it, so that
the modules after this one need not know where a value came from. Only a few types remain:

    null · bool · integers · float64 · text · timestamp · duration · binary

Binary means "a value that no role can use" (a list, an object, real bytes): of such a column only the presence of
values matters. What lists of plain values hold is kept beside it. Times of day are seconds since midnight, and maps are
objects. This module does not know the roles of paths.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pyarrow as pa

from driftgauge.batch.reasons import ReasonArray

# Deeper objects count as unusable values. No sensible record comes near it, and recursion stays bounded.
MAX_DEPTH: Final = 16
# Paths in one block; more of them mean that data is used as names, and memory would grow with rows times columns.
MAX_COLUMNS: Final = 2_000
# Longer names are data; as parts of paths they would be repeated for everything below them.
MAX_NAME: Final = 1_000
# Marks an unusable value in a column of text; elsewhere binary columns do.
UNUSABLE_TEXT: Final = "\x00"


@dataclass(frozen=True, slots=True)
class Rows:
    """`n` consecutive rows of one file, the broken ones included.

    columns: path -> (n,) pyarrow array of one of the types above; broken rows are null everywhere.
    reasons: (n,) codes of `reasons.CODES`, 0 for rows that could be read.
    untyped: the format has no types (CSV), so text may stand for any value.
    numeric_text: paths of text columns that hold mostly numbers, with some values of another type between.
    lists: path -> (n,) lists of plain values, of the binary columns that hold such.
    precision: path -> the bits of columns, and of what lists and maps hold, that are floats of 32 or 16 bits.
    """

    columns: Mapping[str, Any]
    reasons: ReasonArray
    untyped: bool = False
    numeric_text: frozenset[str] = frozenset()
    lists: Mapping[str, Any] = field(default_factory=dict)
    precision: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows, the broken ones included."""
        return len(self.reasons)

    def slice(self, start: int, count: int) -> "Rows":
        """Return at most `count` rows from `start` on, without copying."""
        return replace(
            self,
            columns={path: column.slice(start, count) for path, column in self.columns.items()},
            reasons=self.reasons[start : start + count],
            lists={path: lists.slice(start, count) for path, lists in self.lists.items()},
        )

    def pieces(self, size: int) -> Iterator["Rows"]:
        """Yield the rows in order, `size` at a time."""
        if len(self) <= size:
            yield self
            return
        for start in range(0, len(self), size):
            yield self.slice(start, size)


def after(blocks: Iterator[Rows], skip: int) -> Iterator[Rows]:
    """Yield what follows the first `skip` rows."""
    for rows in blocks:
        if skip < len(rows):
            yield rows.slice(skip, len(rows) - skip) if skip else rows
        skip = max(0, skip - len(rows))


def is_unusable(column: Any) -> bool:
    """Return whether a column has only values that no role can use."""
    return bool(pa.types.is_binary(column.type))

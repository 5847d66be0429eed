"""Columns of windows beside the reference's, cell by cell: what their distances are computed from.

Both are counted on the cells of the same grid, and a window occupies only some of them. At the start and the end of
each of these, its *edges*, the two distribution functions are laid side by side; between two cells the window's is
level and the reference's only rises. So the cost follows the cells that are occupied, whatever the grid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from driftgauge.aggregates.distribution import UNCHECKED, CountArray
from driftgauge.columns import FloatArray, IntArray
from driftgauge.reference import NumericProfile


@dataclass(frozen=True, slots=True, eq=False)
class NumericColumn:
    """A numeric column of a layout: the `points` (G,) of its grid, its first flat cell, and the reference's profile."""

    points: FloatArray
    start: int
    profile: NumericProfile

    @property
    def end(self) -> int:
        """The first flat cell after it."""
        return self.start + 2 * len(self.points) + 1


@dataclass(frozen=True, eq=False)
class NumericPairs:
    """Columns of windows (s) beside the reference's: the cells (k) they occupy, end to end.

    columns: (s,) with at least one point. sizes: (s,) how many cells each occupies, at least one.
    cells: (k,) intp, from 0 on in each column; counts, sums: (k,) of the values in them.
    """

    columns: Sequence[NumericColumn]
    sizes: IntArray
    cells: IntArray
    counts: CountArray
    sums: FloatArray

    @cached_property
    def first(self) -> IntArray:
        """Where the cells of each column begin (s,)."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def last(self) -> IntArray:
        """The last cell of each column (s,)."""
        return self.first + self.sizes - 1

    @cached_property
    def spans(self) -> list[slice]:
        """The cells of each column."""
        return [slice(start, end) for start, end in pairwise([0, *np.cumsum(self.sizes).tolist()])]

    @cached_property
    def upto(self) -> IntArray:
        """Rows of the column up to the end of each cell (k,)."""
        upto = self.counts.cumsum(dtype=np.int64)
        upto -= (upto[self.first] - self.counts[self.first]).repeat(self.sizes)
        return upto

    @cached_property
    def rows(self) -> IntArray:
        """Rows of reference and window in each column (s, 2)."""
        reference = np.array([column.profile.rows for column in self.columns], np.int64)
        return np.stack([reference, self.upto[self.last]], axis=1)

    @cached_property
    def window_rows(self) -> FloatArray:
        """The window's rows in the column of each cell (k,)."""
        return self.rows[:, 1].astype(np.float64).repeat(self.sizes)

    @cached_property
    def reference_upto(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The reference's rows up to the start and up to the end of each cell (k,)."""
        ends = [column.profile.ends for column in self.columns]
        # In the first cell, below all points, the reference has none, so what is up to its end is up to its start.
        start, end = (taken(ends, self.spans, at, np.int32) for at in (self.cells - 1, self.cells))
        return start, end

    @cached_property
    def shares(self) -> tuple[FloatArray, FloatArray]:
        """The window's distribution function at the start and at the end of each cell (k,)."""
        start, end = np.empty((2, len(self.cells)))
        np.divide(self.upto, self.window_rows, out=end)
        start[1:] = end[:-1]
        start[self.first] = 0
        return start, end

    @cached_property
    def differences(self) -> tuple[FloatArray, FloatArray]:
        """Reference minus window distribution function at the start and at the end of each cell (k,)."""
        rows = self.rows[:, 0].astype(np.float64).repeat(self.sizes)
        # Divided, not multiplied: equal shares must be equal numbers.
        start, end = (upto / rows for upto in self.reference_upto)
        start -= self.shares[0]
        end -= self.shares[1]
        return start, end

    @cached_property
    def places(self) -> tuple[IntArray, IntArray]:
        """The places among its column's points at which each cell starts and ends (k,): one beyond them if none."""
        return places(self.cells)

    @cached_property
    def points(self) -> tuple[FloatArray, FloatArray]:
        """The points where each cell starts and ends (k,); one below or above all points does both at the nearest."""
        points = [column.points for column in self.columns]
        start, end = (taken(points, self.spans, at) for at in self.places)
        return start, end

    @cached_property
    def integrals(self) -> tuple[FloatArray, FloatArray]:
        """The areas under the reference's distribution function up to these points (k,)."""
        integrals = [column.profile.integrals for column in self.columns]
        start, end = (taken(integrals, self.spans, at) for at in self.places)
        return start, end

    @cached_property
    def gaps(self) -> IntArray:
        """Cells that the column's next one does not start where they end (n,); the last of each column is among them.

        A window with more rows than points has few of them.
        """
        starts, ends = self.places
        is_gap = np.empty(len(self.cells), np.bool_)
        np.greater(starts[1:], ends[:-1], out=is_gap[:-1])
        is_gap[self.last] = True
        return np.flatnonzero(is_gap)

    @cached_property
    def below(self) -> IntArray:
        """Rows of reference and window up to where their functions are farthest apart (s, 2)."""
        starts, ends = self.differences
        found = []
        for span in self.spans:
            start, end = starts[span], ends[span]
            at = [(start, start.argmin()), (start, start.argmax()), (end, end.argmin()), (end, end.argmax())]
            distances = [abs(float(of[place])) for of, place in at]
            farthest = distances.index(max(distances))
            found.append((span.start + int(at[farthest][1]), farthest >= 2))
        cells, is_end = np.array(found, np.int64).reshape(-1, 2).T
        reference = np.where(is_end, self.reference_upto[1][cells], self.reference_upto[0][cells])
        return np.stack([reference, self.upto[cells] - np.where(is_end, 0, self.counts[cells])], axis=1)

    @cached_property
    def crossing_within(self) -> IntArray:
        """Cells from whose start to whose end the distribution functions cross (n,)."""
        return _crossing(*self.differences)

    @cached_property
    def crossing_gaps(self) -> IntArray:
        """Cells from whose end to the start of the column's next one, across a gap, they cross (n,)."""
        inner = np.setdiff1d(self.gaps, self.last, assume_unique=True)
        starts, ends = self.differences
        return inner[_crossing(ends[inner], starts[inner + 1])]

    def by_column(self, cells: IntArray) -> tuple[list[int], list[slice]]:
        """Return which columns have some of these cells (n,), which are in order, and which ones each of them has."""
        bounds = cells.searchsorted([*self.first, len(self.cells)]).tolist()
        spans = [slice(start, end) for start, end in pairwise(bounds)]
        columns = [column for column, span in enumerate(spans) if span.start < span.stop]
        return columns, [spans[column] for column in columns]


def taken(
    arrays: Iterable[npt.NDArray[Any]], spans: Iterable[slice], at: IntArray, kind: type[np.generic] = np.float64
) -> npt.NDArray[Any]:
    """Return what arrays have at these places (n,), each at those of its span: the nearest if beyond its ends."""
    found = np.empty(len(at), kind)
    for array, span in zip(arrays, spans, strict=True):
        array.take(at[span], mode=UNCHECKED, out=found[span])
    return found


def places(cells: IntArray) -> tuple[IntArray, IntArray]:
    """Return the places among its column's points at which each cell (n,) starts and ends: one beyond them if none."""
    return ((cells + 1) >> 1) - 1, cells >> 1


def _crossing(before: FloatArray, after: FloatArray) -> IntArray:
    """Return where two numbers (n,) have different signs, and neither is zero."""
    found = np.flatnonzero(np.signbit(before) != np.signbit(after))
    return found[before[found] * after[found] < 0]

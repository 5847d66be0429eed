"""Columns of windows beside the reference's, edge by edge: what their distances are computed from.

Both are counted on the cells of the same grid, and a window occupies only some of them. At the start and the end of
each of these, its *edges*, the two distribution functions are laid side by side; between two edges the window's is
level and the reference's only rises. So the cost follows the cells that are occupied, whatever the grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

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
class NumericSide:
    """The reference's side of some columns (c), end to end.

    A column with G points has G + 2 places from its `base` on: its points, the first and the last of them twice. Of its
    slots, which are twice as many, cell n is slot n + 2. So slot t ends at place t >> 1 and starts at (t - 1) >> 1, and
    a cell below or above all points does both at the nearest of them.

    base: (c + 1,) first place of each column, and the number of all places (p).
    points: (p,) by place; integrals: (p,) area under the reference's distribution function up to there.
    below: (2 p,) int32, rows up to the end of each slot.
    rows, means, stddevs: (c,) of the reference's present values.
    """

    base: IntArray
    points: FloatArray
    integrals: FloatArray
    below: npt.NDArray[np.int32]
    rows: IntArray
    means: FloatArray
    stddevs: FloatArray

    @classmethod
    def of(cls, columns: Sequence[NumericColumn]) -> Self:
        """Lay the profiles of columns with at least one point end to end."""
        places = [len(column.points) + 2 for column in columns]
        profiles = [column.profile for column in columns]
        none = np.zeros(2, np.int32)
        return cls(
            base=np.cumsum([0, *places]),
            points=_with_ends_twice([column.points for column in columns]),
            integrals=_with_ends_twice([profile.integrals for profile in profiles]),
            below=np.concatenate([part for p in profiles for part in (none, p.ends, p.ends[-1:])]),
            rows=np.array([profile.rows for profile in profiles], np.int64),
            means=np.array([profile.mean for profile in profiles]),
            stddevs=np.array([profile.stddev for profile in profiles]),
        )


@dataclass(frozen=True, eq=False)
class NumericPairs:
    """Columns of windows (s) beside the reference's: the cells (k) they occupy, end to end.

    which: (s,) their columns in the reference's side, in its order.
    sizes: (s,) how many cells each occupies, at least one.
    slots: (k,) of the cells in the reference's side; counts, sums: (k,) of the values in them.
    """

    side: NumericSide
    which: IntArray
    sizes: IntArray
    slots: IntArray
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

    def columns(self, cells: IntArray) -> IntArray:
        """Return the column (n,) of each of these cells (n,)."""
        return np.asarray(self.first.searchsorted(cells, side="right") - 1)

    @cached_property
    def upto(self) -> IntArray:
        """Rows of the column up to the end of each cell (k,)."""
        upto = self.counts.cumsum(dtype=np.int64)
        upto -= (upto[self.first] - self.counts[self.first]).repeat(self.sizes)
        return upto

    @cached_property
    def rows(self) -> IntArray:
        """Rows of reference and window in each column (s, 2)."""
        return np.stack([self.side.rows[self.which], self.upto[self.last]], axis=1)

    @cached_property
    def edges(self) -> IntArray:
        """Slots that end where each cell starts, and where it ends (2 k,), by turns."""
        edges = np.empty((len(self.slots), 2), np.intp)
        np.subtract(self.slots, 1, out=edges[:, 0])
        edges[:, 1] = self.slots
        return edges.reshape(-1)

    @cached_property
    def shares(self) -> FloatArray:
        """The window's distribution function at each edge, and from there to the next one (2 k,)."""
        shares = np.empty(2 * len(self.slots))
        ends = np.divide(self.upto, self.rows[:, 1].astype(np.float64).repeat(self.sizes), out=shares[1::2])
        shares[2::2] = ends[:-1]
        shares[2 * self.first] = 0
        return shares

    @cached_property
    def differences(self) -> FloatArray:
        """Reference minus window distribution function at each edge (2 k,)."""
        # Divided, not multiplied: equal shares must be equal numbers.
        below = self.side.below.take(self.edges, mode=UNCHECKED)
        differences = self.rows[:, 0].astype(np.float64).repeat(2 * self.sizes)
        np.divide(below, differences, out=differences)
        return np.subtract(differences, self.shares, out=differences)

    @cached_property
    def below(self) -> IntArray:
        """Rows of reference and window up to where their functions are farthest apart (s, 2)."""
        spans = zip((2 * self.first).tolist(), (2 * self.last + 2).tolist(), strict=True)
        extremes = [
            (start + of.argmin(), start + of.argmax())
            for start, of in ((at, self.differences[at:end]) for at, end in spans)
        ]
        lowest, highest = np.array(extremes).T
        farthest = np.where(-self.differences[lowest] > self.differences[highest], lowest, highest)
        cells, is_start = farthest >> 1, farthest & 1 == 0
        window = self.upto[cells] - np.where(is_start, self.counts[cells], 0)
        return np.stack([self.side.below[self.edges[farthest]], window], axis=1)

    @cached_property
    def crossing(self) -> IntArray:
        """Edges between which and the next one of the column the distribution functions cross (n,)."""
        is_negative = np.signbit(self.differences)
        changes = is_negative[1:] != is_negative[:-1]
        # Where a column ends, the next one does not go on.
        changes[2 * self.last[:-1] + 1] = False
        found = np.flatnonzero(changes)
        return found[self.differences[found] * self.differences[found + 1] < 0]


def _with_ends_twice(columns: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate([part for column in columns for part in (column[:1], column, column[-1:])])

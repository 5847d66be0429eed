"""How far numeric columns of windows are from the reference: all that takes time for each column, many at once.

A statistic is a pure function of `NumericPairs` that returns a value for each column, not a finite one where it is
undefined; the family, the documentation and the tests go by the table's key. Formulas and oracles are in
docs/statistics.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, Self

import numpy as np
import numpy.typing as npt

from driftgauge.aggregates.distribution import CellArray, CountArray, Distribution
from driftgauge.aggregates.sums import added_up
from driftgauge.columns import FloatArray, IntArray
from driftgauge.edges import NumericColumn, NumericPairs, places, taken

# Statistics are computed from this many rows on.
MIN_ROWS: Final = 2
# Columns are compared together up to this many occupied cells: with fewer it is numpy's calls that take the time, and
# what is computed of more does not stay in the processor's cache.
_TOGETHER: Final = 65_536


def ks_statistic(pairs: NumericPairs) -> FloatArray:
    """Two-sample Kolmogorov-Smirnov distance, equal to `scipy.stats.ks_2samp` while the grid holds every value."""
    shares = pairs.below / pairs.rows
    return np.abs(shares[:, 0] - shares[:, 1])


def wasserstein_distance(pairs: NumericPairs) -> FloatArray:
    """First Wasserstein distance, the area between the distribution functions, over the reference's deviation.

    Exact wherever the functions do not cross inside a cell, thanks to the sums; there, linear interpolation.
    """
    areas = _within(pairs)
    areas[pairs.gaps] += _between(pairs)
    # Up to the first cell the window has no rows.
    whole = np.add.reduceat(areas, pairs.first) + pairs.integrals[0][pairs.first]
    return np.asarray(whole / _of_reference(pairs, "stddev"))


def _within(pairs: NumericPairs) -> FloatArray:
    """Return the area between the distribution functions in each cell (k,)."""
    (starts, ends), (before, upto) = pairs.points, pairs.integrals
    widths, areas = ends - starts, upto - before
    areas -= widths * pairs.shares[0]
    # Like the reference's, each of the window's values adds to the area under its function from itself on.
    own = ends * pairs.counts
    own -= pairs.sums
    own /= pairs.window_rows
    areas -= own
    np.abs(areas, out=areas)
    crossing = pairs.crossing_within
    linear = _linear(widths[crossing], *(of[crossing] for of in pairs.differences))
    areas[crossing] = np.maximum(areas[crossing], linear)
    return areas


def _between(pairs: NumericPairs) -> FloatArray:
    """Return the area from the end of each cell before a gap (n,) to the start of the next, or to the last point."""
    cells, (starts, ends), (before, upto) = pairs.gaps, pairs.points, pairs.integrals
    following = np.minimum(cells + 1, len(starts) - 1)
    points, integrals = starts[following], before[following]
    last = cells.searchsorted(pairs.last)
    points[last] = [column.points[-1] for column in pairs.columns]
    integrals[last] = [column.profile.integrals[-1] for column in pairs.columns]
    areas = np.abs(integrals - upto[cells] - (points - ends[cells]) * pairs.shares[1][cells])
    crossing = pairs.crossing_gaps
    areas[cells.searchsorted(crossing)] = _crossed(pairs, crossing)
    return areas


def _crossed(pairs: NumericPairs, cells: IntArray) -> FloatArray:
    """Return the area from the end of each of these cells to the start of the next.

    There the reference crosses the window's level share: the area is that up to the cell in which it does, within it,
    and from there on. That cell is told by whole numbers, where rounding might tell another.
    """
    columns, spans = pairs.by_column(cells)
    sizes = [span.stop - span.start for span in spans]
    reference, window = pairs.rows[columns].repeat(sizes, axis=0).T
    most = (pairs.upto[cells] * reference // window).astype(np.int32)
    own = [pairs.columns[column] for column in columns]
    ends = [column.profile.ends for column in own]
    found = np.empty(len(cells), np.intp)
    for of, span in zip(ends, spans, strict=True):
        found[span] = of.searchsorted(most[span], side="right")
    # Where the functions only meet, rounding may have told that they cross.
    np.minimum(found, pairs.cells[cells + 1] - 1, out=found)
    points, integrals = (
        np.stack([upto[cells], *(taken(of, spans, at) for at in places(found)), before[cells + 1]])
        for (before, upto), of in (
            (pairs.points, [column.points for column in own]),
            (pairs.integrals, [column.profile.integrals for column in own]),
        )
    )
    share = pairs.shares[1][cells]
    parts = np.abs(np.diff(integrals, axis=0) - share * np.diff(points, axis=0))
    below, above = (taken(ends, spans, at, np.int32) / reference - share for at in (found - 1, found))
    linear = np.where(below < 0, _linear(points[2] - points[1], below, above), 0)
    crossed: FloatArray = parts[0] + np.maximum(parts[1], linear) + parts[2]
    return crossed


def _linear(width: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Return the area under the size of a line from `start` to `end`, which have different signs, over this width."""
    area: FloatArray = width * (start**2 + end**2) / (2 * (np.abs(start) + np.abs(end)))
    return area


def mean_shift(pairs: NumericPairs) -> FloatArray:
    """Window mean minus reference mean, in reference standard deviations."""
    # From the reference's mean on, so that little is lost where it is large.
    shifts = pairs.sums - pairs.counts * _of_reference(pairs, "mean").repeat(pairs.sizes)
    return np.asarray(np.add.reduceat(shifts, pairs.first) / pairs.rows[:, 1] / _of_reference(pairs, "stddev"))


def _of_reference(pairs: NumericPairs, name: Literal["mean", "stddev"]) -> FloatArray:
    """Return a figure of the reference's values in each column (s,)."""
    return np.array([getattr(column.profile, name) for column in pairs.columns])


# PSI and the Jensen-Shannon distance are not among them, nor is the p-value: `drift.compare` computes those of all
# windows at once.
NUMERIC: Final[Mapping[str, Callable[[NumericPairs], FloatArray]]] = {
    "ks_statistic": ks_statistic,
    "wasserstein_distance": wasserstein_distance,
    "mean_shift": mean_shift,
}


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Numeric columns (c) of windows (w): rows present, and how far those of enough rows are from the reference.

    rows, outliers: (w, c) present values, and those outside the reference's fences.
    windows, columns: (s,) which have distances. statistics: (s,) by name, not finite where undefined.
    counted: (s, 2) rows of reference and window; below: (s, 2) those up to where their functions are farthest apart;
    upto: (s, 2, b) those up to the end of each PSI bin, of columns with fewer bins all of them up to the last ones.
    """

    rows: IntArray
    outliers: IntArray
    windows: IntArray
    columns: IntArray
    statistics: Mapping[str, FloatArray]
    counted: IntArray
    below: IntArray
    upto: IntArray


Measure = Callable[[Sequence[NumericColumn], Sequence[tuple[Distribution, ...]]], Measured]


def measured(columns: Sequence[NumericColumn], windows: Sequence[tuple[Distribution, ...]]) -> Measured:
    """Return what is found of one column at least in one window at least, each given as its parts."""
    held = [_Held.of(columns, window) for window in added_up(windows, Distribution.combine)]
    limits, reference = _limits(columns)
    rows, upto = np.stack([window.rows for window in held]), np.stack([window.upto(limits) for window in held])
    constant = np.array([column.profile.constant for column in columns], np.bool_)
    # All windows of a column together, so that what the reference has of it is at hand.
    which, of_window = np.nonzero(((rows >= MIN_ROWS) & ~constant).T)
    sizes = np.stack([window.sizes for window in held])[of_window, which]
    # Not the pairs, so that their memory is at hand for the next ones.
    none = np.zeros((0, 2), np.int64)
    counted, below = [none], [none]
    statistics: dict[str, list[FloatArray]] = {name: [np.zeros(0)] for name in NUMERIC}
    for span in _together(which, sizes):
        parts = [held[window].column(column) for window, column in zip(of_window[span], which[span], strict=True)]
        cells, counts, sums = (np.concatenate(part) for part in zip(*parts, strict=True))
        own = [columns[column] for column in which[span]]
        pairs = NumericPairs(own, sizes[span], cells.astype(np.intp), counts, sums)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for name, statistic in NUMERIC.items():
                statistics[name].append(statistic(pairs))
        counted.append(pairs.rows)
        below.append(pairs.below)
    return Measured(
        rows=rows,
        outliers=upto[:, :, 0] + rows - upto[:, :, 1],
        windows=of_window,
        columns=which,
        statistics={name: np.concatenate(values) for name, values in statistics.items()},
        counted=np.concatenate(counted),
        below=np.concatenate(below),
        upto=np.stack([reference[which], upto[of_window, which, 2:]], axis=1),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """What a window holds of columns (c): the cells from `starts` (c,) to `ends` (c,) of its distribution.

    first: (c,) flat cell of the layout that is each column's first.
    """

    distribution: Distribution
    first: npt.NDArray[np.int32]
    starts: IntArray
    ends: IntArray
    all_upto: IntArray

    @classmethod
    def of(cls, columns: Sequence[NumericColumn], distribution: Distribution) -> Self:
        # Of another type, all cells would be converted first.
        first = np.array([column.start for column in columns], np.int32)
        after = np.array([column.end for column in columns], np.int32)
        upto = np.zeros(len(distribution.cells) + 1, np.int64)
        distribution.counts.cumsum(out=upto[1:])
        starts, ends = (distribution.cells.searchsorted(cells) for cells in (first, after))
        return cls(distribution, first, starts, ends, upto)

    @property
    def rows(self) -> IntArray:
        """Present values of each column (c,)."""
        return np.asarray(self.all_upto[self.ends] - self.all_upto[self.starts])

    @property
    def sizes(self) -> IntArray:
        """How many cells each column occupies (c,)."""
        return self.ends - self.starts

    def upto(self, limits: npt.NDArray[np.int32]) -> IntArray:
        """Return the rows (c, n) of each column up to the end of these flat cells (c, n)."""
        found = self.all_upto[self.distribution.cells.searchsorted(limits, side="right")]
        return np.asarray(found - self.all_upto[self.starts, None])

    def column(self, at: int) -> tuple[CellArray, CountArray, FloatArray]:
        """Return the cells (k,) that a column occupies, counted from its first, with counts and sums."""
        held, span = self.distribution, slice(self.starts[at], self.ends[at])
        return held.cells[span] - self.first[at], held.counts[span], held.sums[span]


def _limits(columns: Sequence[NumericColumn]) -> tuple[npt.NDArray[np.int32], IntArray]:
    """Return up to which flat cells to count rows of each column, and the reference's up to some of them.

    They are (c, 2 + b) the outlier fences and the ends of the PSI bins, in columns with fewer bins that of the last
    one; the rows (c, b) are those up to the bins' ends.
    """
    bins = 1 + max(len(column.profile.bin_ends) for column in columns)
    limits, upto = np.empty((len(columns), 2 + bins), np.int32), np.empty((len(columns), bins), np.int64)
    for at, column in enumerate(columns):
        profile, ends = column.profile, np.full(bins, column.end - column.start - 1)
        ends[: len(profile.bin_ends)] = profile.bin_ends
        limits[at] = column.start
        limits[at] += (profile.low - 1, profile.high, *ends)
        upto[at] = profile.ends[ends]
    return limits, upto


def _together(which: IntArray, sizes: IntArray) -> list[slice]:
    """Cut pairs of a column and a window, ordered by column, into parts of some whole columns each."""
    part = sizes.cumsum() // _TOGETHER
    # Of each column's pairs, the first tells.
    part = part[which.searchsorted(which)]
    bounds = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(which)]
    return [slice(start, end) for start, end in pairwise(bounds) if start < end]

"""How far a numeric column of a window is from the reference: all that takes time for each column, and numpy alone.

Both are counted on the cells of the same grid. The two distribution functions are laid side by side at the start and at
the end of each gap between two points; what else is asked follows the cells that the window occupies.
A statistic is a pure function of a `NumericPair`. It returns None when it is undefined; the family, the documentation
and the tests go by the table's key. Formulas and oracles are in docs/statistics.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from driftgauge.aggregates.distribution import CellArray, CountArray
from driftgauge.columns import FloatArray, IntArray
from driftgauge.reference import NumericProfile

# Statistics are computed from this many rows on.
MIN_ROWS: Final = 2


class Gap(NamedTuple):
    """The largest distance between two distribution functions: all that their Kolmogorov-Smirnov test needs.

    rows: of reference and window. below: how many of either lie up to where they are so far apart.
    """

    distance: float
    rows: tuple[int, int]
    below: tuple[int, int]


@dataclass(frozen=True, eq=False)
class NumericSide:
    """The reference's side of one numeric column: its grid's points (G,), of which there is one at least, and profile.

    A gap is what lies between two neighbouring points.
    """

    points: FloatArray
    profile: NumericProfile

    @cached_property
    def starts(self) -> FloatArray:
        """The distribution function at the start of each gap (G - 1,), the values at its first point included."""
        return self.profile.ends[1:-2:2] / self.profile.rows

    @cached_property
    def ends(self) -> FloatArray:
        """The distribution function at the end of each gap (G - 1,), those at its second point not."""
        return self.profile.ends[2:-1:2] / self.profile.rows

    @cached_property
    def widths(self) -> FloatArray:
        """How wide each gap is (G - 1,)."""
        return self.points[1:] - self.points[:-1]

    @cached_property
    def asked(self) -> IntArray:
        """Cells up to which values are counted: both outlier fences, then where PSI bins end, but the open last one."""
        return np.concatenate([[self.profile.low - 1, self.profile.high], self.profile.bin_ends])


@dataclass(frozen=True, eq=False)
class NumericPair:
    """One numeric column: the reference's side, and the cells (k,) that the window occupies with counts and sums."""

    reference: NumericSide
    cells: CellArray
    counts: CountArray
    sums: FloatArray

    @cached_property
    def upto(self) -> IntArray:
        """Window rows before the first of the cells, 0, and up to the end of each (k + 1,)."""
        rows = np.zeros(len(self.counts) + 1, np.int64)
        self.counts.cumsum(out=rows[1:])
        return rows

    @cached_property
    def rows(self) -> int:
        """Present values in the window."""
        return int(self.upto[-1])

    @cached_property
    def inside(self) -> tuple[IntArray | slice, IntArray]:
        """Which of the cells are gaps, and which gaps these are; what is beside all points is in none."""
        first = int(self.cells[0] == 0)
        last = len(self.cells) - int(self.cells[-1] == 2 * len(self.reference.points))
        cells = self.cells[first:last]
        are_gaps = cells & 1 == 0
        # Of continuous values all are, and looking up all of them takes longer than what is computed of them.
        if are_gaps.all():
            return slice(first, last), (cells >> 1) - 1
        at = np.flatnonzero(are_gaps)
        return at + first, (cells[at] >> 1) - 1

    @cached_property
    def differences(self) -> tuple[FloatArray, FloatArray]:
        """Reference minus window distribution function at the start and at the end of each gap (G - 1,)."""
        side = self.reference
        # Of all cells, a point's own and the gap before it count from its start on.
        rows = np.bincount(self.cells >> 1, self.counts, len(side.points))[: len(side.points) - 1]
        shares = np.divide(rows.cumsum(out=rows), self.rows, out=rows)
        starts = side.starts - shares
        at, gaps = self.inside
        shares[gaps] = self.upto[1:][at] / self.rows
        return starts, np.subtract(side.ends, shares, out=shares)

    @cached_property
    def gap(self) -> Gap:
        """The largest difference of the distribution functions at the end of any cell."""
        profile, last = self.reference.profile, 2 * len(self.reference.points) - 1
        cells = [0, last]
        if last > 1:
            starts, ends = self.differences
            cells += [2 * int(gap) + 1 for gap in (starts.argmin(), starts.argmax())]
            cells += [2 * int(gap) + 2 for gap in (ends.argmin(), ends.argmax())]
        reference, window = profile.ends[cells].tolist(), self.upto_cells(cells).tolist()
        rows = profile.rows, self.rows
        return max(
            Gap(abs(below[0] / rows[0] - below[1] / rows[1]), rows, below)
            for below in zip(reference, window, strict=True)
        )

    def upto_cells(self, cells: Sequence[int] | IntArray) -> IntArray:
        """Return the window rows up to the end of each cell (n,) of the grid."""
        # Of another type, all of its own cells would be converted first.
        return self.upto[self.cells.searchsorted(np.asarray(cells, np.int32), side="right")]

    @cached_property
    def asked(self) -> IntArray:
        """Window rows up to the cells that the reference's side asks for."""
        return self.upto_cells(self.reference.asked)

    @property
    def outliers(self) -> int:
        """Values outside the fences."""
        return int(self.asked[0] + self.rows - self.asked[1])


def ks_statistic(pair: NumericPair) -> float:
    """Two-sample Kolmogorov-Smirnov distance, equal to `scipy.stats.ks_2samp` while the grid holds every value."""
    return pair.gap.distance


def wasserstein_distance(pair: NumericPair) -> float | None:
    """First Wasserstein distance, the area between the distribution functions, over the reference's deviation.

    Exact wherever the functions do not cross inside a cell, thanks to the sums; there, linear interpolation.
    """
    side = pair.reference
    if not side.profile.stddev:
        return None
    starts, ends = pair.differences
    areas = starts * side.widths
    areas += side.profile.areas
    # Like the reference's, each of the window's values adds to the area under its function from itself on.
    at, gaps = pair.inside
    areas[gaps] -= (side.points[gaps + 1] * pair.counts[at] - pair.sums[at]) / pair.rows
    np.abs(areas, out=areas)
    crossing = np.flatnonzero(starts * ends < 0)
    start, end = np.abs(starts[crossing]), np.abs(ends[crossing])
    linear = side.widths[crossing] * (start**2 + end**2) / (2 * (start + end))
    areas[crossing] = np.maximum(areas[crossing], linear)
    return float((areas.sum() + _area_outside(pair) / pair.rows) / side.profile.stddev)


def _area_outside(pair: NumericPair) -> float:
    """Return how far the window's values below the first point and above the last are from these, all together."""
    points, area = pair.reference.points, 0.0
    if pair.cells[0] == 0:
        area += points[0] * pair.counts[0] - pair.sums[0]
    if pair.cells[-1] == 2 * len(points):
        area += pair.sums[-1] - points[-1] * pair.counts[-1]
    return area


def mean_shift(pair: NumericPair) -> float | None:
    """Window mean minus reference mean, in reference standard deviations."""
    profile = pair.reference.profile
    if not profile.stddev:
        return None
    return float((pair.sums.sum() / pair.rows - profile.mean) / profile.stddev)


# PSI and the Jensen-Shannon distance are not among them, nor is the p-value: `drift.compare` computes those of all
# columns at once.
NUMERIC: Final[Mapping[str, Callable[[NumericPair], float | None]]] = {
    "ks_statistic": ks_statistic,
    "wasserstein_distance": wasserstein_distance,
    "mean_shift": mean_shift,
}


@dataclass(frozen=True, slots=True, eq=False)
class NumericColumn:
    """One numeric column: the reference's side, and cells (k,) with counts and sums of each window."""

    reference: NumericSide
    windows: Sequence[tuple[CellArray, CountArray, FloatArray]]


@dataclass(frozen=True, slots=True)
class Distances:
    """How far a numeric column of a window is from the reference: the statistics of `NUMERIC`, and what others need.

    upto: (b - 1,) rows up to the end of each PSI bin but the last, of reference and window, who have `gap.rows`.
    """

    statistics: Mapping[str, float | None]
    gap: Gap
    upto: tuple[npt.NDArray[np.int32], IntArray]


@dataclass(frozen=True, slots=True)
class Measured:
    """One numeric column of one window: `rows` present, `outliers` outside the fences, and distances if it has any."""

    rows: int
    outliers: int | None
    distances: Distances | None


def measured(columns: Sequence[NumericColumn]) -> list[list[Measured]]:
    """Return what is found of each column in each window, column by column: only one is laid out at a time."""
    return [[_measured(NumericPair(column.reference, *window)) for window in column.windows] for column in columns]


def _measured(pair: NumericPair) -> Measured:
    profile = pair.reference.profile
    outliers = pair.outliers if profile.rows else None
    if pair.rows < MIN_ROWS or profile.constant:
        return Measured(pair.rows, outliers, None)
    with np.errstate(over="ignore", invalid="ignore"):
        statistics = {name: statistic(pair) for name, statistic in NUMERIC.items()}
    upto = profile.ends[profile.bin_ends], pair.asked[2:]
    return Measured(pair.rows, outliers, Distances(statistics, pair.gap, upto))

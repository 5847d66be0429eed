"""How far one column of one window is from the reference: one row of `TABLE` per statistic.

Reference and window are counted on the cells of the same grid, so a statistic is a pure function of one such pair of
dense arrays. It returns a number that is not finite where it is undefined. Formulas and oracles are in
docs/statistics.md. Which columns drifted is decided in `drift`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from scipy import special

from driftgauge.columns import FloatArray, IntArray
from driftgauge.grid import NumericGrid
from driftgauge.kolmogorov import ks_pvalue_of
from driftgauge.reference import NumericProfile, areas_under
from driftgauge.schema import Kind

# Shares are floored here before PSI's logarithm.
_FLOOR: Final = 1e-4
# The cells between two points of a numeric grid, and the points that they begin at.
_GAPS: Final = slice(2, -1, 2)
_STARTS: Final = slice(1, -2, 2)


@dataclass(frozen=True, eq=False)
class NumericPair:
    """One numeric column of reference and window on a grid of G points, which has C = 2 G + 1 cells.

    counts, sums: (C,) of the window's values in each cell, at least one in all; sums are from the grid's center on.
    """

    grid: NumericGrid
    profile: NumericProfile
    counts: IntArray
    sums: FloatArray

    @property
    def deviation(self) -> float:
        """The reference's standard deviation, NaN where it is constant."""
        return np.nan if self.profile.constant else self.profile.stddev

    @cached_property
    def ends(self) -> IntArray:
        """How many of the window's values lie up to the end of each cell (C,)."""
        return self.counts.cumsum()

    @property
    def rows(self) -> int:
        """Present values in the window."""
        return int(self.ends[-1])

    @cached_property
    def differences(self) -> FloatArray:
        """Reference minus window distribution function at the end of each cell (C,)."""
        # Divided, not multiplied: equal shares must be equal numbers.
        return np.asarray(self.profile.ends / self.profile.rows - self.ends / self.rows)

    @cached_property
    def below(self) -> tuple[int, int]:
        """Rows of reference and window up to where their distribution functions are farthest apart."""
        at = np.abs(self.differences).argmax()
        return int(self.profile.ends[at]), int(self.ends[at])

    @cached_property
    def shares(self) -> tuple[FloatArray, FloatArray]:
        """Shares (b,) of reference and window in each PSI bin."""
        reference, window = (np.diff(ends[self.bins], prepend=0) / ends[-1] for ends in (self.profile.ends, self.ends))
        return reference, window

    @property
    def bins(self) -> IntArray:
        """The last cell of each PSI bin (b,)."""
        return np.append(self.profile.bin_ends, len(self.counts) - 1)


@dataclass(frozen=True, eq=False)
class CategoryPair:
    """One categorical column: counts (k,) of reference and window, at least one on either side.

    They are fractions where the reference's are estimates (see `pooling`).
    """

    reference_counts: IntArray | FloatArray
    counts: IntArray | FloatArray

    @cached_property
    def shares(self) -> tuple[FloatArray, FloatArray]:
        """Shares (k,) of reference and window in each category."""
        return self.reference_counts / self.reference_counts.sum(), self.counts / self.counts.sum()

    @cached_property
    def chi2(self) -> float:
        """Pearson's chi-square of the 2 x k table, without continuity correction: all terms of a category in one."""
        p, q = self.shares
        terms = np.square(p - q) / (self.reference_counts + self.counts)
        return float(terms.sum()) * float(self.reference_counts.sum()) * float(self.counts.sum())


def ks_statistic(pair: NumericPair) -> float:
    """Two-sample Kolmogorov-Smirnov distance, equal to `scipy.stats.ks_2samp` while the grid holds every value."""
    reference, window = pair.below
    return abs(reference / pair.profile.rows - window / pair.rows)


def ks_pvalue(pair: NumericPair) -> float:
    """Two-sided p-value of the Kolmogorov-Smirnov distance."""
    return ks_pvalue_of((pair.profile.rows, pair.rows), pair.below)


def wasserstein_distance(pair: NumericPair) -> float:
    """First Wasserstein distance, the area between the distribution functions, over the reference's deviation.

    Exact wherever the functions do not cross inside a cell, thanks to the sums; there, linear interpolation.
    """
    points, counts, sums = pair.grid.centered, pair.counts, pair.sums
    areas = np.abs(pair.profile.areas - areas_under(points, pair.ends, counts, sums))
    start, end = pair.differences[_STARTS], pair.differences[_GAPS]
    crossing = np.flatnonzero(start * end < 0)
    start, end, widths = start[crossing], end[crossing], points[crossing + 1] - points[crossing]
    # Under the size of a line from one difference to the other, which have different signs.
    linear = widths * (start**2 + end**2) / (2 * (np.abs(start) + np.abs(end)))
    areas[crossing] = np.maximum(areas[crossing], linear)
    # Below the first and above the last point the reference has no values.
    outside = (points[0] * counts[0] - sums[0] + sums[-1] - points[-1] * counts[-1]) / pair.rows
    return float((areas.sum() + outside) / pair.deviation)


def mean_shift(pair: NumericPair) -> float:
    """Window mean minus reference mean, in reference standard deviations."""
    shift = pair.sums.sum() / pair.rows - (pair.profile.mean - pair.grid.center)
    return float(shift / pair.deviation)


def psi(pair: NumericPair | CategoryPair) -> float:
    """Return the population stability index: the sum of (q - p) ln(q / p) over all shares, floored at 1e-4."""
    p, q = (np.maximum(shares, _FLOOR) for shares in pair.shares)
    return float(((q - p) * np.log(q / p)).sum())


def js_distance(pair: NumericPair | CategoryPair) -> float:
    """Jensen-Shannon distance over bins or categories: the root of the divergence in bits."""
    # Not scipy's function, whose checks take four times as long as this for ten bins.
    p, q = pair.shares
    middle = (p + q) / 2
    divergence = (special.rel_entr(p, middle).sum() + special.rel_entr(q, middle).sum()) / 2
    # Of all but equal shares rounding can leave a divergence of -1e-17.
    return float(np.sqrt(max(divergence, 0.0) / np.log(2)))


def total_variation_distance(pair: CategoryPair) -> float:
    """Half the sum of absolute differences of the category shares."""
    p, q = pair.shares
    return float(np.abs(p - q).sum() / 2)


def chi2_statistic(pair: CategoryPair) -> float:
    """Pearson's chi-square of the 2 x k table of counts, without continuity correction; 0 for one category."""
    return pair.chi2


def chi2_pvalue(pair: CategoryPair) -> float:
    """Upper tail of the chi-square distribution with k - 1 degrees of freedom; 1 for one category."""
    freedom = len(pair.counts) - 1
    return float(special.chdtrc(freedom, pair.chi2)) if freedom else 1.0


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic: the suffix of its family, the kinds of column it is of, and its function of their pair.

    effect: the key under `drift` of the value from which it counts as a large effect, if it decides about drift.
    pvalue: the row that is its p-value; a table is judged by the one p-value that its kind has.
    """

    name: str
    kinds: tuple[Kind, ...]
    of: Callable[[Any], float]
    effect: str | None = None
    pvalue: str | None = None


TABLE: Final = (
    Statistic("ks_statistic", ("numeric",), ks_statistic, effect="ks", pvalue="ks_pvalue"),
    Statistic("ks_pvalue", ("numeric",), ks_pvalue),
    Statistic("wasserstein_distance", ("numeric",), wasserstein_distance),
    Statistic("mean_shift", ("numeric",), mean_shift),
    Statistic("chi2_statistic", ("categorical",), chi2_statistic, pvalue="chi2_pvalue"),
    Statistic("chi2_pvalue", ("categorical",), chi2_pvalue),
    Statistic("total_variation_distance", ("categorical",), total_variation_distance, effect="tvd"),
    Statistic("psi", ("numeric", "categorical"), psi, effect="psi"),
    Statistic("js_distance", ("numeric", "categorical"), js_distance),
)

"""How far a window's columns are from the reference: one table of statistics per kind of column, and the verdict.

A statistic is a pure function of a `NumericPair` or `CategoryPair`, which hold reference and window counts on the same
cells. It returns None when it is undefined; the family, the documentation and the tests go by the table's key.
Formulas and oracles are in docs/statistics.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from driftgauge.aggregates.distribution import Distribution, Unseen
from driftgauge.columns import FloatArray, IntArray
from driftgauge.config import Drift
from driftgauge.grid import CategoryGrid, NumericGrid
from driftgauge.kolmogorov import Gap, ks_pvalues
from driftgauge.reference import CategoryProfile, NumericProfile, Reference

# Shares are floored here before PSI's logarithm.
_FLOOR: Final = 1e-4


@dataclass(frozen=True, eq=False)
class NumericSide:
    """The reference's side of one numeric column: its grid's points (g,) and its profile."""

    points: FloatArray
    profile: NumericProfile

    @cached_property
    def ends(self) -> IntArray:
        """Rows up to the end of each cell."""
        return np.cumsum(self.profile.counts)

    @cached_property
    def shares(self) -> FloatArray:
        """The distribution function at the end of each cell."""
        return self.ends / self.profile.rows

    @cached_property
    def bins(self) -> FloatArray:
        """Shares of the rows in each PSI bin."""
        return _bin_shares(self.ends, self.profile.bin_ends)

    @cached_property
    def widths(self) -> FloatArray:
        """The distances between the points (g - 1,)."""
        return np.diff(self.points)

    @cached_property
    def inner_areas(self) -> FloatArray:
        """See `wasserstein_distance`."""
        return _inner_areas(self.points, self.profile.counts, self.profile.sums, self.profile.rows)


@dataclass(frozen=True, eq=False)
class NumericPair:
    """One numeric column: the reference's side, and the counts and sums of the window on the same cells."""

    reference: NumericSide
    counts: IntArray
    sums: FloatArray

    @cached_property
    def rows(self) -> int:
        """Present values in the window."""
        return int(self.ends[-1])

    @cached_property
    def ends(self) -> IntArray:
        """Window rows up to the end of each cell."""
        return np.cumsum(self.counts)

    @cached_property
    def gaps(self) -> FloatArray:
        """Reference minus window distribution function at the end of each cell."""
        return self.reference.shares - self.ends / self.rows

    @cached_property
    def gap(self) -> Gap:
        """The largest gap in absolute value, the first if there are several."""
        at = int(np.abs(self.gaps).argmax())
        sizes = self.reference.profile.rows, self.rows
        return Gap(abs(float(self.gaps[at])), sizes, (int(self.reference.ends[at]), int(self.ends[at])))

    @cached_property
    def bins(self) -> tuple[FloatArray, FloatArray]:
        """Shares of reference and window in each PSI bin."""
        return self.reference.bins, _bin_shares(self.ends, self.reference.profile.bin_ends)


@dataclass(frozen=True, eq=False)
class CategoryPair:
    """One categorical column: counts (k,) of reference and window over the union of their categories."""

    reference_counts: IntArray
    counts: IntArray

    @cached_property
    def rows(self) -> int:
        """Present values in the window."""
        return int(self.counts.sum())

    @cached_property
    def bins(self) -> tuple[FloatArray, FloatArray]:
        """Shares of reference and window in each category."""
        return self.reference_counts / self.reference_counts.sum(), self.counts / self.counts.sum()


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One column of one window: `rows` present, its `statistics` by family suffix, and its p-value if it has one.

    `outliers` and `unseen` count values outside the fences and categories the reference never had.
    """

    rows: int
    statistics: Mapping[str, float]
    pvalue: float | None
    outliers: int | None
    unseen: int | None


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
    start, end, width = pair.gaps[1:-1:2][:-1], pair.gaps[2:-2:2], side.widths
    # Area under a distribution function over a cell: what was below it before, and each inner value from itself on.
    inner = side.inner_areas - _inner_areas(side.points, pair.counts, pair.sums, pair.rows)
    area = np.abs(start * width + inner)
    crossing = np.flatnonzero(start * end < 0)
    start, end, width = start[crossing], end[crossing], width[crossing]
    linear = width * (start**2 + end**2) / (2 * (np.abs(start) + np.abs(end)))
    area[crossing] = np.maximum(area[crossing], linear)
    tails = (side.points[0] * pair.counts[0] - pair.sums[0]) + (pair.sums[-1] - side.points[-1] * pair.counts[-1])
    return float((area.sum() + tails / pair.rows) / side.profile.stddev)


def _inner_areas(points: FloatArray, counts: IntArray, sums: FloatArray, rows: int) -> FloatArray:
    """Return what the values inside each cell between two points add to the area under the distribution function."""
    between = slice(2, -2, 2)
    areas: FloatArray = (points[1:] * counts[between] - sums[between]) / rows
    return areas


def mean_shift(pair: NumericPair) -> float | None:
    """Window mean minus reference mean, in reference standard deviations."""
    profile = pair.reference.profile
    if not profile.stddev:
        return None
    return float((pair.sums.sum() / pair.rows - profile.mean) / profile.stddev)


def psi(pair: NumericPair | CategoryPair) -> float:
    """Return the population stability index: the sum of (q - p) ln(q / p) over bins, shares floored at 1e-4."""
    p, q = (np.maximum(shares, _FLOOR) for shares in pair.bins)
    return float(((q - p) * np.log(q / p)).sum())


def js_distance(pair: NumericPair | CategoryPair) -> float:
    """Jensen-Shannon distance over the same bins: the root of the divergence in bits."""
    distance = float(jensenshannon(*pair.bins, base=2))
    # Of all but equal shares rounding can leave a divergence of -1e-17, whose root scipy gives as NaN.
    return 0.0 if np.isnan(distance) else distance


def total_variation_distance(pair: CategoryPair) -> float:
    """Half the sum of absolute differences of the category shares."""
    p, q = pair.bins
    return float(np.abs(p - q).sum() / 2)


def chi2_statistic(pair: CategoryPair) -> float | None:
    """Pearson's chi-square of the 2 x k table of counts, without continuity correction; None for one category."""
    table = np.stack([pair.reference_counts, pair.counts])
    if table.shape[1] < 2:
        return None
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float((np.square(table - expected) / expected).sum())


def chi2_pvalue(pair: CategoryPair) -> float | None:
    """Upper tail of the chi-square distribution with k - 1 degrees of freedom."""
    statistic = chi2_statistic(pair)
    return None if statistic is None else float(special.chdtrc(len(pair.counts) - 1, statistic))


# The p-value of numeric columns is not among them: `compare` asks for those of all columns at once.
NUMERIC: Final[Mapping[str, Callable[[NumericPair], float | None]]] = {
    "ks_statistic": ks_statistic,
    "psi": psi,
    "js_distance": js_distance,
    "wasserstein_distance": wasserstein_distance,
    "mean_shift": mean_shift,
}
CATEGORICAL: Final[Mapping[str, Callable[[CategoryPair], float | None]]] = {
    "chi2_statistic": chi2_statistic,
    "chi2_pvalue": chi2_pvalue,
    "psi": psi,
    "js_distance": js_distance,
    "total_variation_distance": total_variation_distance,
}
# statistic -> the configuration key of the effect size from which it counts as large.
_EFFECTS: Final = {"ks_statistic": "ks", "total_variation_distance": "tvd", "psi": "psi"}


def compare(reference: Reference, windows: Sequence[Distribution]) -> list[dict[str, ColumnDrift]]:
    """Compare every column of the layout, `OUTPUT` included, in each window.

    Column by column, so that what the reference brings is computed once, and the cells of one column only are laid out.
    """
    found: list[dict[str, ColumnDrift]] = [{} for _ in windows]
    gaps: dict[tuple[int, str], Gap] = {}
    for name, grid in reference.layout.grids.items():
        start = reference.layout.offsets[name]
        profile = reference.profiles[name]
        counted = [window.dense(start, start + grid.cells) for window in windows]
        if isinstance(grid, NumericGrid) and isinstance(profile, NumericProfile):
            side = NumericSide(grid.points, profile)
            for at, (counts, sums) in enumerate(counted):
                pair = NumericPair(side, counts, sums)
                found[at][name] = _compare_numeric(pair)
                if found[at][name].statistics:
                    gaps[at, name] = pair.gap
        elif isinstance(grid, CategoryGrid) and isinstance(profile, CategoryProfile):
            for at, (counts, _) in enumerate(counted):
                unseen = windows[at].unseen.get(name, Unseen({}))
                found[at][name] = _compare_categories(profile, counts, unseen)
    for (at, name), pvalue in zip(gaps, ks_pvalues(list(gaps.values())), strict=True):
        statistics = {**found[at][name].statistics, "ks_pvalue": pvalue}
        found[at][name] = replace(found[at][name], statistics=statistics, pvalue=pvalue)
    return found


def _compare_numeric(pair: NumericPair) -> ColumnDrift:
    profile = pair.reference.profile
    outliers = int(pair.counts[: profile.low].sum() + pair.counts[profile.high + 1 :].sum()) if profile.rows else None
    if profile.constant or pair.rows < 2:
        return ColumnDrift(pair.rows, {}, None, outliers, None)
    with np.errstate(over="ignore", invalid="ignore"):
        found = _finite({name: statistic(pair) for name, statistic in NUMERIC.items()})
    return ColumnDrift(pair.rows, found, None, outliers, None)


def _compare_categories(profile: CategoryProfile, counts: IntArray, unseen: Unseen) -> ColumnDrift:
    rows = int(counts.sum()) + unseen.total
    if profile.constant or rows < 2:
        return ColumnDrift(rows, {}, None, None, unseen.total)
    strangers = np.array([*unseen.named.values(), unseen.rest], dtype=np.int64)
    union = np.stack([np.concatenate([profile.counts, np.zeros_like(strangers)]), np.concatenate([counts, strangers])])
    union = union[:, union.any(axis=0)]
    pair = CategoryPair(union[0], union[1])
    found = _finite({name: statistic(pair) for name, statistic in CATEGORICAL.items()})
    return ColumnDrift(rows, found, found.get("chi2_pvalue"), None, unseen.total)


def flags(columns: Mapping[str, ColumnDrift], drift: Drift) -> dict[str, bool]:
    """Return which columns drifted, of those with enough rows to be judged; the others have no verdict.

    By default a column must have moved far (effect) and not by luck (significance, corrected over these columns).
    """
    judged = {
        name: column.pvalue
        for name, column in columns.items()
        if column.rows >= drift.min_samples and column.pvalue is not None
    }
    if drift.rule == "significance":
        return {name: pvalue < drift.significance for name, pvalue in judged.items()}
    values = list(judged.values())
    adjusted = benjamini_hochberg(values) if drift.correction == "benjamini-hochberg" else values
    return {
        name: pvalue < drift.significance and _is_large(columns[name], drift)
        for name, pvalue in zip(judged, adjusted, strict=True)
    }


def benjamini_hochberg(pvalues: Sequence[float]) -> list[float]:
    """Adjust p-values for the false discovery rate (Benjamini and Hochberg, 1995)."""
    return [float(p) for p in stats.false_discovery_control(pvalues, method="bh")] if len(pvalues) else []


def _is_large(column: ColumnDrift, drift: Drift) -> bool:
    return any(
        column.statistics[name] >= getattr(drift, key) for name, key in _EFFECTS.items() if name in column.statistics
    )


def _bin_shares(ends: IntArray, bin_ends: IntArray) -> FloatArray:
    shares: FloatArray = np.diff(np.concatenate([[0], ends[bin_ends], ends[-1:]])) / ends[-1]
    return shares


def _finite(found: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None and np.isfinite(value)}

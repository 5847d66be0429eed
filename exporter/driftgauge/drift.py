"""How far the columns of all windows are from the reference, and the verdict.

Numeric columns are compared by `distances`; those of categories are here. A statistic is a pure function of the
`CategoryPair` and returns None when it is undefined; the family, the documentation and the tests go by the table's key.
Formulas and oracles are in docs/statistics.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Final

import numpy as np
from scipy import special, stats

from driftgauge.aggregates.distribution import Distribution, Unseen
from driftgauge.columns import FloatArray, IntArray
from driftgauge.config import Drift
from driftgauge.distances import MIN_ROWS, Measure, Measured, measured
from driftgauge.divergence import DIVERGENCES
from driftgauge.edges import NumericColumn
from driftgauge.grid import NumericGrid
from driftgauge.kolmogorov import ks_pvalues
from driftgauge.reference import CategoryProfile, NumericProfile, Reference


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
    def shares(self) -> tuple[FloatArray, FloatArray]:
        """Shares (1, k) of reference and window in each category."""
        reference, window = (counts[None, :] / counts.sum() for counts in (self.reference_counts, self.counts))
        return reference, window


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


def total_variation_distance(pair: CategoryPair) -> float:
    """Half the sum of absolute differences of the category shares."""
    p, q = pair.shares
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


CATEGORICAL: Final[Mapping[str, Callable[[CategoryPair], float | None]]] = {
    "chi2_statistic": chi2_statistic,
    "chi2_pvalue": chi2_pvalue,
    "total_variation_distance": total_variation_distance,
}
# statistic -> the configuration key of the effect size from which it counts as large.
_EFFECTS: Final = {"ks_statistic": "ks", "total_variation_distance": "tvd", "psi": "psi"}


def compare(
    reference: Reference, windows: Sequence[tuple[Distribution, ...]], measure: Measure = measured
) -> list[dict[str, ColumnDrift]]:
    """Compare every column of the layout, `OUTPUT` included, in each window, given as the parts it is the sum of."""
    numeric: dict[str, NumericColumn] = {}
    categories: dict[str, list[ColumnDrift]] = {}
    for name, grid in reference.layout.grids.items():
        start, profile = reference.layout.offsets[name], reference.profiles[name]
        if isinstance(grid, NumericGrid) and isinstance(profile, NumericProfile):
            numeric[name] = NumericColumn(grid.points, start, profile)
        elif isinstance(profile, CategoryProfile):
            categories[name] = [
                _compare_categories(profile, *_categories(parts, name, start, start + grid.cells)) for parts in windows
            ]
    columns = list(numeric.values())
    compared = [dict(zip(numeric, found, strict=True)) for found in _compare_numeric(columns, windows, measure)]
    for at, found in enumerate(compared):
        found |= {name: of_windows[at] for name, of_windows in categories.items()}
    return [{name: found[name] for name in reference.layout.grids} for found in compared]


def _compare_numeric(
    columns: Sequence[NumericColumn], windows: Sequence[tuple[Distribution, ...]], measure: Measure
) -> list[list[ColumnDrift]]:
    """Return what is found of each column, window by window."""
    if not columns or not windows:
        return [[] for _ in windows]
    found = measure(columns, windows)
    places = zip(found.windows.tolist(), found.columns.tolist(), strict=True)
    statistics = dict(zip(places, _statistics(found), strict=True))

    def drift(window: int, column: int) -> ColumnDrift:
        own, place = statistics.get((window, column), {}), (window, column)
        outliers = int(found.outliers[place]) if columns[column].profile.rows else None
        return ColumnDrift(int(found.rows[place]), own, own.get("ks_pvalue"), outliers, None)

    return [[drift(window, column) for column in range(len(columns))] for window in range(len(windows))]


def _statistics(found: Measured) -> list[dict[str, float]]:
    """Return all statistics of the columns with distances; some of all at once, as a call costs more than a row."""
    reference, window = (np.diff(found.upto, prepend=0) / found.counted[:, :, None]).swapaxes(0, 1)
    joint = {name: divergence(reference, window) for name, divergence in DIVERGENCES.items()}
    values = {**found.statistics, **joint, "ks_pvalue": ks_pvalues(found.counted, found.below)}
    return [
        _finite(dict(zip(values, row, strict=True)))
        for row in zip(*map(np.ndarray.tolist, values.values()), strict=True)
    ]


def _categories(parts: Sequence[Distribution], name: str, start: int, end: int) -> tuple[IntArray, Unseen]:
    """Return what the parts have of a column that has these flat cells: counts of its categories, and of others."""
    counts = np.sum([part.dense(start, end)[0] for part in parts], axis=0)
    unseen = [part.unseen[name] for part in parts if name in part.unseen]
    return counts, Unseen.combine(unseen, limit=parts[0].limit)


def _compare_categories(profile: CategoryProfile, counts: IntArray, unseen: Unseen) -> ColumnDrift:
    rows = int(counts.sum()) + unseen.total
    if profile.constant or rows < MIN_ROWS:
        return ColumnDrift(rows, {}, None, None, unseen.total)
    strangers = np.array([*unseen.named.values(), unseen.rest], dtype=np.int64)
    union = np.stack([np.concatenate([profile.counts, np.zeros_like(strangers)]), np.concatenate([counts, strangers])])
    union = union[:, union.any(axis=0)]
    pair = CategoryPair(union[0], union[1])
    own = {name: statistic(pair) for name, statistic in CATEGORICAL.items()}
    found = _finite(own | {name: float(divergence(*pair.shares)[0]) for name, divergence in DIVERGENCES.items()})
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


def _finite(found: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None and isfinite(value)}

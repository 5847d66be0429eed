"""Every column of one window compared with the reference, and the verdict.

The statistics are in `statistics`; the tables of categories that the verdict is taken from are in `pooling`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, get_args

import numpy as np
from scipy import stats

from driftgauge.aggregates.distribution import Distribution, Unseen
from driftgauge.config import Drift
from driftgauge.grid import DOUBLE, NumericGrid
from driftgauge.pooling import CategoryCounts
from driftgauge.reference import CategoryProfile, NumericProfile, Reference
from driftgauge.rounding import coarsened
from driftgauge.schema import Kind
from driftgauge.statistics import TABLE, CategoryPair, NumericPair, Statistic

# Statistics are computed from this many rows on.
MIN_ROWS: Final = 2
# A reference is drawn once and meets every window, so the luck of few rows would flag a column for ever. From this many
# on, none moves D by 0.1; the fewer there are below, the more certain a shift has to be.
_ENOUGH_ROWS: Final = 1_000
# The rows of the table for each kind of column; of categories those that are effects, and these with their p-value.
_OF: Final[Mapping[Kind, Sequence[Statistic]]] = {
    kind: [row for row in TABLE if kind in row.kinds] for kind in get_args(Kind)
}
_EFFECTS: Final = [row for row in _OF["categorical"] if row.effect]
_JUDGED_BY: Final = [*_EFFECTS, *(row for row in _OF["categorical"] if row.name in {of.pvalue for of in TABLE})]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One test of a column: a p-value that holds at any shape, and the effects that it is of by key of `drift`."""

    pvalue: float
    effects: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One column of one window: `rows` present, its `statistics` by family suffix, and what it is judged by, if it is.

    known: rows of the reference. outliers: values outside the fences. unseen: categories the reference never had.
    """

    rows: int
    known: int
    statistics: Mapping[str, float]
    evidence: tuple[Evidence, ...]
    outliers: int | None
    unseen: int | None


def compare(reference: Reference, window: Distribution) -> dict[str, ColumnDrift]:
    """Compare every column of the layout, `OUTPUT` included, with what a window has on the same cells."""
    found: dict[str, ColumnDrift] = {}
    for name, grid in reference.layout.grids.items():
        start, profile = reference.layout.offsets[name], reference.profiles[name]
        counts, sums = window.dense(start, start + grid.cells)
        if isinstance(grid, NumericGrid) and isinstance(profile, NumericProfile):
            bits = window.precision.get(name, DOUBLE)
            pair = (grid, profile, counts, sums)
            found[name] = _numeric(NumericPair(*(coarsened(*pair, bits=bits) if bits < DOUBLE else pair)))
        elif isinstance(profile, CategoryProfile):
            found[name] = _categorical(CategoryCounts(profile, counts, window.unseen.get(name, Unseen({}))))
    return found


def _numeric(pair: NumericPair) -> ColumnDrift:
    profile, counts = pair.profile, pair.counts
    outliers = int(counts[: profile.low].sum() + counts[profile.high + 1 :].sum()) if profile.rows else None
    if profile.rows < MIN_ROWS or pair.rows < MIN_ROWS:
        return ColumnDrift(pair.rows, profile.rows, {}, (), outliers, None)
    statistics = _statistics(_OF["numeric"], pair)
    return ColumnDrift(pair.rows, profile.rows, statistics, (_evidence(statistics),), outliers, None)


def _categorical(column: CategoryCounts) -> ColumnDrift:
    known, unseen = column.profile.rows, column.unseen.total
    if known < MIN_ROWS or column.rows < MIN_ROWS:
        return ColumnDrift(column.rows, known, {}, (), None, unseen)
    statistics = _statistics(_OF["categorical"], column.union())
    risen, pvalue = column.risen()
    evidence = (
        _evidence(_statistics(_JUDGED_BY, column.pooled())),
        Evidence(pvalue, _effects(_statistics(_EFFECTS, risen))),
    )
    return ColumnDrift(column.rows, known, statistics, evidence, None, unseen)


def _statistics(rows: Sequence[Statistic], pair: NumericPair | CategoryPair) -> dict[str, float]:
    """Return the statistics of these rows of the table that are defined, by family suffix."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = {row.name: row.of(pair) for row in rows}
    return {name: value for name, value in found.items() if isfinite(value)}


def _evidence(statistics: Mapping[str, float]) -> Evidence:
    pvalue = next(statistics[row.pvalue] for row in TABLE if row.pvalue and row.pvalue in statistics)
    return Evidence(pvalue, _effects(statistics))


def _effects(statistics: Mapping[str, float]) -> dict[str, float]:
    return {row.effect: statistics[row.name] for row in TABLE if row.effect and row.name in statistics}


def flags(columns: Mapping[str, ColumnDrift], drift: Drift, *, level: float | None = None) -> dict[str, bool]:
    """Return which columns drifted, of those with enough rows to be judged; the others have no verdict.

    By default a column must have moved far (effect) and not by luck (significance, corrected over these columns).
    level: takes the place of the significance, as of a yearly budget (`estimate.budget`).
    """
    judged = {
        name: _pvalue(column, drift)
        for name, column in columns.items()
        if column.rows >= drift.min_samples and column.evidence
    }
    values = list(judged.values())
    corrected = drift.rule != "significance" and drift.correction == "benjamini-hochberg"
    adjusted = benjamini_hochberg(values) if corrected else values
    significance = drift.significance if level is None else level
    return {name: pvalue < significance for name, pvalue in zip(judged, adjusted, strict=True)}


def _pvalue(column: ColumnDrift, drift: Drift) -> float:
    """Return the p-value of a column that is tested in several ways, by Bonferroni; 1 where no effect is large."""
    tests, plain = len(column.evidence), drift.rule == "significance"
    counting = [tests * one.pvalue for one in column.evidence if plain or _is_large(one, drift)]
    doubt = 1.0 if plain else max(1.0, _ENOUGH_ROWS / column.known)
    return min([1.0, *(doubt * pvalue for pvalue in counting)])


def benjamini_hochberg(pvalues: Sequence[float]) -> list[float]:
    """Adjust p-values for the false discovery rate (Benjamini and Hochberg, 1995)."""
    return [float(p) for p in stats.false_discovery_control(pvalues, method="bh")] if len(pvalues) else []


def _is_large(evidence: Evidence, drift: Drift) -> bool:
    return any(value >= getattr(drift, effect) for effect, value in evidence.effects.items())

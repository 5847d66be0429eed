"""Every column of one window compared with the reference, and the verdict; the statistics are in `statistics`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np
from scipy import stats

from driftgauge.aggregates.distribution import Distribution, Unseen
from driftgauge.columns import IntArray
from driftgauge.config import Drift
from driftgauge.grid import DOUBLE, NumericGrid
from driftgauge.reference import CategoryProfile, NumericProfile, Reference
from driftgauge.rounding import coarsened
from driftgauge.schema import Kind
from driftgauge.statistics import TABLE, CategoryPair, NumericPair

# Statistics are computed from this many rows on.
MIN_ROWS: Final = 2


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
            found[name] = _categorical(profile, counts, window.unseen.get(name, Unseen({})))
    return found


def _numeric(pair: NumericPair) -> ColumnDrift:
    profile, counts = pair.profile, pair.counts
    outliers = int(counts[: profile.low].sum() + counts[profile.high + 1 :].sum()) if profile.rows else None
    if profile.constant or pair.rows < MIN_ROWS:
        return ColumnDrift(pair.rows, {}, None, outliers, None)
    statistics = _statistics("numeric", pair)
    return ColumnDrift(pair.rows, statistics, _pvalue(statistics), outliers, None)


def _categorical(profile: CategoryProfile, counts: IntArray, unseen: Unseen) -> ColumnDrift:
    rows = int(counts.sum()) + unseen.total
    if profile.constant or rows < MIN_ROWS:
        return ColumnDrift(rows, {}, None, None, unseen.total)
    strangers = np.array([*unseen.named.values(), unseen.rest], dtype=np.int64)
    union = np.stack([np.concatenate([profile.counts, np.zeros_like(strangers)]), np.concatenate([counts, strangers])])
    union = union[:, union.any(axis=0)]
    statistics = _statistics("categorical", CategoryPair(union[0], union[1]))
    return ColumnDrift(rows, statistics, _pvalue(statistics), None, unseen.total)


def _statistics(kind: Kind, pair: NumericPair | CategoryPair) -> dict[str, float]:
    """Return the statistics that are defined, by family suffix."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = {row.name: row.of(pair) for row in TABLE if kind in row.kinds}
    return {name: value for name, value in found.items() if value is not None and isfinite(value)}


def _pvalue(statistics: Mapping[str, float]) -> float | None:
    return next((statistics[row.pvalue] for row in TABLE if row.pvalue and row.pvalue in statistics), None)


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
        column.statistics[row.name] >= getattr(drift, row.effect)
        for row in TABLE
        if row.effect is not None and row.name in column.statistics
    )

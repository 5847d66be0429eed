"""The distribution of numeric features itself, in the bins of PSI, for those who ask for it."""

from collections.abc import Sequence

import numpy as np

from driftgauge.aggregates.distribution import Distribution
from driftgauge.columns import FloatArray, IntArray
from driftgauge.grid import NumericGrid
from driftgauge.reference import NumericProfile, Reference
from driftgauge.samples import HistogramSample
from driftgauge.snapshot.board import Board


def put_bins(board: Board, reference: Reference, window: Distribution, features: Sequence[str]) -> None:
    """Add the shares of window and reference in each bin of each numeric feature that both have values of.

    The bounds are the inner edges of the bins; the sum is the mean, as if there were one row in all.
    """
    for name in features:
        grid, profile = reference.layout.grids.get(name), reference.profiles.get(name)
        if not isinstance(grid, NumericGrid) or not isinstance(profile, NumericProfile):
            continue
        start = reference.layout.offsets[name]
        counts, sums = window.dense(start, start + grid.cells)
        rows = int(counts.sum())
        if not rows or not profile.rows:
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            mean = grid.center + float(sums.sum() / rows)
        bounds = tuple(grid.points[(profile.bin_ends - 1) // 2].tolist())
        for kind, ends, center in (("window", counts.cumsum(), mean), ("reference", profile.ends, profile.mean)):
            if np.isfinite(center):
                sample = HistogramSample((name, kind), bounds, _shares(ends, profile.bin_ends), float(center))
                board.take({"model_feature_distribution": [sample]})


def _shares(ends: "IntArray | np.ndarray", last: IntArray) -> tuple[float, ...]:
    """Return the share of rows in each bin, from how many lie up to the end of each cell."""
    counts: FloatArray = np.diff(ends[np.append(last, len(ends) - 1)], prepend=0)
    return tuple((counts / ends[-1]).tolist())

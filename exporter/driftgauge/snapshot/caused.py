"""Which features' mix moved the expected loss: a window's counts, weighed with the reference's losses."""

from collections.abc import Iterator

import numpy as np

from driftgauge.aggregates.distribution import Distribution, Unseen
from driftgauge.columns import FloatArray, IntArray
from driftgauge.drift import MIN_ROWS
from driftgauge.estimate.causes import CellLosses, impact
from driftgauge.grid import DOUBLE, NumericGrid, in_precision
from driftgauge.reference import CategoryProfile, NumericProfile, Reference
from driftgauge.rounding import coarsened
from driftgauge.signals.causes import learned_of
from driftgauge.statistics import NumericPair

# Shares of reference and window, and the mean losses (m, c) of the same cells.
_Weighed = tuple[FloatArray, FloatArray, FloatArray]


def impacts(reference: Reference, window: Distribution) -> Iterator[tuple[str, str, float]]:
    """Yield feature, metric, and by how much the loss of that metric is expected to rise since the feature moved.

    Values that are missing do not count, as in PSI. A category that the reference never had is expected to have the
    mean loss of all rows.
    """
    metrics, features = learned_of(reference)
    for name, losses in features.items():
        profile = reference.profiles[name]
        if losses.rows.sum() < MIN_ROWS or profile.rows < MIN_ROWS:
            continue
        found = (
            _of_numbers(reference, name, losses, window)
            if isinstance(profile, NumericProfile)
            else _of_categories(reference, name, profile, losses, window)
        )
        if found is not None:
            yield from ((name, metric, float(value)) for metric, value in zip(metrics, impact(*found), strict=True))


def _counts(reference: Reference, name: str, window: Distribution) -> tuple[IntArray, FloatArray]:
    start = reference.layout.offsets[name]
    return window.dense(start, start + reference.layout.grids[name].cells)


def _of_numbers(reference: Reference, name: str, losses: CellLosses, window: Distribution) -> _Weighed | None:
    grid, profile = reference.layout.grids[name], reference.profiles[name]
    counts, sums = _counts(reference, name, window)
    if not isinstance(grid, NumericGrid) or not isinstance(profile, NumericProfile) or counts.sum() < MIN_ROWS:
        return None
    bits = window.precision.get(name, DOUBLE)
    pair = NumericPair(grid, profile, counts, sums)
    if bits < DOUBLE:
        # Bins whose ends become one value in fewer bits become one.
        ends = in_precision(grid.points[(profile.bin_ends - 1) // 2], bits)
        group = np.unique(ends, return_inverse=True)[1]
        losses = losses.joined(np.append(group, group.max(initial=-1) + 1))
        pair = NumericPair(*coarsened(grid, profile, counts, sums, bits=bits))
    return *pair.shares, losses.means()


def _of_categories(
    reference: Reference, name: str, profile: CategoryProfile, losses: CellLosses, window: Distribution
) -> _Weighed | None:
    counts, _ = _counts(reference, name, window)
    now = np.append(counts, window.unseen.get(name, Unseen({})).total)
    if now.sum() < MIN_ROWS:
        return None
    means = np.concatenate([losses.means(), losses.mean[:, None]], axis=1)
    return np.append(profile.counts / profile.rows, 0.0), now / now.sum(), means

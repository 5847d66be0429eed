"""Mean loss of the reference in each bin and category of its features: what impacts are computed from.

Nothing is folded for it: the counts of `distribution` say how often each bin and category is met now.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from driftgauge.aggregates.distribution import Distribution
from driftgauge.columns import Columns, FloatArray, IntArray, TextArray
from driftgauge.config import ModelConfig
from driftgauge.estimate.causes import CellLosses
from driftgauge.estimate.losses import METRICS, losses, unlearnable
from driftgauge.grid import DOUBLE, CategoryGrid, NumericGrid
from driftgauge.reference import NumericProfile, Reference
from driftgauge.signals.signal import Learned, Signal

NAME: Final = "causes"


def learn(chunks: Sequence[Columns], reference: Reference, model: ModelConfig) -> Learned:
    """Return the losses of each feature by name; or, as `reason`, why there are none."""
    found = np.concatenate([losses(chunk) for chunk in chunks])
    if reason := unlearnable(chunks, found):
        return {"reason": reason}
    known = np.isfinite(found)
    # One after the other: mean absolute error, and its square.
    powers = np.arange(1.0, len(METRICS[model.task]) + 1)
    with np.errstate(over="ignore"):
        of_metrics = found[known] ** powers[:, None]
    features = {
        name: CellLosses.of(cells[known], of_metrics, count).to_state()
        for name, cells, count in _located(chunks, reference)
    }
    return {"metrics": METRICS[model.task], "features": features}


def learned_of(reference: Reference) -> tuple[Sequence[str], Mapping[str, CellLosses]]:
    """Return the metrics that losses are of, and the losses by feature; nothing where none were learned."""
    learned = reference.learned.get(NAME, {})
    features = learned.get("features", {})
    return learned.get("metrics", ()), {name: CellLosses.from_state(state) for name, state in features.items()}


def _located(chunks: Sequence[Columns], reference: Reference) -> Iterator[tuple[str, IntArray, int]]:
    """Yield each feature with the cell of each row (n,), -1 where the value is missing, and the number of cells."""
    for name in reference.features:
        grid, profile = reference.layout.grids[name], reference.profiles[name]
        if isinstance(grid, NumericGrid) and isinstance(profile, NumericProfile):
            parts = [_bins(chunk, name, grid, profile) for chunk in chunks]
            yield name, np.concatenate(parts), len(profile.bin_ends) + 1
        elif isinstance(grid, CategoryGrid):
            parts = [_categories(chunk.categories.get(name), grid, len(chunk)) for chunk in chunks]
            yield name, np.concatenate(parts), grid.cells


def _bins(rows: Columns, name: str, grid: NumericGrid, profile: NumericProfile) -> IntArray:
    values: FloatArray = rows.numbers.get(name, np.full(len(rows), np.nan))
    present = np.isfinite(values)
    found = np.full(len(rows), -1, np.int64)
    bits = rows.facts.precision.get(name, DOUBLE)
    found[present] = profile.bin_ends.searchsorted(grid.locate(grid.rounded(values[present], bits)))
    return found


def _categories(text: TextArray | None, grid: CategoryGrid, rows: int) -> IntArray:
    if text is None:
        return np.full(rows, -1, np.int64)
    encoded = text.dictionary_encode()
    positions = [grid.positions.get(name, -1) for name in encoded.dictionary.to_pylist()]
    # The last stands for null, which is filled with it.
    at = encoded.indices.fill_null(len(positions)).to_numpy(zero_copy_only=False)
    found: IntArray = np.array([*positions, -1], np.int64)[at]
    return found


# Nothing is fitted, so nothing is folded; panes never have it.
SIGNAL: Final = Signal(NAME, "predictions", Distribution, lambda _: None, learn=learn)

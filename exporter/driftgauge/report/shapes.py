"""Reference against window, one column at a time, as few numbers as a small picture needs.

Numbers become shares of rows in bins of equal width, from the counts on the grid; few distinct numbers and categories
become shares by value. A category is called by its name only where `FEW_ROWS` rows of reference or window have it: a
rarer one may be a person's, and stands among the others.
"""

from typing import Any, Final

import numpy as np

from driftgauge.aggregates.distribution import Distribution, Unseen
from driftgauge.columns import FloatArray, IntArray
from driftgauge.grid import CategoryGrid, NumericGrid
from driftgauge.reference import CategoryProfile, NumericProfile, Reference

BINS: Final = 40
FEW_VALUES: Final = 12
FEW_ROWS: Final = 20
# Rows beyond these quantiles, of both sides, are in no bin: one outlier would leave all others in a single bin.
_TAIL: Final = 0.005
# Characters of a category's name.
_MOST_NAME: Final = 60
OTHERS: Final = "all others"
UNSEEN: Final = "not in the reference"


def shape_of(reference: Reference, name: str, window: Distribution | None) -> dict[str, Any] | None:
    """Return shares of reference and window in bins (`edges`) or by value (`labels`), None without any reference rows.

    beyond: shares that are in no bin. The window's are None without rows.
    """
    grid, profile = reference.layout.grids.get(name), reference.profiles.get(name)
    if grid is None or profile is None or not profile.rows:
        return None
    start = reference.layout.offsets[name]
    counts, sums = window.dense(start, start + grid.cells) if window else (np.zeros(grid.cells, np.int64), None)
    if isinstance(grid, NumericGrid) and isinstance(profile, NumericProfile):
        return _of_numbers(grid, profile, counts, np.zeros(grid.cells) if sums is None else sums)
    if isinstance(grid, CategoryGrid) and isinstance(profile, CategoryProfile):
        unseen = window.unseen.get(name, Unseen({})) if window else Unseen({})
        return _of_categories(grid, profile, counts, unseen)
    return None


def _of_numbers(grid: NumericGrid, profile: NumericProfile, counts: IntArray, sums: FloatArray) -> dict[str, Any]:
    own = np.diff(profile.ends, prepend=np.int32(0)).astype(np.int64)
    places, means = _places(grid), _places(grid)
    inside = counts > 0
    with np.errstate(over="ignore", invalid="ignore"):
        means[inside] = grid.center + sums[inside] / counts[inside]
    finite = np.isfinite(means)
    sides = ((places, own), (means[finite], counts[finite]))
    values = np.unique(np.concatenate([at[number > 0] for at, number in sides]))
    if len(values) <= FEW_VALUES:
        labels = [f"{value:.6g}" for value in values.tolist()]
        bars = [[float(number[at == value].sum()) for value in values.tolist()] for at, number in sides]
        return _shape({"labels": labels}, bars)
    low = min(_quantile(at, number, _TAIL) for at, number in sides if number.any())
    high = max(_quantile(at, number, 1 - _TAIL) for at, number in sides if number.any())
    if not np.isfinite(high - low) or high <= low:
        low, high = float(values[0] / 2 + values[-1] / 2), float(values[0] / 2 + values[-1] / 2)
    edges = np.linspace(low, high, BINS + 1) if high > low else np.array([low, np.nextafter(low, np.inf)])
    bins = [np.histogram(at, edges, weights=number)[0].tolist() for at, number in sides]
    return _shape({"edges": [float(f"{edge:.6g}") for edge in edges.tolist()]}, bins, [own.sum(), counts.sum()])


def _places(grid: NumericGrid) -> FloatArray:
    """Return where the values of each cell (2 G + 1,) are shown: at its point, or in the middle between two."""
    points = grid.points
    found = np.empty(grid.cells)
    found[1::2] = points
    found[0], found[-1] = points[0], points[-1]
    found[2:-1:2] = points[:-1] / 2 + points[1:] / 2
    return found


def _quantile(at: FloatArray, counts: IntArray, share: float) -> float:
    order = np.argsort(at, kind="stable")
    ends = counts[order].cumsum()
    return float(at[order][ends.searchsorted(share * ends[-1])])


def _of_categories(grid: CategoryGrid, profile: CategoryProfile, counts: IntArray, unseen: Unseen) -> dict[str, Any]:
    known = {name: (int(profile.counts[at]), int(counts[at])) for at, name in enumerate(grid.categories)}
    strangers = {name: (0, count) for name, count in unseen.named.items()}
    ranked = sorted((known | strangers).items(), key=lambda item: (-max(item[1][0] / profile.rows,
                    item[1][1] / max(1, int(counts.sum()) + unseen.total)), item[0]))  # fmt: skip
    named = [item for item in ranked if max(item[1]) >= FEW_ROWS][:FEW_VALUES]
    shown = {name for name, _ in named}
    others = [(int(profile.counts[-1]), int(counts[-1])), *(pair for name, pair in known.items() if name not in shown)]
    others += [(0, unseen.total - sum(pair[1] for name, pair in strangers.items() if name in shown))]
    rest = tuple(sum(pair[side] for pair in others) for side in (0, 1))
    bars = [[float(pair[side]) for _, pair in named] + ([float(rest[side])] if any(rest) else []) for side in (0, 1)]
    labels = [_cut(name) for name, _ in named] + ([OTHERS] if any(rest) else [])
    new = [name in strangers for name, _ in named] + ([False] if any(rest) else [])
    return _shape({"labels": labels, "unseen": new}, bars)


def _cut(name: str) -> str:
    return name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 1]}…"


def _shape(axis: dict[str, Any], counts: list[list[float]], totals: list[Any] | None = None) -> dict[str, Any]:
    """Return shares of both sides, rounded for a picture."""
    of = [float(total) for total in totals] if totals is not None else [sum(side) for side in counts]
    reference, window = (
        [round(count / total, 5) for count in side] if total else None for side, total in zip(counts, of, strict=True)
    )
    beyond = [
        max(0.0, round(1 - sum(side) / total, 5)) if total else None for side, total in zip(counts, of, strict=True)
    ]
    return {**axis, "reference": reference, "window": window, "beyond": {"reference": beyond[0], "window": beyond[1]}}

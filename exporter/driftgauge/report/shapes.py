"""Reference against window, one column at a time, as few numbers as a small picture needs.

Numbers become shares of rows in bins of equal width, from the counts on the grid, and in two more for all that is
beyond; few distinct numbers and categories become shares by value. A category is called by its name only where
`FEW_ROWS` rows of reference or window have it: a rarer one may be a person's, and stands among the others.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from driftgauge.aggregates.distribution import Distribution, Unseen
from driftgauge.columns import FloatArray, IntArray
from driftgauge.grid import CategoryGrid, NumericGrid
from driftgauge.reference import CategoryProfile, NumericProfile, Reference

BINS: Final = 40
FEW_VALUES: Final = 12
FEW_ROWS: Final = 20
# The outermost bins begin at these quantiles of the reference: one outlier would leave all others in a single bin. And
# beyond its largest value nothing is known of where values of the window lie.
_TAIL: Final = 0.005
# Characters of a category's name.
_MOST_NAME: Final = 60
OTHERS: Final = "all others"
OTHER: Final = "other values"


def shape_of(reference: Reference, name: str, window: Distribution | None) -> dict[str, Any] | None:
    """Return shares of reference and window by bin or by value, None without any reference rows.

    With `edges` (b + 1,) there are b + 2 shares: the first and the last are of all values below and above these. With
    `labels` there is a share for each. The window's are None without rows.
    """
    grid, profile = reference.layout.grids.get(name), reference.profiles.get(name)
    if grid is None or profile is None or not profile.rows:
        return None
    start = reference.layout.offsets[name]
    counts = window.dense(start, start + grid.cells)[0] if window else np.zeros(grid.cells, np.int64)
    if isinstance(grid, NumericGrid) and isinstance(profile, NumericProfile):
        return _of_numbers(grid, profile, counts)
    if isinstance(grid, CategoryGrid) and isinstance(profile, CategoryProfile):
        unseen = window.unseen.get(name, Unseen({})) if window else Unseen({})
        return _of_categories(grid, profile, counts, unseen)
    return None


def _of_numbers(grid: NumericGrid, profile: NumericProfile, counts: IntArray) -> dict[str, Any]:
    own = np.diff(profile.ends, prepend=np.int32(0)).astype(np.int64)
    occupied = np.flatnonzero(own)
    # Cells with an odd number are points, the values of which are known.
    if len(occupied) <= FEW_VALUES and (occupied % 2).all():
        labels = [f"{value:.6g}" for value in grid.points[occupied // 2].tolist()]
        return _by_value(labels, own[occupied].tolist(), counts[occupied].tolist(), rows=int(counts.sum()))
    places = _places(grid)
    low, high = (places[profile.ends.searchsorted(share * profile.rows)] for share in (_TAIL, 1 - _TAIL))
    # Evenly spaced also where their distance is no number.
    part = np.linspace(0, 1, BINS + 1)
    edges = low * (1 - part) + high * part
    # What is at an edge is in the bin that begins there, as the last edge in the last bin.
    at = np.where(places == high, BINS, edges.searchsorted(places, side="right"))
    at[0], at[-1] = 0, BINS + 1
    bins = [np.bincount(at, side, BINS + 2).tolist() for side in (own, counts)]
    return {"edges": [float(f"{edge:.6g}") for edge in edges.tolist()], **_shares(*bins)}


def _places(grid: NumericGrid) -> FloatArray:
    """Return where the values of each cell (2 G + 1,) are shown: at its point, or in the middle between two.

    Of the outermost cells nothing is known but that their values are beyond all points.
    """
    points = grid.points
    found = np.empty(grid.cells)
    found[1::2] = points
    found[0], found[-1] = points[0], points[-1]
    found[2:-1:2] = points[:-1] / 2 + points[1:] / 2
    return found


def _of_categories(grid: CategoryGrid, profile: CategoryProfile, counts: IntArray, unseen: Unseen) -> dict[str, Any]:
    known = {name: (int(profile.counts[at]), int(counts[at])) for at, name in enumerate(grid.categories)}
    strangers = {name: (0, count) for name, count in unseen.named.items()}
    rows = max(1, int(counts.sum()) + unseen.total)
    ranked = sorted((max(own / profile.rows, now / rows), name) for name, (own, now) in (known | strangers).items())
    of_each = {name: (known | strangers)[name] for _, name in reversed(ranked)}
    named = [item for item in of_each.items() if max(item[1]) >= FEW_ROWS][:FEW_VALUES]
    shown = {name for name, _ in named}
    others = [(int(profile.counts[-1]), int(counts[-1])), *(pair for name, pair in known.items() if name not in shown)]
    others += [(0, unseen.total - sum(pair[1] for name, pair in strangers.items() if name in shown))]
    rest = tuple(sum(pair[side] for pair in others) for side in (0, 1))
    labels, sides = [_cut(name) for name, _ in named], [[pair[side] for _, pair in named] for side in (0, 1)]
    shape: dict[str, Any] = {"labels": labels, "unseen": [name in strangers for name, _ in named]}
    if any(rest):
        shape = {"labels": [*labels, OTHERS], "unseen": [*shape["unseen"], False]}
        sides = [[*side, count] for side, count in zip(sides, rest, strict=True)]
    return {**shape, **_shares(*sides)}


def _cut(name: str) -> str:
    return name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 1]}…"


def _by_value(labels: list[str], own: list[int], now: list[int], *, rows: int) -> dict[str, Any]:
    """Return shares by value; rows: of the window in all, also those with a value that the reference does not have."""
    if rows > sum(now):
        labels, own, now = [*labels, OTHER], [*own, 0], [*now, rows - sum(now)]
    return {"labels": labels, **_shares(own, now)}


def _shares(own: Sequence[float], now: Sequence[float]) -> dict[str, list[float] | None]:
    """Return shares of both sides, rounded for a picture; None of a side without rows."""
    reference, window = ([round(count / sum(side), 5) for count in side] if sum(side) else None for side in (own, now))
    return {"reference": reference, "window": window}

"""Time: which pane a row belongs to, which panes a window covers, and when a pane may go.

A window of length W ending at t is the sum of its panes from floor(t, pane) - W to t. Panes are aligned to
UTC, and each window has its own pane length: the longest of a fixed ladder that divides W at least 24 times.

A row a little ahead of the clock (up to `AHEAD`) goes to the pane of its own time, but in a part of it that
counts only once the clock has reached it. So no window ever shows a row from after its end.

Times of rows are int64 microseconds since 1970 UTC; panes and windows count whole seconds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from driftgauge.columns import BoolArray, IntArray
from driftgauge.config import Window

MICROSECONDS: Final = 1_000_000
# How far ahead of the clock a row may be before it is rejected as `future_timestamp`.
AHEAD: Final = 300 * MICROSECONDS
_AHEAD_STEP: Final = 60
_LADDER: Final = (86400, 43200, 28800, 21600, 14400, 10800, 7200, 3600, 1800, 1200, 900, 600, 300, 120, 60, 30, 20, 15)
_FALLBACKS: Final = (10, 5, 2, 1)

P = TypeVar("P")


@dataclass(frozen=True, slots=True, order=True)
class PaneKey:
    """A pane of one version and window: `start` in seconds; nothing in it counts before `visible` (seconds, or 0).

    rebuilt: the pane holds outcomes joined from label files, which a corrected label replaces as a whole.
    """

    version: str
    window: str
    start: int
    visible: int = 0
    rebuilt: bool = False


def pane_length(window: Window) -> int:
    """Return the length in seconds of the panes of a window: it divides the window, at least 24 times."""
    return next(
        length
        for length in (*_LADDER, *_FALLBACKS)
        if (window.seconds % length == 0 and length * 24 <= window.seconds) or length == 1
    )


def first_second(window: Window, now: int) -> int:
    """Return the start of the window that ends at `now` (µs), in seconds."""
    pane = pane_length(window)
    return now // MICROSECONDS // pane * pane - window.seconds


def covers(window: Window, key: PaneKey, now: int) -> bool:
    """Whether the window ending at `now` (µs) counts this pane."""
    seconds = now // MICROSECONDS
    return first_second(window, now) <= key.start <= seconds and key.visible <= seconds


def expired(window: Window, key: PaneKey, now: int) -> bool:
    """Whether no window of this length ending at `now` (µs) or later will count this pane again."""
    return key.start < first_second(window, now)


def is_future(time: IntArray, now: int) -> BoolArray:
    """Return which times (n,) are too far ahead of the clock to be believed."""
    return time > now + AHEAD


def groups(
    version: "np.ndarray[tuple[int], np.dtype[np.object_]]", time: IntArray, window: Window, now: int
) -> Iterator[tuple[PaneKey, IntArray]]:
    """Split rows by the pane of `window` they belong to: each key with the positions of its rows.

    version: (n,) text; time: (n,) µs. Rows older than the window ending at `now` belong to none.
    """
    pane = pane_length(window)
    seconds = time // MICROSECONDS
    start = seconds // pane * pane
    # Rounded up to whole minutes, so that skewed clocks cost a handful of panes and not one each.
    visible = np.where(time > now, -(-time // (MICROSECONDS * _AHEAD_STEP)) * _AHEAD_STEP, 0)
    rows = np.flatnonzero(start >= first_second(window, now))
    if not len(rows):
        return
    names, codes = np.unique(version[rows].astype(str), return_inverse=True)
    order = np.lexsort((visible[rows], start[rows], codes))
    rows, codes = rows[order], codes[order]
    stacked = np.stack([codes, start[rows], visible[rows]])
    breaks = np.flatnonzero(np.any(np.diff(stacked, axis=1) != 0, axis=0)) + 1
    for part in np.split(np.arange(len(rows)), breaks):
        first = part[0]
        key = PaneKey(str(names[codes[first]]), window.name, int(start[rows[first]]), int(visible[rows[first]]))
        yield key, rows[part]


def visible_panes(panes: Mapping[PaneKey, P], window: Window, now: int) -> dict[str, list[P]]:
    """Return, by version, the panes that the window ending at `now` (µs) is the sum of.

    They come in the order of their keys, so that floating-point sums do not depend on the order of arrival.
    """
    found: dict[str, list[P]] = {}
    for key in sorted(key for key in panes if key.window == window.name and covers(window, key, now)):
        found.setdefault(key.version, []).append(panes[key])
    return found

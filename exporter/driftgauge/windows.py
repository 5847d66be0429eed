"""Time: which pane a row belongs to, which panes a window covers, and when panes are joined or may go.

A window of length W ending at t is the sum of the panes from floor(t, pane) - W to t, where `pane` is the longest of a
fixed list of lengths that divides W at least 24 times. Panes are aligned to UTC, and the pane of a window is a
multiple of the pane of every shorter window. So a row is counted once, in a fine pane while a short window needs it
there; once all short windows start after a coarse pane, the fine panes in it are joined to one. A tier is all panes of
one length.

A row a little ahead of the clock (up to `AHEAD`) goes to a pane of its own time that counts only once the clock has
reached it. So no window ever shows a row from after its end.

Times of rows are int64 microseconds since 1970 UTC; panes and windows count whole seconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Final, Self

import numpy as np

from driftgauge.columns import BoolArray, IntArray
from driftgauge.config import Window

MICROSECONDS: Final = 1_000_000
# How far ahead of the clock a row may be before it is rejected as `future_timestamp`.
AHEAD: Final = 300 * MICROSECONDS
_AHEAD_STEP: Final = 60
_TOO_OLD: Final = 0
_LENGTHS: Final = (
    *(86400, 43200, 28800, 21600, 14400, 10800, 7200, 3600, 1800, 1200, 900, 600, 300, 120, 60, 30, 20, 15),
    *(10, 5, 2, 1),
)
# A pane is joined from at most this many shorter ones; where two tiers differ more there is another between them.
_MOST_JOINED: Final = 60


@dataclass(frozen=True, slots=True, order=True)
class PaneKey:
    """A pane of one version: `start` and `length` in seconds; nothing in it counts before `visible` (seconds, or 0).

    rebuilt: the pane holds outcomes joined from label files, which a corrected label replaces as a whole.
    segment: the rows that it holds, "" for all of them.
    part: a pane is the sum of its parts, numbered from 0, so that adding a few rows does not rewrite all of it.
    """

    version: str
    start: int
    length: int
    visible: int = 0
    rebuilt: bool = False
    part: int = 0
    segment: str = ""


def is_future(time: IntArray, now: int, *, ahead: int = AHEAD) -> BoolArray:
    """Return which times (n,) are more than `ahead` (µs) after the clock."""
    return time > now + ahead


@dataclass(frozen=True)
class Tiers:
    """The tiers that a set of windows needs.

    lengths: of the tiers' panes in seconds, ascending, each dividing the next. panes: by the length of a window in
    seconds, ascending, the length of its panes, which is one of `lengths`.
    """

    lengths: tuple[int, ...]
    panes: Mapping[int, int]

    @classmethod
    def of(cls, windows: Sequence[Window]) -> Self:
        """Return the tiers of at least one window."""
        panes: dict[int, int] = {}
        coarser = 0
        for window in sorted({window.seconds for window in windows}, reverse=True):
            coarser = _pane_length(window, coarser)
            panes[window] = coarser
        lengths = sorted(set(panes.values()))
        between = (_lengths_between(*pair) for pair in pairwise(lengths))
        return cls(tuple(sorted({*lengths, *chain.from_iterable(between)})), dict(sorted(panes.items())))

    @property
    def longest(self) -> int:
        """How far back from the clock rows can count, in seconds."""
        window, pane = list(self.panes.items())[-1]
        return window + pane

    def first_second(self, window: Window, now: int) -> int:
        """Return the start of the window that ends at `now` (µs), in seconds."""
        pane = self.panes[window.seconds]
        return now // MICROSECONDS // pane * pane - window.seconds

    def ends(self, now: int) -> tuple[int, ...]:
        """Return for each tier the second before which it has no rows: the next tier has them, or none after the last.

        Rows move to the next tier once the window of this one has left them, in whole panes of the next tier.
        """
        seconds = now // MICROSECONDS
        found = []
        for length, coarser in zip(self.lengths, (*self.lengths[1:], 1), strict=True):
            window, pane = max(item for item in self.panes.items() if item[1] <= length)
            found.append((seconds // pane * pane - window) // coarser * coarser)
        return tuple(found)

    def groups(
        self, names: Sequence[str], versions: IntArray, time: IntArray, now: int
    ) -> Iterator[tuple[PaneKey, IntArray]]:
        """Split rows by the pane they belong to as of `now`: each key with the positions of its rows, in their order.

        versions: (n,) positions in `names`; time: (n,) µs. Rows older than every window belong to no pane.
        """
        seconds = time // MICROSECONDS
        length = np.full(len(time), self.lengths[0])
        for coarser, end in zip((*self.lengths[1:], _TOO_OLD), self.ends(now), strict=True):
            length[seconds < end] = coarser
        rows = np.flatnonzero(length != _TOO_OLD)
        if not len(rows):
            return
        length, seconds = length[rows], seconds[rows]
        start = np.empty_like(seconds)
        for tier in self.lengths:
            # Dividing by one number is much faster than by an array of them.
            np.floor_divide(seconds, tier, out=start, where=length == tier)
        keys = np.stack([versions[rows], start * length, length, _visible_from(time[rows], now)])
        # Rows of one pane mostly follow each other, so that whole runs of them are sorted rather than rows.
        firsts = np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0)) + 1
        firsts = np.concatenate([[0], firsts])
        runs = np.split(rows, firsts[1:])
        order = np.lexsort(keys[::-1, firsts])
        keys = keys[:, firsts[order]]
        breaks = np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0)) + 1
        for first, end in pairwise([0, *breaks.tolist(), len(order)]):
            version, *rest = keys[:, first].tolist()
            yield PaneKey(names[version], *rest), np.concatenate([runs[run] for run in order[first:end]])

    def visible(self, keys: Iterable[PaneKey], window: Window, now: int) -> list[PaneKey]:
        """Return the panes, in order, that the window ending at `now` (µs) is the sum of."""
        seconds, start, pane = now // MICROSECONDS, self.first_second(window, now), self.panes[window.seconds]
        return sorted(
            key for key in keys if start <= key.start <= seconds and key.visible <= seconds and key.length <= pane
        )

    def outgrown(self, keys: Iterable[PaneKey], now: int) -> dict[PaneKey, PaneKey | None]:
        """Return the panes to replace at `now`: each with the longer pane it is joined to, or None when it can go."""
        ends, seconds = self.ends(now), now // MICROSECONDS
        found: dict[PaneKey, PaneKey | None] = {}
        for key in keys:
            tier = sum(key.start < end for end in ends)
            length = self.lengths[tier] if tier < len(ends) else 0
            if not length:
                found[key] = None
            elif length > key.length and key.visible <= seconds:
                found[key] = replace(key, start=key.start // length * length, length=length, visible=0, part=0)
        return found

    def fits(self, key: PaneKey) -> bool:
        """Whether a pane made for other windows can be counted in these: its length divides that of a tier."""
        return any(length % key.length == 0 for length in self.lengths)


def _visible_from(time: IntArray, now: int) -> IntArray:
    """Return for rows ahead of the clock the second (n,) from which they count, and 0 for the others.

    Rounded up to whole minutes, so that skewed clocks cost a handful of panes and not one each.
    """
    visible = np.zeros_like(time)
    ahead = np.flatnonzero(time > now)
    visible[ahead] = -(-time[ahead] // (MICROSECONDS * _AHEAD_STEP)) * _AHEAD_STEP
    return visible


def _pane_length(window: int, coarser: int) -> int:
    """Return the longest length that divides the window at least 24 times, and the panes of the next longer window."""
    return next(
        length
        for length in _LENGTHS
        if window % length == 0 and coarser % length == 0 and (length * 24 <= window or length == 1)
    )


def _lengths_between(fine: int, coarse: int) -> Iterator[int]:
    """Yield lengths that lead from fine to coarse panes in steps of at most `_MOST_JOINED`, as far as there are any."""
    while coarse > fine * _MOST_JOINED:
        steps = [n for n in _LENGTHS if fine < n <= fine * _MOST_JOINED and n % fine == 0 and coarse % n == 0]
        if not steps:
            return
        fine = steps[0]
        yield fine

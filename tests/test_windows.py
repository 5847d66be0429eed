"""Panes and windows, with a loop over the rows as the oracle."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftgauge.config import Window
from driftgauge.windows import AHEAD, PaneKey, Tiers, is_future

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60, 3600, 86400
# 2026-01-05T00:00:00Z, in seconds.
MIDNIGHT = 1_767_571_200
DAY_WINDOW = Window("24h", DAY)

LADDER = [
    (MINUTE, 2),
    (61, 1),
    (90, 2),
    (5 * MINUTE, 10),
    (6 * MINUTE, 15),
    (10 * MINUTE, 20),
    (30 * MINUTE, 60),
    (HOUR, 2 * MINUTE),
    (90 * MINUTE, 2 * MINUTE),
    (6 * HOUR, 15 * MINUTE),
    (8 * HOUR, 20 * MINUTE),
    (DAY, HOUR),
    (2 * DAY, 2 * HOUR),
    (3 * DAY, 3 * HOUR),
    (7 * DAY, 6 * HOUR),
    (30 * DAY, DAY),
    (90 * DAY, DAY),
]


@pytest.mark.parametrize(("window", "pane"), LADDER)
def test_pane_of_a_window(window: int, pane: int) -> None:
    """The panes of a window alone are the longest round length that divides it at least 24 times."""
    assert tiers(window) == Tiers((pane,), {window: pane})


SETS = [
    ("the default", [HOUR, DAY, 7 * DAY], (120, HOUR, 6 * HOUR), {HOUR: 120, DAY: HOUR, 7 * DAY: 6 * HOUR}),
    ("in another order, one twice", [DAY, HOUR, DAY], (120, HOUR), {HOUR: 120, DAY: HOUR}),
    ("two windows, one length", [HOUR, 90 * MINUTE], (120,), {HOUR: 120, 90 * MINUTE: 120}),
    (
        "lengths that alone would not divide each other",
        [7 * DAY, 10 * DAY],
        (4 * HOUR, 8 * HOUR),
        {7 * DAY: 4 * HOUR, 10 * DAY: 8 * HOUR},
    ),
    ("far apart: a tier between them", [5 * MINUTE, DAY], (10, 600, HOUR), {5 * MINUTE: 10, DAY: HOUR}),
]


@pytest.mark.parametrize(("description", "windows", "lengths", "panes"), SETS)
def test_tiers(description: str, windows: list[int], lengths: tuple[int, ...], panes: dict[int, int]) -> None:
    """Panes of several windows divide each other, and lead from the finest to the coarsest in steps."""
    assert tiers(*windows) == Tiers(lengths, panes), description


@given(windows=st.lists(st.integers(MINUTE, 90 * DAY), min_size=1, max_size=5))
def test_panes_divide_every_window(windows: list[int]) -> None:
    """Whatever windows are configured, they consist of whole panes, at least 24 of them, and panes of whole panes."""
    found = tiers(*windows)

    assert all(window % pane == 0 and window // pane >= 24 for window, pane in found.panes.items())
    assert all(coarse % fine == 0 for fine, coarse in pairwise(found.lengths))
    assert found.panes.keys() == set(windows)


def tiers(*seconds: int) -> Tiers:
    """Return the tiers of windows of these lengths."""
    return Tiers.of([Window(f"{length}s", length) for length in seconds])


DAY_TIERS = tiers(DAY)


def grouped(times: Sequence[int], now: int, of: Tiers = DAY_TIERS) -> dict[PaneKey, list[int]]:
    """Return which of the rows of version 1 at these times (µs) go to which pane at `now`."""
    found = of.groups(["1"], np.zeros(len(times), np.int64), np.array(times, np.int64), now)
    return {key: at.tolist() for key, at in found}


def counted(times: Sequence[int], *, folded_at: int, asked_at: int) -> list[int]:
    """Return which rows the day ending at `asked_at` counts, of rows folded at `folded_at` (all in µs)."""
    panes = grouped(times, folded_at)
    return sorted(row for key in DAY_TIERS.visible(panes, DAY_WINDOW, asked_at) for row in panes[key])


NOON = (MIDNIGHT + 12 * HOUR) * SECOND
EDGES = [
    ("at the start of the window", NOON - DAY * SECOND, NOON, True),
    ("a microsecond earlier", NOON - DAY * SECOND - 1, NOON, False),
    ("at its end", NOON, NOON, True),
    ("half an hour on, the first pane still counts", NOON - DAY * SECOND, NOON + HOUR * SECOND // 2, True),
    ("a microsecond before the next pane", NOON - DAY * SECOND, NOON + HOUR * SECOND - 1, True),
    ("with the next pane it goes", NOON - DAY * SECOND, NOON + HOUR * SECOND, False),
    ("the last row of the first pane goes with it", NOON - 23 * HOUR * SECOND - 1, NOON + HOUR * SECOND, False),
    ("the first row of the second stays", NOON - 23 * HOUR * SECOND, NOON + HOUR * SECOND, True),
]


@pytest.mark.parametrize(("description", "time", "now", "inside"), EDGES)
def test_edges(description: str, time: int, now: int, inside: bool) -> None:  # noqa: FBT001 - a column of the table
    """A window covers [floor(now, pane) - W, now], exactly at multiples of the pane and whole panes in between."""
    assert (counted([time], folded_at=min(time, now), asked_at=now) == [0]) == inside, description


def test_rows_ahead_of_the_clock() -> None:
    """A row ahead of the clock counts from the full minute after its time on, and not before."""
    ahead = NOON + 90 * SECOND

    assert counted([NOON, ahead], folded_at=NOON, asked_at=NOON) == [0]
    assert counted([NOON, ahead], folded_at=NOON, asked_at=ahead) == [0]
    assert counted([NOON, ahead], folded_at=NOON, asked_at=NOON + 120 * SECOND - 1) == [0]
    assert counted([NOON, ahead], folded_at=NOON, asked_at=NOON + 120 * SECOND) == [0, 1]


def test_rows_ahead_in_a_pane_that_has_not_begun() -> None:
    """Just before a pane begins, rows of it wait for the clock too."""
    now = NOON - 10 * SECOND

    assert counted([NOON + 5 * SECOND], folded_at=now, asked_at=now) == []
    assert counted([NOON + 5 * SECOND], folded_at=now, asked_at=NOON + MINUTE * SECOND) == [0]


@pytest.mark.parametrize(("ahead", "future"), [(0, False), (AHEAD, False), (AHEAD + 1, True), (-(10**12), False)])
def test_future(ahead: int, future: bool) -> None:  # noqa: FBT001 - a column of the table
    """Five minutes ahead are believed, a microsecond more is not."""
    assert is_future(np.array([NOON + ahead]), NOON).tolist() == [future]


@pytest.mark.parametrize("hours", [0, 1, 23, 24, 25, 26])
def test_expiry(hours: int) -> None:
    """A pane has expired when the longest window has left it: then no later window covers it either."""
    key = PaneKey("1", MIDNIGHT, HOUR)
    now = (MIDNIGHT + hours * HOUR) * SECOND

    assert DAY_TIERS.outgrown([key], now) == ({key: None} if hours > 24 else {})
    assert DAY_TIERS.visible([key], DAY_WINDOW, now) == ([key] if hours <= 24 else [])


def test_panes_come_in_the_order_of_their_keys() -> None:
    """Panes are found in time order whatever the order of arrival; those of longer windows do not count."""
    keys = [
        PaneKey("2", MIDNIGHT, HOUR),
        PaneKey("1", MIDNIGHT + HOUR, HOUR),
        PaneKey("1", MIDNIGHT, HOUR, rebuilt=True),
        PaneKey("1", MIDNIGHT, HOUR),
        PaneKey("1", MIDNIGHT + HOUR, 120),
        PaneKey("1", MIDNIGHT, DAY),
    ]

    found = DAY_TIERS.visible(keys, DAY_WINDOW, NOON)

    assert [keys.index(key) for key in found] == [3, 2, 4, 1, 0]


def test_no_rows() -> None:
    """No rows, or none that are recent enough, belong to no pane."""
    assert grouped([], NOON) == {}
    assert grouped([NOON - 3 * DAY * SECOND], NOON) == {}


def test_panes_are_joined_when_no_short_window_needs_them() -> None:
    """Fine panes go to the coarse one they lie in when the shorter window has left all of that, and not before."""
    both = tiers(HOUR, DAY)
    fine = PaneKey("1", MIDNIGHT + 1800, 120, rebuilt=True)
    ahead = PaneKey("1", MIDNIGHT + 1800, 120, visible=MIDNIGHT + 8 * HOUR)
    coarse = PaneKey("1", MIDNIGHT, HOUR, rebuilt=True)

    assert both.outgrown([fine, ahead, coarse], (MIDNIGHT + 2 * HOUR) * SECOND - 1) == {}
    assert both.outgrown([fine, ahead, coarse], (MIDNIGHT + 2 * HOUR) * SECOND) == {fine: coarse}
    assert both.outgrown([ahead], (MIDNIGHT + 8 * HOUR) * SECOND) == {ahead: PaneKey("1", MIDNIGHT, HOUR)}


@pytest.mark.parametrize(("length", "fits"), [(120, True), (HOUR, True), (60, True), (2 * HOUR, False), (1000, False)])
def test_panes_of_other_windows(length: int, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    """Panes made for other windows can be kept when whole panes of these windows are made of them."""
    assert tiers(HOUR, DAY).fits(PaneKey("1", 0, length)) == fits


WINDOW_SETS = [[HOUR], [HOUR, DAY], [300, 1800, HOUR], [61, 500]]


@given(
    rows=st.lists(st.tuples(st.sampled_from(["1", "2", "ü"]), st.integers(-90_000, 300)), max_size=30),
    offset=st.integers(0, HOUR * SECOND),
    later=st.integers(0, 3 * HOUR),
    windows=st.sampled_from(WINDOW_SETS),
)
def test_windows_are_a_loop_over_the_rows(
    rows: list[tuple[str, int]], offset: int, later: int, windows: list[int]
) -> None:
    """Rows folded, and panes joined at any later time, give each window the rows that a loop over them finds."""
    folded_at = NOON + offset
    now = folded_at + later * SECOND
    times = [folded_at + seconds * SECOND for _, seconds in rows]
    of = tiers(*windows)
    names = ["1", "2", "ü"]
    versions = np.array([names.index(version) for version, _ in rows], np.int64)

    panes: dict[PaneKey, list[int]] = {
        key: at.tolist() for key, at in of.groups(names, versions, np.array(times, np.int64), folded_at)
    }
    for key, target in of.outgrown(list(panes), now).items():
        part = panes.pop(key)
        if target is not None:
            panes.setdefault(target, []).extend(part)

    for seconds in windows:
        window = Window(f"{seconds}s", seconds)
        expected: dict[str, list[int]] = {}
        for row, ((version, _), time) in enumerate(zip(rows, times, strict=True)):
            # Of rows ahead of the clock when they were folded, those whose full minute has come.
            shown = time if time <= folded_at else -(-time // (60 * SECOND)) * 60 * SECOND
            if of.first_second(window, now) * SECOND <= time and shown <= now:
                expected.setdefault(version, []).append(row)
        found: dict[str, list[int]] = {}
        for key in of.visible(panes, window, now):
            found.setdefault(key.version, []).extend(panes[key])
        assert {version: sorted(at) for version, at in found.items()} == expected


@given(seconds=st.lists(st.integers(-30 * HOUR, 300), max_size=20), later=st.integers(0, 3 * HOUR))
def test_no_row_is_shown_before_its_time(seconds: list[int], later: int) -> None:
    """At any later time the window holds no row from after its end, and misses none that is a minute old."""
    times = [NOON + second * SECOND for second in seconds]
    now = NOON + later * SECOND
    start = DAY_TIERS.first_second(DAY_WINDOW, now) * SECOND

    found = counted(times, folded_at=NOON, asked_at=now)

    assert all(start <= times[row] <= now for row in found)
    assert {row for row, time in enumerate(times) if start <= time <= now - MINUTE * SECOND} <= set(found)

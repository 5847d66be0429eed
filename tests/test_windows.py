"""Panes and windows, with a loop over the rows as the oracle."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftgauge.config import Window
from driftgauge.windows import AHEAD, PaneKey, covers, expired, first_second, groups, is_future, pane_length
from driftgauge.windows import visible_panes as visible

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
def test_pane_length(window: int, pane: int) -> None:
    """Panes are the longest round length that divides the window at least 24 times."""
    assert pane_length(Window("w", window)) == pane


@given(seconds=st.integers(MINUTE, 90 * DAY))
def test_panes_divide_every_window(seconds: int) -> None:
    """Whatever window is configured consists of whole panes, at least 24 of them."""
    pane = pane_length(Window("w", seconds))

    assert seconds % pane == 0
    assert seconds // pane >= 24


def rows_at(*times: int) -> tuple["np.ndarray[tuple[int], np.dtype[np.object_]]", "np.ndarray[tuple[int], np.dtype]"]:
    """Return version and time (µs) of rows of one version."""
    return np.array(["1"] * len(times), dtype=object), np.array(times, dtype=np.int64)


def counted(times: Sequence[int], *, folded_at: int, asked_at: int) -> list[int]:
    """Return which rows the day ending at `asked_at` counts, of rows folded at `folded_at` (all in µs)."""
    panes = dict(groups(*rows_at(*times), DAY_WINDOW, folded_at))
    found = visible(panes, DAY_WINDOW, asked_at)
    return sorted(int(row) for part in found.get("1", []) for row in part)


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
    """A pane has expired when the window has left it: then no later window covers it either."""
    key = PaneKey("1", "24h", MIDNIGHT)
    now = (MIDNIGHT + hours * HOUR) * SECOND

    assert expired(DAY_WINDOW, key, now) == (hours > 24)
    assert covers(DAY_WINDOW, key, now) == (hours <= 24)


def test_panes_come_in_the_order_of_their_keys() -> None:
    """Panes are found by window and version, in time order whatever the order of arrival."""
    keys = [
        PaneKey("2", "24h", MIDNIGHT),
        PaneKey("1", "24h", MIDNIGHT + HOUR),
        PaneKey("1", "24h", MIDNIGHT, rebuilt=True),
        PaneKey("1", "24h", MIDNIGHT),
        PaneKey("1", "1h", MIDNIGHT),
    ]

    found = visible({key: number for number, key in enumerate(keys)}, DAY_WINDOW, NOON)

    assert found == {"1": [3, 2, 1], "2": [0]}


def test_no_rows() -> None:
    """No rows, or none that are recent enough, belong to no pane."""
    assert list(groups(*rows_at(), DAY_WINDOW, NOON)) == []
    assert list(groups(*rows_at(NOON - 3 * DAY * SECOND), DAY_WINDOW, NOON)) == []


@given(
    rows=st.lists(st.tuples(st.sampled_from(["1", "2", "ü"]), st.integers(-7500, 300)), max_size=30),
    offset=st.integers(0, HOUR * SECOND),
    window=st.sampled_from([Window("1h", HOUR), Window("5m", 300), Window("61s", 61)]),
)
def test_groups_is_a_loop_over_the_rows(rows: list[tuple[str, int]], offset: int, window: Window) -> None:
    """Rows are grouped as a loop over them groups them: each at most once, the old ones not at all."""
    now = NOON + offset
    times = [now + seconds * SECOND for _, seconds in rows]
    pane = pane_length(window)
    expected: dict[PaneKey, list[int]] = {}
    for row, ((version, _), time) in enumerate(zip(rows, times, strict=True)):
        start = time // SECOND // pane * pane
        if start >= now // SECOND // pane * pane - window.seconds:
            minutes = -(-time // (60 * SECOND))
            key = PaneKey(version, window.name, start, minutes * 60 if time > now else 0)
            expected.setdefault(key, []).append(row)

    versions = np.array([version for version, _ in rows], dtype=object)
    found = {key: sorted(at.tolist()) for key, at in groups(versions, np.array(times, np.int64), window, now)}

    assert expected == found


@given(seconds=st.lists(st.integers(-30 * HOUR, 300), max_size=20), later=st.integers(0, 3 * HOUR))
def test_no_row_is_shown_before_its_time(seconds: list[int], later: int) -> None:
    """At any later time the window holds no row from after its end, and misses none that is a minute old."""
    times = [NOON + second * SECOND for second in seconds]
    now = NOON + later * SECOND
    start = first_second(DAY_WINDOW, now) * SECOND

    found = counted(times, folded_at=NOON, asked_at=now)

    assert all(start <= times[row] <= now for row in found)
    assert {row for row, time in enumerate(times) if start <= time <= now - MINUTE * SECOND} <= set(found)

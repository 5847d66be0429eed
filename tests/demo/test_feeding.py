"""The feeding thread: steady, stubborn, and quick to stop."""

import threading
import time

import pandas as pd

from driftgauge.demo.feeding import Feeder
from driftgauge.demo.replay import HOUR_SECONDS, Hour, TimeShift

PATIENCE = 5.0


def some_hours(count: int) -> list[Hour]:
    """Return consecutive hours in which nothing moved."""
    return [Hour(n * HOUR_SECONDS, pd.DataFrame(), pd.DataFrame()) for n in range(count)]


def test_hours_meet_without_gaps() -> None:
    """Each hour is moved onto the time since the one before, so event times lie in the last interval."""
    fed: list[TimeShift] = []
    said: list[str] = []
    over = threading.Event()
    feeder = Feeder(
        lambda _, shift: fed.append(shift),
        some_hours(3),
        interval=0.01,
        say=lambda line: (said.append(line), over.set())[0],
        clock=iter([100.0, 110.0, 125.0, 126.0]).__next__,
    )
    feeder.start()
    assert over.wait(PATIENCE)
    feeder.stop()
    assert [(shift.onto_start, shift.onto_end) for shift in fed] == [(100, 110), (110, 125), (125, 126)]
    assert [(shift.start, shift.end) for shift in fed] == [(0, 3600), (3600, 7200), (7200, 10_800)]
    assert [line.partition(":")[0] for line in said] == ["all flights of 2013 have departed"]


def test_a_failure_is_shown_and_the_next_hour_comes() -> None:
    """An error in one hour is said, and feeding goes on."""
    fed: list[float] = []
    said: list[str] = []
    over = threading.Event()

    def feed(hour: Hour, _: TimeShift) -> None:
        if hour.start == 0:
            raise OSError("disk full")
        fed.append(hour.start)
        over.set()

    feeder = Feeder(feed, some_hours(2), interval=0.01, say=said.append)
    feeder.start()
    assert over.wait(PATIENCE)
    feeder.stop()
    assert fed == [HOUR_SECONDS]
    assert "disk full" in said[0]


def test_stop_does_not_wait_for_the_interval() -> None:
    """A stop in the middle of a long interval returns at once, and nothing more is fed."""
    fed: list[float] = []
    feeder = Feeder(lambda hour, _: fed.append(hour.start), some_hours(2), interval=3600, say=fed.append)
    feeder.start()
    began = time.monotonic()
    feeder.stop()
    assert time.monotonic() - began < 1
    assert fed == []

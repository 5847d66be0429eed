"""A clock that does not jump: a wrong hour of the machine's clock must not cost what windows and joins hold.

It follows the machine's clock as long as that goes as fast as the time since the machine was started. When it jumps, by
more than a minute either way, this one goes on by itself until the other is right again, has been the same for an hour,
or is confirmed by rows that come with its time.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from driftgauge.windows import AHEAD, MICROSECONDS

# What is a correction rather than a jump, and for how long a jump has to last to be the truth (s).
_CORRECTION: Final = 60.0
_LASTING: Final = 3600.0
_AHEAD: Final = AHEAD / MICROSECONDS
_log = structlog.get_logger("driftgauge.service")


def _since_start() -> float:
    """Return seconds since the machine was started, those in which it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SteadyClock:
    """Tells seconds since 1970 when called, from any thread.

    wall: the machine's clock. elapsed: one that never jumps.
    """

    def __init__(self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = _since_start) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._anchor = wall(), elapsed()
        # By how much the machine's clock has jumped, and since when.
        self._jump: tuple[float, float] | None = None

    def __call__(self) -> float:
        """Return the time."""
        with self._lock:
            return self._read()

    @property
    def slack(self) -> float:
        """How far (s) the machine's clock is ahead of this one: rows from in between may be right."""
        with self._lock:
            self._read()
            return max(0.0, self._jump[0]) if self._jump else 0.0

    def confirm(self, newest: float) -> None:
        """Take the machine's clock for right if rows come, of `newest` (s), that are newer than this one allows."""
        with self._lock:
            if newest > self._read() + _AHEAD and self._jump:
                self._follow("rows come with its time")

    def _read(self) -> float:
        wall, elapsed = self._wall(), self._elapsed()
        expected = self._anchor[0] + elapsed - self._anchor[1]
        off = wall - expected
        if abs(off) <= _CORRECTION:
            if self._jump:
                self._follow("it is right again")
            self._anchor = wall, elapsed
            return wall
        if self._jump is None or abs(off - self._jump[0]) > _CORRECTION:
            self._jump = off, elapsed
            _log.warning(
                "the machine's clock has jumped: driftgauge goes on by its own", seconds=round(off),
                remedy="set it; if it is right now, it is followed after an hour, or with the first row of its time",
            )  # fmt: skip
        elif elapsed - self._jump[1] >= _LASTING:
            self._follow("it has been the same for an hour")
            return wall
        return expected

    def _follow(self, why: str) -> None:
        self._anchor, self._jump = (self._wall(), self._elapsed()), None
        _log.warning("the machine's clock is followed again", because=why)

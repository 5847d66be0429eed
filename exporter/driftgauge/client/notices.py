"""The client's log lines through Python's `logging`: one when a problem begins, one when it ends.

The host process decides where lines of the logger `driftgauge.client` go; nothing is configured here. Messages contain
no logged value and no credentials.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

from driftgauge.errors import DriftgaugeError

log: Final = logging.getLogger("driftgauge.client")

# A problem that comes and goes is logged at most once in this time (s).
_QUIET: Final = 60.0


class Notices:
    """Keeps the current problems, by a short name, and when each was last logged."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # Reentrant, because a signal handler may log while the same thread holds it.
        self._mutex = threading.RLock()
        self._clock = clock
        self._wrong: set[str] = set()
        self._said: dict[str, float] = {}

    def begin(self, what: str, message: str) -> None:
        """Log a warning, unless the problem is known or was logged in the last minute."""
        with self._mutex:
            now = self._clock()
            if what in self._wrong or now - self._said.get(what, float("-inf")) < _QUIET:
                return
            self._wrong.add(what)
            self._said[what] = now
        log.warning("%s", message)

    def end(self, what: str, message: str) -> None:
        """Log that the problem is over, if its beginning was logged."""
        with self._mutex:
            if what not in self._wrong:
                return
            self._wrong.discard(what)
        log.info("%s", message)


def described(error: BaseException) -> str:
    """Describe a failure without its message, unless that is ours: other messages may contain logged values."""
    if isinstance(error, DriftgaugeError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else type(error).__name__

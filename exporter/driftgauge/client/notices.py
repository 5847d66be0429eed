"""What the client says through Python's `logging`: once when something begins, once when it ends.

The host process decides where lines of the logger `driftgauge.client` go; nothing is configured here. Messages hold
no value that was logged and no credentials.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

from driftgauge.errors import DriftgaugeError

log: Final = logging.getLogger("driftgauge.client")

# What comes and goes is not said again for this long (s).
_QUIET: Final = 60.0


class Notices:
    """Remembers what is wrong at the moment, by a short word, and when it was last said."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # Reentrant, for a signal handler may come here in the middle of it.
        self._mutex = threading.RLock()
        self._clock = clock
        self._wrong: set[str] = set()
        self._said: dict[str, float] = {}

    def begin(self, what: str, message: str) -> None:
        """Warn, unless this is known, or was said a moment ago."""
        with self._mutex:
            now = self._clock()
            if what in self._wrong or now - self._said.get(what, float("-inf")) < _QUIET:
                return
            self._wrong.add(what)
            self._said[what] = now
        log.warning("%s", message)

    def end(self, what: str, message: str) -> None:
        """Say that it is over, if it was said that it had begun."""
        with self._mutex:
            if what not in self._wrong:
                return
            self._wrong.discard(what)
        log.info("%s", message)


def described(error: BaseException) -> str:
    """Return what is known of a failure without showing a value: other people's messages may hold anything."""
    if isinstance(error, DriftgaugeError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else type(error).__name__

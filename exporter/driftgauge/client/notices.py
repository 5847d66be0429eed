"""What the client says through Python's `logging`: once when something begins, once when it ends.

The host process decides where lines of the logger `driftgauge.client` go; nothing is configured here.
"""

import logging
import threading
from typing import Final

log: Final = logging.getLogger("driftgauge.client")


class Notices:
    """Remembers what is wrong at the moment, by a short word."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._wrong: set[str] = set()

    def begin(self, what: str, message: str) -> None:
        """Warn, unless this went wrong before and did not end."""
        with self._mutex:
            new = what not in self._wrong
            self._wrong.add(what)
        if new:
            log.warning("%s", message)

    def end(self, what: str, message: str) -> None:
        """Say that it is over, if it had begun."""
        with self._mutex:
            was = what in self._wrong
            self._wrong.discard(what)
        if was:
            log.info("%s", message)

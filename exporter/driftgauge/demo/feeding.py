"""The thread that feeds the next hour of 2013 every few seconds."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from driftgauge.demo.replay import HOUR_SECONDS, Hour, TimeShift

# A step takes tenths of a second; a stop must not wait for one that hangs.
_STOP_SECONDS: Final = 2.0


class Feeder:
    """Calls `feed` with each hour, moved to the time since the one before, from `start` until `stop`.

    `say` shows hours that could not be fed, and the end of the flights; neither ends the process.
    """

    def __init__(
        self,
        feed: Callable[[Hour, TimeShift], None],
        coming: Iterable[Hour],
        *,
        interval: float,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._feed = feed
        self._coming = coming
        self._interval = interval
        self._say = say
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-feeder", daemon=True)

    def start(self) -> None:
        """Begin; the first hour comes one interval from now."""
        self._thread.start()

    def stop(self) -> None:
        """Feed no further hour."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        now = self._clock()
        for hour in self._coming:
            if self._stopping.wait(self._interval):
                return
            before, now = now, self._clock()
            try:
                self._feed(hour, TimeShift(hour.start, hour.start + HOUR_SECONDS, before, now))
            except Exception as error:  # noqa: BLE001 - the demo goes on without this hour, whatever MLflow raises
                self._say(f"an hour of flights could not be fed and is left out: {error!r}")
        self._say("all flights of 2013 have departed: nothing new will come; start the demo again to see more")

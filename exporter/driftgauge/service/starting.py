"""The first second of the front: the server answers before the configuration is read and what it serves is imported.

Until then `/-/healthy` is answered, and everything else gets 503. This module is imported before that, so it imports
nothing that takes long.
"""

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from driftgauge.errors import DriftgaugeError, StateDamaged, StateError
from driftgauge.service.notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftgauge.service.front import Front

_RETRY_SECONDS: Final = 0.1


class Starting:
    """Makes and starts a front in the background, and has it reload; `front` is None until it is there.

    make: gets the URLs that are served, and what is to be called when the state cannot be used. notifier: is told when
    the front is ready, and of reloads. on_failed: is called when there will be no front; `error` then says why.
    answers: tells whether the server answers a request now.
    """

    def __init__(
        self, make: "Callable[[Sequence[str], Callable[[str], None]], Front]", *, notifier: Notifier | None = None
    ) -> None:
        self._make = make
        self._notifier = notifier or Notifier()
        self._thread: threading.Thread | None = None
        # Its `put` may interrupt itself, which a signal handler needs; a lock would never be free again.
        self._wishes: SimpleQueue[None] = SimpleQueue()
        self._stopping = threading.Event()
        self.front: Front | None = None
        self.error: Exception | None = None
        self.on_failed: Callable[[], None] = lambda: None
        self.answers: Callable[[], bool] = lambda: True

    def start(self, urls: "Sequence[str]") -> None:
        """Begin: the server answers at `urls`."""
        self._thread = threading.Thread(target=self._run, args=(urls,), name="starting", daemon=True)
        self._thread.start()

    def reload_soon(self) -> None:
        """Reload in the background, or as soon as there is a front. For a signal handler, which may not wait."""
        self._wishes.put(None)

    def stop(self) -> bool:
        """End the front, if there is one; return whether its refresher ended in order."""
        self._stopping.set()
        self._wishes.put(None)
        if self._thread is not None:
            self._thread.join()
        return self.front is None or self.front.stop()

    def _run(self, urls: "Sequence[str]") -> None:
        try:
            # A signal that comes before the file is read is about what is read then.
            front = self._make(urls, self._refused)
        except Exception as error:
            self._fail(error)
            if not isinstance(error, DriftgaugeError):
                raise
            return
        if not self._stopping.is_set():
            front.start()
            self.front = front
            self._say_ready(urls)
            self._reload_when_wished(front)

    def _say_ready(self, urls: "Sequence[str]") -> None:
        while not self.answers():
            if self._stopping.wait(_RETRY_SECONDS):
                return
        self._notifier.ready(f"serves {' '.join(urls)}")
        self._notifier.watch(self.answers)

    def _reload_when_wished(self, front: "Front") -> None:
        import structlog  # noqa: PLC0415 - the front has imported it by now

        while True:
            self._wishes.get()
            # However many have come meanwhile, the file is read once.
            while not self._wishes.empty():
                self._wishes.get()
            if self._stopping.is_set():
                return
            self._notifier.reloading()
            try:
                mistake = front.reload()
            except Exception as error:  # noqa: BLE001 - the comment below
                # Without this thread no signal would be heard any more.
                mistake = repr(error)
                structlog.get_logger("driftgauge.service").exception("reload failed: this is a bug in driftgauge")
            self._notifier.ready(f"the old configuration stays in use: {mistake}" if mistake else "reloaded")

    def _refused(self, message: str) -> None:
        # What came through the channel is a text.
        self._fail(StateDamaged(message) if StateDamaged.REMEDY in message else StateError(message))

    def _fail(self, error: Exception) -> None:
        self.error = error
        self.on_failed()

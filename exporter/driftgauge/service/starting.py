"""The first second of the front: the server answers before the configuration is read and what it serves is imported.

Until then `/-/healthy` is answered, and everything else gets 503. This module is imported before that, so it imports
nothing that takes long.
"""

import threading
from typing import TYPE_CHECKING

from driftgauge.errors import DriftgaugeError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftgauge.service.front import Front


class Starting:
    """Makes and starts a front in the background; `front` is None until it is there.

    make: gets the URLs that are served, and what is to be called when the state cannot be used. on_failed: is called
    when there will be no front; `error` then says why.
    """

    def __init__(self, make: "Callable[[Sequence[str], Callable[[str], None]], Front]") -> None:
        self._make = make
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._reload_wanted = False
        self._stopping = False
        self.front: Front | None = None
        self.error: Exception | None = None
        self.on_failed: Callable[[], None] = lambda: None

    def start(self, urls: "Sequence[str]") -> None:
        """Begin: the server answers at `urls`."""
        self._thread = threading.Thread(target=self._run, args=(urls,), name="starting", daemon=True)
        self._thread.start()

    def reload_soon(self) -> None:
        """Reload in the background, or as soon as there is a front. For a signal handler, which may not wait."""
        self._reload_wanted = True
        if self.front is not None:
            threading.Thread(target=self._reload, name="reload", daemon=True).start()

    def stop(self) -> bool:
        """End the front, if there is one; return whether its refresher ended in order."""
        self._stopping = True
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
        if not self._stopping:
            front.start()
            self.front = front
            self._reload()

    def _reload(self) -> None:
        with self._lock:
            if self.front is not None and self._reload_wanted:
                self._reload_wanted = False
                self.front.reload()

    def _refused(self, message: str) -> None:
        self._fail(StateError(message))

    def _fail(self, error: Exception) -> None:
        self.error = error
        self.on_failed()

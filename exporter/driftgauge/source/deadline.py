"""An end to every wait for MLflow: the call goes on beside us, and we stop waiting for it.

The timeouts of HTTP libraries and database drivers bound one read each, so a server that sends a byte now and then
would hold a call for ever.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from threading import Lock, Thread
from typing import Any, Final, TypeVar

# Models that are refreshed side by side wait for some 50 answers, so this is several refreshes that all hang.
MAX_HANGING: Final = 256
_CONNECT_SECONDS: Final = 4.0

T = TypeVar("T")


class Deadline:
    """Bounds each call to one server or store by `seconds`; safe to share between threads.

    Python cannot stop a thread, so a call that is out of time goes on, in a daemon thread, until its connection
    ends. While `MAX_HANGING` such calls are about, further ones are refused.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = Lock()
        self._hanging = 0

    @property
    def connect_and_read(self) -> tuple[float, float]:
        """The timeouts of one HTTP request: a server that is gone is known sooner than one that is slow."""
        return min(_CONNECT_SECONDS, self.seconds), self.seconds

    def within(self, call: Callable[[], T], *, times: int = 1) -> T:
        """Return or raise what `call` does; raise TimeoutError when `times` times the bound is over before it does."""
        if self._hanging >= MAX_HANGING:
            raise TimeoutError(f"timed out: {self._hanging} earlier calls still hang")
        outcome: Future[T] = Future()
        Thread(target=_settle, args=(outcome, call), name="driftgauge-ask", daemon=True).start()
        wait([outcome], times * self.seconds)
        if outcome.done():
            return outcome.result()
        self._count(1)
        outcome.add_done_callback(lambda _: self._count(-1))
        raise TimeoutError(f"timed out after {times * self.seconds:g} s")

    def each(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield from `chunks`, each within the bound.

        Chunks that are out of time are not closed here: that would wait for the very read that hangs.
        """
        while (chunk := self.within(partial(next, chunks, None))) is not None:
            yield chunk

    def _count(self, change: int) -> None:
        with self._lock:
            self._hanging += change


class BoundedClient:
    """An object whose methods are all called within a deadline."""

    def __init__(self, client: Any, deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the method `name`, bounded."""
        method = getattr(self._client, name)
        return lambda *args, **options: self._deadline.within(partial(method, *args, **options))


def _settle(outcome: "Future[T]", call: Callable[[], T]) -> None:
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 - whoever waits gets it
        outcome.set_exception(error)
    else:
        outcome.set_result(result)

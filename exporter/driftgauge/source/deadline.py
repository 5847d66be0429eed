"""An end to every wait for MLflow: the call goes on beside us, and we stop waiting for it.

The timeouts of HTTP libraries and database drivers bound one read each, so a server that sends a byte now and then
would hold a call for ever.
"""

from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, TypeVar

# Models that are refreshed side by side wait for some 50 answers, so this is several refreshes that all hang.
MAX_HANGING: Final = 256
_CONNECT_SECONDS: Final = 4.0
# A thread without questions ends after this long: to start one costs several times what an answer from memory does.
_IDLE_SECONDS: Final = 5.0

T = TypeVar("T")
# What came of a call: its result, or what it raised.
Outcome = tuple[Any, BaseException | None]


class Deadline:
    """Bounds each call to one server or store by `seconds`; safe to share between threads.

    Calls are made in daemon threads, which are used again. Python cannot stop a thread, so a call that is out of time
    goes on in its own until its connection ends. While `MAX_HANGING` such calls are about, further ones are refused.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = Lock()
        self._hanging = 0
        self._idle: list[_Asking] = []

    @property
    def connect_and_read(self) -> tuple[float, float]:
        """The timeouts of one HTTP request: a server that is gone is known sooner than one that is slow."""
        return min(_CONNECT_SECONDS, self.seconds), self.seconds

    def within(self, call: Callable[[], T], *, times: int = 1) -> T:
        """Return or raise what `call` does; raise TimeoutError when `times` times the bound is over before it does."""
        if self._hanging >= MAX_HANGING:
            raise TimeoutError(f"timed out: {self._hanging} earlier calls still hang")
        asking = self._taken()
        answers: SimpleQueue[Outcome] = SimpleQueue()
        asking.calls.put((call, answers))
        try:
            result, failure = answers.get(timeout=times * self.seconds)
        except Empty:
            self._count(1)
            # The next thing it does, once that call has ended.
            asking.calls.put((partial(self._count, -1), answers))
            asking.calls.put(None)
            raise TimeoutError(f"timed out after {times * self.seconds:g} s") from None
        with self._lock:
            self._idle.append(asking)
        if failure is not None:
            raise failure
        found: T = result
        return found

    def each(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield from `chunks`, each within the bound.

        Chunks that are out of time are not closed here: that would wait for the very read that hangs.
        """
        while (chunk := self.within(partial(next, chunks, None))) is not None:
            yield chunk

    def _taken(self) -> "_Asking":
        with self._lock:
            if self._idle:
                return self._idle.pop()
        asking = _Asking(self._left_idle)
        asking.start()
        return asking

    def _left_idle(self, asking: "_Asking") -> bool:
        """Forget a thread that nobody asked anything for a while; return whether it was still unused."""
        with self._lock:
            unused = asking in self._idle
            if unused:
                self._idle.remove(asking)
        return unused

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


class _Asking(Thread):
    """Makes one call after the other, until it is given None or nothing for a while and may go."""

    def __init__(self, may_go: "Callable[[_Asking], bool]") -> None:
        super().__init__(name="driftgauge-ask", daemon=True)
        self.calls: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[Outcome]] | None] = SimpleQueue()
        self._may_go = may_go

    def run(self) -> None:
        """Make the calls."""
        while True:
            try:
                asked = self.calls.get(timeout=_IDLE_SECONDS)
            except Empty:
                if self._may_go(self):
                    return
                continue
            if asked is None:
                return
            call, answers = asked
            answers.put(_outcome(call))
            # Neither is to be kept alive while waiting for the next.
            del asked, call, answers


def _outcome(call: Callable[[], Any]) -> Outcome:
    try:
        return call(), None
    except Exception as error:  # noqa: BLE001 - whoever waits gets it
        return None, error

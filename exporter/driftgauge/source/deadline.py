"""A bound on every wait for MLflow: the call runs in another thread, and we stop waiting for it.

The timeouts of HTTP libraries and database drivers bound one read each, so a call to a server that sends a byte now and
then could last for ever.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread, local
from time import monotonic
from typing import Any, Final, TypeVar

_CONNECT_SECONDS: Final = 4.0

T = TypeVar("T")
# The result of a call, or what it raised.
Outcome = tuple[Any, BaseException | None]


class _Excuse:
    """How many seconds of a call do not count."""

    seconds = 0.0


_of_this_thread: Final = local()


def excuse(seconds: float) -> None:
    """Have the next seconds of the call that this thread makes not count: it waits for its turn, not for an answer."""
    current = getattr(_of_this_thread, "excuse", None)
    if current is not None:
        current.seconds += seconds


class Deadline:
    """Bounds each call to one server or store by `seconds`; safe to share between threads.

    Calls run in daemon threads, which are reused. Python cannot stop a thread, so a call that is out of time goes on in
    its thread until its connection ends. While `max_hanging` such calls are running, further ones are refused: models
    that are refreshed in parallel wait for about 50 answers, so this is several refreshes of which all calls hang. A
    thread without a call ends after `idle_seconds`. on_answer: is called after each call that came back in time.
    """

    def __init__(
        self,
        seconds: float,
        *,
        max_hanging: int = 256,
        idle_seconds: float = 5.0,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self.seconds = seconds
        self._max_hanging = max_hanging
        self._idle_seconds = idle_seconds
        self._on_answer = on_answer
        self._lock = Lock()
        self._hanging = 0
        self._idle: list[_Caller] = []

    @property
    def connect_and_read(self) -> tuple[float, float]:
        """The timeouts of one HTTP request: a server that is gone is known sooner than one that is slow."""
        return min(_CONNECT_SECONDS, self.seconds), self.seconds

    def within(self, call: Callable[[], T], *, times: float = 1) -> T:
        """Return or raise what `call` does; raise TimeoutError when `times` times the bound is over before it does."""
        if self._hanging >= self._max_hanging:
            raise TimeoutError(f"timed out: {self._hanging} earlier calls still hang")
        worker = self._idle_worker()
        answers: SimpleQueue[Outcome] = SimpleQueue()
        excused = _Excuse()
        worker.calls.put((partial(_excusable, call, excused), answers))
        try:
            result, failure = _awaited(answers, times * self.seconds, excused)
        except Empty:
            self._count(1)
            # The worker runs this when the hanging call has ended.
            worker.calls.put((partial(self._count, -1), answers))
            worker.calls.put(None)
            raise TimeoutError(f"timed out after {times * self.seconds:g} s") from None
        with self._lock:
            self._idle.append(worker)
        self._on_answer()
        if failure is not None:
            raise failure
        found: T = result
        return found

    def each(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield from `chunks`, each within the bound.

        After a time-out `chunks` is not closed here: closing would wait for the read that hangs.
        """
        while (chunk := self.within(partial(next, chunks, None))) is not None:
            yield chunk

    def _idle_worker(self) -> "_Caller":
        with self._lock:
            if self._idle:
                return self._idle.pop()
        worker = _Caller(self._retire, idle_seconds=self._idle_seconds)
        worker.start()
        return worker

    def _retire(self, worker: "_Caller") -> bool:
        """Remove a thread from the idle ones; false when it has got a call meanwhile."""
        with self._lock:
            unused = worker in self._idle
            if unused:
                self._idle.remove(worker)
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


class _Caller(Thread):
    """Makes one call after another, until it gets None, or is idle for a while and `retire` lets it end."""

    def __init__(self, retire: "Callable[[_Caller], bool]", *, idle_seconds: float) -> None:
        super().__init__(name="driftgauge-call", daemon=True)
        self.calls: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[Outcome]] | None] = SimpleQueue()
        self._retire = retire
        self._idle_seconds = idle_seconds

    def run(self) -> None:
        """Make the calls."""
        while True:
            try:
                job = self.calls.get(timeout=self._idle_seconds)
            except Empty:
                if self._retire(self):
                    return
                continue
            if job is None:
                return
            call, answers = job
            answers.put(_outcome(call))
            # So that they can be freed while it waits for the next.
            del job, call, answers


def _awaited(answers: "SimpleQueue[Outcome]", seconds: float, excused: _Excuse) -> Outcome:
    """Return the outcome when it comes in time; raise Empty when it does not."""
    end = monotonic() + seconds
    while (left := end + excused.seconds - monotonic()) > 0:
        with suppress(Empty):
            return answers.get(timeout=left)
    raise Empty


def _excusable(call: Callable[[], T], excused: _Excuse) -> T:
    """Make a call of which some seconds may not count."""
    _of_this_thread.excuse = excused
    try:
        return call()
    finally:
        _of_this_thread.excuse = None


def _outcome(call: Callable[[], Any]) -> Outcome:
    try:
        return call(), None
    except Exception as error:  # noqa: BLE001 - raised in the waiting thread
        return None, error

"""Where files are decoded and folded: in this process, or in others that a hostile file may break.

A task is a function of two arguments: a *shared* value, which many tasks need and which is large, and one argument of
its own. Both implementations here keep to one rule: what a task raises, its future raises.
"""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from driftgauge.errors import BatchError

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)
A = TypeVar("A")
R = TypeVar("R")


class Shared(Protocol[V_co]):
    """A value that tasks share; it travels between processes by pickle."""

    @property
    def fingerprint(self) -> str:
        """Equal for equal values; "" for one that need not be kept between tasks."""
        ...

    def load(self) -> V_co:
        """Return the value."""
        ...


@dataclass(frozen=True, slots=True)
class Carried(Generic[V]):
    """A value that goes along with each task."""

    value: V
    fingerprint: str = ""

    def load(self) -> V:
        """Return the value."""
        return self.value


# For tasks that need no shared value.
NOTHING: Final = Carried(None)


class Executor(Protocol):
    """Runs tasks; callable from several threads."""

    def share(self, value: V) -> Shared[V]:
        """Make a value ready to be shared, until `release`. Raises StateError when it cannot be written."""
        ...

    def release(self, shared: Shared[Any]) -> None:
        """Forget a shared value: no task will need it any more."""
        ...

    def submit(
        self, task: Callable[[V, A], R], shared: Shared[V], argument: A, *, within: float | None = None
    ) -> "Future[R]":
        """Begin `task(value, argument)`, which may take `within` seconds where that is less than is usual.

        The future raises what the task raises, and BatchError "crashed" when the process died of it, "out_of_memory"
        when it needs more than is allowed and "timed_out" when it does not end in time.
        """
        ...

    def close(self) -> None:
        """End all tasks, whatever they are doing, and forget all shared values; what is submitted later crashes."""
        ...


def out_of_memory() -> BatchError:
    """Return what the future of a task raises that could not get the memory it needs."""
    return BatchError("out_of_memory", "The file needs more memory to decode than is allowed; log smaller files.")


class Inline:
    """Runs tasks in this process, while they are submitted: a file that breaks its decoder breaks this process."""

    def share(self, value: V) -> Shared[V]:
        """Return the value itself."""
        return Carried(value)

    def release(self, shared: Shared[Any]) -> None:
        """Do nothing: nothing was made."""

    def submit(
        self,
        task: Callable[[V, A], R],
        shared: Shared[V],
        argument: A,
        *,
        within: float | None = None,  # noqa: ARG002 - what runs here cannot be ended
    ) -> "Future[R]":
        """Run the task and return its outcome."""
        future: Future[R] = Future()
        try:
            future.set_result(task(shared.load(), argument))
        except MemoryError:
            future.set_exception(out_of_memory())
        except Exception as error:  # noqa: BLE001 - whatever it is, the future raises it
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Do nothing: nothing runs."""


class Opened:
    """The shared values that a process has used last, at most `limit` of them."""

    def __init__(self, limit: int = 4) -> None:
        self._limit = limit
        self._values: OrderedDict[str, Any] = OrderedDict()

    def value(self, shared: Shared[V]) -> V:
        """Return a shared value: the same object for the same fingerprint, so that its caches stay."""
        if not shared.fingerprint:
            return shared.load()
        if shared.fingerprint not in self._values:
            self._values[shared.fingerprint] = shared.load()
        self._values.move_to_end(shared.fingerprint)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)
        value: V = self._values[shared.fingerprint]
        return value

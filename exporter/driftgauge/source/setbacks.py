"""What could not be used when it was last asked for, so that it is left alone for a while and costs itself only.

A run whose artifacts cannot be listed, a folder of one, a store that does not answer: each rests for a minute after it
failed, and twice as long after each failure more. Kept in memory: after a restart each is tried once.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from driftgauge.errors import BatchError

# The reason of what cannot be listed now, and perhaps later.
NOT_LISTED: Final = "not_listed"
_FIRST_PAUSE: Final = 60.0
# A run that was left out must not wait much longer than its store was gone.
_LONGEST_PAUSE: Final = 3600.0


class NotListed(BatchError):
    """A folder cannot be listed although the tracking server answers: the store fails, or does not like its name."""

    def __init__(self, text: str) -> None:
        super().__init__(NOT_LISTED, text)

    def __reduce__(self) -> tuple[type["NotListed"], tuple[str]]:  # type: ignore[override]  # one argument less
        """Pickle with its one argument."""
        return type(self), (str(self),)


@dataclass(frozen=True, slots=True)
class _Setback:
    """How often something failed in a row, and how it did; it rests for `pause` s from `at` (s) on."""

    failures: int
    at: float
    error: BatchError

    @property
    def pause(self) -> float:
        return min(_FIRST_PAUSE * 2.0 ** min(self.failures - 1, 20), _LONGEST_PAUSE)


class Setbacks:
    """Failures by key; safe to share between threads. clock: s since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._found: dict[Hashable, _Setback] = {}

    def of(self, key: Hashable) -> BatchError | None:
        """Return how `key` failed while it rests, else None."""
        found = self._found.get(key)
        # The distance, for clocks also go back.
        return found.error if found and abs(self._clock() - found.at) < found.pause else None

    def failed(self, key: Hashable, error: BatchError) -> None:
        """Let `key` rest."""
        with self._lock:
            before = self._found.get(key)
            failures = before.failures + 1 if before else 1
            self._found[key] = _Setback(failures, self._clock(), error)

    def ended(self, key: Hashable) -> None:
        """Forget that `key` failed."""
        with self._lock:
            self._found.pop(key, None)

    @property
    def resting(self) -> set[Hashable]:
        """The keys that rest."""
        with self._lock:
            found = list(self._found)
        return {key for key in found if self.of(key)}

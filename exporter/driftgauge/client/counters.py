"""Counters of a logger's rows and files, incremented from any thread; monotone while the process lives."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

# All count rows, except the last two.
CounterName = Literal[
    "logged", "labels_logged", "sampled_out", "spooled", "recovered", "uploaded", "files_uploaded", "upload_failures"
]
# Why a row was dropped.
Reason = Literal["buffer_full", "closed", "invalid", "spool_full", "unwritable"]
REASONS: Final[tuple[Reason, ...]] = ("buffer_full", "closed", "invalid", "spool_full", "unwritable")


class Counters:
    """Counters by name; dropped rows by reason. last_upload: seconds since 1970, None until the first."""

    def __init__(self) -> None:
        # Reentrant, because a signal handler may log while the same thread is counting.
        self._mutex = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[Reason] = Counter()
        self.last_upload: float | None = None

    def add(self, name: CounterName, number: int = 1) -> None:
        """Increment a counter."""
        with self._mutex:
            self._counts[name] += number

    def drop(self, reason: Reason, rows: int) -> None:
        """Count dropped rows."""
        with self._mutex:
            self._dropped[reason] += rows

    def count(self, name: CounterName) -> int:
        """Return a counter."""
        return self._counts[name]

    def dropped(self) -> Mapping[Reason, int]:
        """Return dropped rows by reason."""
        return {reason: self._dropped[reason] for reason in REASONS}

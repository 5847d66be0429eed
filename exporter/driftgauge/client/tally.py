"""Counts of what became of rows and files, from every thread; monotone for the life of a process."""

import threading
from collections import Counter
from typing import Final, Literal

# Why a row was dropped.
Reason = Literal["buffer_full", "closed", "invalid", "spool_full", "unwritable"]
REASONS: Final[tuple[Reason, ...]] = ("buffer_full", "closed", "invalid", "spool_full", "unwritable")


class Tally:
    """Counters by name; `dropped` rows by reason."""

    def __init__(self) -> None:
        # Reentrant, for a signal handler may log in the middle of counting.
        self._mutex = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[Reason] = Counter()
        self.last_upload: float | None = None

    def add(self, name: str, number: int = 1) -> None:
        """Count."""
        with self._mutex:
            self._counts[name] += number

    def drop(self, reason: Reason, rows: int) -> None:
        """Count dropped rows."""
        with self._mutex:
            self._dropped[reason] += rows

    def count(self, name: str) -> int:
        """Return a counter."""
        return self._counts[name]

    def dropped(self) -> dict[Reason, int]:
        """Return dropped rows by reason."""
        return {reason: self._dropped[reason] for reason in REASONS}

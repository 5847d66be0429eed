"""Counts of what became of rows and files, from every thread; monotone for the life of a process."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

# What is counted; rows but for the last two.
Fate = Literal[
    "logged", "labels_logged", "sampled_out", "spooled", "recovered", "uploaded", "files_uploaded", "upload_failures"
]
# Why a row was dropped.
Reason = Literal["buffer_full", "closed", "invalid", "spool_full", "unwritable"]
REASONS: Final[tuple[Reason, ...]] = ("buffer_full", "closed", "invalid", "spool_full", "unwritable")


class Tally:
    """Counters by fate; dropped rows by reason. last_upload: seconds since 1970, None until the first."""

    def __init__(self) -> None:
        # Reentrant, for a signal handler may log in the middle of counting.
        self._mutex = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[Reason] = Counter()
        self.last_upload: float | None = None

    def add(self, fate: Fate, number: int = 1) -> None:
        """Count."""
        with self._mutex:
            self._counts[fate] += number

    def drop(self, reason: Reason, rows: int) -> None:
        """Count dropped rows."""
        with self._mutex:
            self._dropped[reason] += rows

    def count(self, fate: Fate) -> int:
        """Return a counter."""
        return self._counts[fate]

    def dropped(self) -> Mapping[Reason, int]:
        """Return dropped rows by reason."""
        return {reason: self._dropped[reason] for reason in REASONS}

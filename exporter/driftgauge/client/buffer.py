"""Rows and batches in memory, in the order of logging, up to a limit.

`log` appends to `items` directly, since a method call would double its cost; everything else uses the methods. `log`
checks the limit without a lock, so the buffer can exceed it by one row per thread.
"""

import threading
from collections import deque
from typing import Any


class Buffer:
    """At most `capacity` rows; 0 once the logger is closed. `items` are rows (tuples) and batches."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.items: deque[Any] = deque()
        # Rows in batches.
        self.batched = 0
        self._mutex = threading.RLock()

    @property
    def rows(self) -> int:
        """How many rows wait; each batch counts as one more."""
        return len(self.items) + self.batched

    def put(self, batch: Any) -> bool:
        """Append a whole batch; false when there is no room for it."""
        with self._mutex:
            if self.rows + batch.rows > self.capacity:
                return False
            self.batched += batch.rows
            self.items.append(batch)
        return True

    def take(self) -> Any:
        """Return the oldest row or batch. Raises IndexError when there is none."""
        item = self.items.popleft()
        if type(item) is not tuple:
            with self._mutex:
                self.batched -= item.rows
        return item

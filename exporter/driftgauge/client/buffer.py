"""What is in memory: rows and batches in the order they were logged, up to a bound.

`log` appends to `items` itself, for a call would cost as much as all the rest; everything else goes through here. A
bound that is checked without a lock can be passed by as many rows as there are threads.
"""

import threading
from collections import deque
from typing import Any


class Buffer:
    """At most `capacity` rows; 0 when nothing is taken any more. `items` are rows (tuples) and batches."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.items: deque[Any] = deque()
        # Rows inside of batches.
        self.batched = 0
        self._mutex = threading.RLock()

    @property
    def rows(self) -> int:
        """How many rows wait, a batch counted as one more."""
        return len(self.items) + self.batched

    def put(self, batch: Any) -> bool:
        """Take a batch as a whole; false when there is no room for it."""
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

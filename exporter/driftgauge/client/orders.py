"""How other threads talk to the background threads, also from a signal handler: nothing here waits for a lock.

`queue.SimpleQueue.put` may be interrupted and called again by the same thread; an Event belongs to one order only.
"""

import queue
import threading
import time


class Order:
    """Something to do now; with `stop`, the last thing."""

    def __init__(self, *, stop: bool = False) -> None:
        self.stop = stop
        self._done = False
        self._answered = threading.Event()

    def answer(self, *, done: bool) -> None:
        """Say how it went."""
        self._done = done
        self._answered.set()

    def wait(self, deadline: float) -> bool:
        """Return how it went, false when it did not end before `deadline` (monotonic s)."""
        return self._answered.wait(max(0.0, deadline - time.monotonic())) and self._done


class Inbox:
    """Where a thread waits for orders. `awake`: it was nudged and has not come to it yet."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self.awake = False

    def nudge(self) -> None:
        """Have the thread look around now, if it was not told already."""
        if not self.awake:
            self.awake = True
            self._orders.put(None)

    def put(self, order: Order) -> Order:
        """Have the thread carry out an order."""
        self._orders.put(order)
        return order

    def next(self, timeout: float) -> Order | None:
        """Return the next order; None after `timeout` (s) or when nudged."""
        try:
            return self._orders.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return None
        finally:
            self.awake = False

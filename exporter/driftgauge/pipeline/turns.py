"""Whose turn it is to work: a few at once, and whoever only waits for others keeps nobody from it.

What counts as work is a sign of life now and then. Who shows none for a while hangs, on a server or a file, which takes
none of this machine; so the next one begins. Who works on and on makes room after a while, and goes to the end of the
queue.
"""

import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Lock
from typing import Final

_PATIENCE: Final = 2.0
_SHARE: Final = 10.0


class Turn:
    """A turn: when it began, and the last sign of life, in s of the clock. One thread uses it."""

    def __init__(self, turns: "Turns", waiting: Condition) -> None:
        self._turns = turns
        self.waiting = waiting
        self.began = self.sign = 0.0

    def goes_on(self) -> None:
        """Show a sign of life."""
        self._turns.go_on(self)

    def makes_room(self) -> None:
        """Wait for the next turn if this one has taken its share and others wait."""
        self._turns.make_room(self)

    def end(self) -> None:
        """Give the turn back."""
        self._turns.end(self)


class Turns:
    """At most `count` work at once; callable from any thread.

    patience: seconds without a sign of life after which one does not count. share: seconds after which one makes room
    for others that wait.
    """

    def __init__(
        self,
        count: int,
        *,
        patience: float = _PATIENCE,
        share: float = _SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = count
        self._patience = patience
        self._share = share
        self._clock = clock
        self._lock = Lock()
        self._queue: deque[Turn] = deque()
        self._working: set[Turn] = set()

    def take(self) -> Turn:
        """Wait for a turn and return it; whoever works on it ends it."""
        turn = Turn(self, Condition(self._lock))
        with self._lock:
            self._begin(turn)
        return turn

    def go_on(self, turn: Turn) -> None:
        """Take note of a sign of life; see `Turn`."""
        with self._lock:
            turn.sign = self._clock()

    def make_room(self, turn: Turn) -> None:
        """Have others go first that wait; see `Turn`."""
        with self._lock:
            turn.sign = self._clock()
            if self._queue and turn.sign - turn.began >= self._share:
                self._working.discard(turn)
                self._begin(turn)

    def end(self, turn: Turn) -> None:
        """Have the next one begin; see `Turn`."""
        with self._lock:
            self._working.discard(turn)
            self._wake()

    def _begin(self, turn: Turn) -> None:
        self._queue.append(turn)
        self._wake()
        while (wait := self._wait(turn)) is None or wait > 0:
            turn.waiting.wait(wait)
        self._queue.popleft()
        turn.began = turn.sign = self._clock()
        self._working.add(turn)
        self._wake()

    def _wait(self, turn: Turn) -> float | None:
        """Return after how long (s) a turn may be taken unless something changes; None when only a change can help."""
        if self._queue[0] is not turn:
            return None
        now = self._clock()
        left = sorted((each.sign + self._patience - now for each in self._working), reverse=True)
        return left[self._count - 1] if len(left) >= self._count else 0.0

    def _wake(self) -> None:
        """Have the first that waits look whether it may begin."""
        if self._queue:
            self._queue[0].waiting.notify()

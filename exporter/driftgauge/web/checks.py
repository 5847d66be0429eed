"""Checks of passwords against bcrypt hashes, on two threads of their own.

A check takes as long as the hash says, about a quarter of a second at the usual cost. When many wait, the newest comes
first, those of addresses that are not to blame before the others: whoever guesses has to wait for its own answers, so
what comes next may well be somebody else. The second thread takes only what has just come, so that a flood keeps one
processor busy and somebody new need not wait even for that.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import bcrypt

_THREADS: Final = 2
# How long (s) a check has just come; about what one takes.
_NEW_SECONDS: Final = 0.3
# "$2b$12$": all before salt and hash.
_PREFIX: Final = 7


class _Turn(NamedTuple):
    """A check that waits. blamed: whether its address has failed too often."""

    turn: "asyncio.Future[None]"
    blamed: bool
    since: float


class Checks:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="password")
        self._running = 0
        self._waiting: list[_Turn] = []

    async def run(self, check: Callable[[], bool], *, blamed: bool) -> bool:
        """Return what a check says when its turn has come. Cancelled while it waits, it is left out."""
        loop = asyncio.get_running_loop()
        if self._running < _THREADS:
            self._running += 1
        else:
            mine = _Turn(loop.create_future(), blamed, time.monotonic())
            self._waiting.append(mine)
            await mine.turn
        work = loop.run_in_executor(self._threads, check)
        # Also when nobody waits for the answer any more, a thread is free only when the check has ended.
        work.add_done_callback(lambda _: self._next())
        return await asyncio.shield(work)

    def _next(self) -> None:
        """Pass the turn on, or note that a thread is free."""
        self._waiting = [each for each in self._waiting if not each.turn.done()]
        chosen = max(self._waiting, key=lambda each: (not each.blamed, each.since), default=None)
        is_old = chosen is not None and time.monotonic() - chosen.since > _NEW_SECONDS
        if chosen is None or (is_old and self._running > 1):
            self._running -= 1
            return
        self._waiting.remove(chosen)
        chosen.turn.set_result(None)


def matches(password: bytes, hashed: str, *, cost: int) -> bool:
    """Return whether a password fits a hash. A refusal takes as long as one at `cost`, which is at least the hash's.

    Work doubles with each step of the cost, so the steps from a hash's own to `cost` add up to what is missing.
    """
    right = bcrypt.checkpw(password, hashed.encode())
    if not right:
        for step in range(cost_of(hashed), cost):
            bcrypt.checkpw(password, f"$2b${step:02}${hashed[_PREFIX:]}".encode())
    return right


def cost_of(hashed: str) -> int:
    """Return the cost that a bcrypt hash was made with: a check does 2 to its power rounds."""
    return int(hashed[4:6])

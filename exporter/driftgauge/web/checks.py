"""Checks of passwords against bcrypt hashes, on two threads of their own.

A check takes as long as the hash says, about a quarter of a second at the usual cost. When many wait, those of
addresses that are not to blame come first, then what has been asked before, then the newest: whoever guesses asks
something else each time and has to wait for its answers, so what comes next may well be somebody else. The second
thread takes only what has just come or comes again, so that a flood keeps one processor busy and somebody new need not
wait even for that.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import bcrypt

_THREADS: Final = 2
# For how long a check has just come: as many times what one takes at the moment, whatever else the machine does.
_NEW: Final = 3.0
_USUAL_SECONDS: Final = 0.25
_LEAST_SECONDS: Final = 0.1
_SMOOTHING: Final = 0.3
# "$2b$12$": all before salt and hash.
_PREFIX: Final = 7


class LeftOut(Exception):
    """A check was not made, for nobody waits for its answer any more."""


class Asked(NamedTuple):
    """Who asks. again: what was asked before and never checked.

    blamed: tells whether the address has failed too often by now. waits: whether anybody still waits for the answer.
    """

    again: bool = False
    blamed: Callable[[], bool] = lambda: False
    waits: Callable[[], bool] = lambda: True


class _Turn(NamedTuple):
    turn: "asyncio.Future[None]"
    asked: Asked
    since: float

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Return what comes first when it is greater."""
        return not self.asked.blamed(), self.asked.again, self.since


class Checks:
    """Belongs to one event loop. seconds: what a check takes at the moment."""

    def __init__(self) -> None:
        self.seconds = _USUAL_SECONDS
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="password")
        self._running = 0
        self._waiting: list[_Turn] = []

    async def run(self, check: Callable[[], bool], asked: Asked) -> bool:
        """Return what a check says when its turn has come.

        It is left out when this is cancelled before. Raises LeftOut when nobody waits for the answer any more.
        """
        loop = asyncio.get_running_loop()
        if self._running < _THREADS:
            self._running += 1
        else:
            mine = _Turn(loop.create_future(), asked, time.monotonic())
            self._waiting.append(mine)
            await mine.turn
        work = loop.run_in_executor(self._threads, self._timed, check)
        # Also when nobody waits for the answer any more, a thread is free only when the check has ended.
        work.add_done_callback(lambda _: self._next())
        return await asyncio.shield(work)

    def _timed(self, check: Callable[[], bool]) -> bool:
        began = time.monotonic()
        try:
            return check()
        finally:
            self.seconds += _SMOOTHING * (time.monotonic() - began - self.seconds)

    def _next(self) -> None:
        """Pass the turn on, or note that a thread is free."""
        for each in self._waiting:
            if not (each.turn.done() or each.asked.waits()):
                each.turn.set_exception(LeftOut())
        self._waiting = [each for each in self._waiting if not each.turn.done()]
        chosen = max(self._waiting, key=lambda each: each.rank, default=None)
        if chosen is None or (self._running > 1 and not self._may_have_both(chosen)):
            self._running -= 1
            return
        self._waiting.remove(chosen)
        chosen.turn.set_result(None)

    def _may_have_both(self, chosen: _Turn) -> bool:
        return chosen.asked.again or time.monotonic() - chosen.since < _NEW * max(self.seconds, _LEAST_SECONDS)


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

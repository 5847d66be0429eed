"""How often a server is asked: as often as it likes until it refuses, then as often as it lets us.

A gateway that limits requests answers 429, or 503, perhaps with `Retry-After`. It is then asked more slowly by all
threads, which share one `Pace` for each server: the rate is cut at a refusal and grows again by one request a second
each second, slow ones by an eighth with each answer, while requests wait for their turn (additive increase,
multiplicative decrease: Chiu and Jain, 1989). Refusals without any answer between them double the pause, not the cut.
"""

import time
from collections import deque
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from math import inf
from threading import Lock
from typing import Any, Final
from weakref import WeakValueDictionary

from driftgauge.errors import SourceUnavailable
from driftgauge.source.causes import LIMITED
from driftgauge.source.deadline import excuse
from driftgauge.source.origins import Origin, origin_of
from driftgauge.source.schedule import DEFAULT_PORTIONS

_TOO_MANY: Final = 429
_OUT_OF_SERVICE: Final = 503
REFUSED: Final = (_TOO_MANY, _OUT_OF_SERVICE)
# With 503 a server that has answered somebody within the first time limits requests, and one that has answered nobody
# for the second is out of service.
_LATELY: Final = 10.0
_SILENCE: Final = 2.0
_PAUSE: Final = 0.25
_CUT: Final = 0.7
# By which share of itself the rate grows at most with each answer.
_GROWTH: Final = 1 / 8
_SLOWEST: Final = 0.02
# What it is asked at least once it has refused something for the first time.
_FIRST: Final = 4.0
_MOST_MISSES: Final = 10
# Faster than that nobody is held back.
_FASTEST: Final = 1_000.0
_LONGEST_RETRY_AFTER: Final = 86_400


class Pace:
    """The pace at which one server is asked; safe to share between threads.

    server: its name in messages. patience: how long (s) a request may wait for its turn. clock: seconds of any origin;
    sleep: waits so many.
    """

    def __init__(
        self,
        server: str = "",
        *,
        patience: float = DEFAULT_PORTIONS.patience,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server: Final = server
        self.patience = patience
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._rate = inf
        self._next = -inf
        self._cut_at = -inf
        # Refusals since the last answer.
        self._misses = 0
        self._answered_at = -inf
        # When the latest answers came, by which the first rate is chosen.
        self._answers: deque[float] = deque(maxlen=256)

    @property
    def rate(self) -> float:
        """How many requests per second it is asked at most; infinite until it refuses."""
        return self._rate

    @property
    def is_limited(self) -> bool:
        """Whether it has refused requests for being too many."""
        return self._rate < inf

    def send(self, ask: Callable[[], Any]) -> Any:
        """Return the response of `ask`, called when it is its turn, and again while the server refuses it.

        The response is a refusal when no turn comes in time. Raises SourceUnavailable when none came for the first.
        """
        until = self._clock() + self.patience
        while True:
            held_back = self._take(until)
            sent_at = self._clock()
            response = ask()
            if response.status_code not in REFUSED:
                self._answered(held_back=held_back)
                return response
            if not self._has_turn_after(response, sent_at, until):
                return response
            response.close()

    def _take(self, until: float) -> bool:
        """Wait for a turn; return whether that took time."""
        held_back = False
        while (pause := self._pause(until)) > 0:
            held_back = True
            excuse(pause)
            self._sleep(pause)
        return held_back

    def _pause(self, until: float) -> float:
        """Take a turn if there is one now; return how long to wait for the next otherwise."""
        with self._lock:
            now = self._clock()
            if self._next > max(until, now):
                where = f"{self.server}: " if self.server else ""
                raise SourceUnavailable(f"{where}{LIMITED.words}", reason=LIMITED.reason)
            if self._next > now:
                return self._next - now
            self._next = now + 1 / self._rate
            return 0.0

    def _answered(self, *, held_back: bool) -> None:
        with self._lock:
            self._answered_at = self._clock()
            self._answers.append(self._answered_at)
            self._misses = 0
            if self.is_limited and held_back:
                self._rate += min(1 / self._rate, _GROWTH)
                if self._rate > _FASTEST:
                    self._rate = inf

    def _has_turn_after(self, response: Any, sent_at: float, until: float) -> bool:
        """Slow down after a refusal; return whether another attempt makes sense before `until`."""
        wanted = retry_after(response.headers.get("Retry-After", ""), now=time.time())
        with self._lock:
            now = self._clock()
            is_limit = response.status_code == _TOO_MANY or wanted > 0
            # Who was asked before it was slowed down says nothing new.
            if sent_at >= self._cut_at and (is_limit or now - self._answered_at < _LATELY):
                self._slow_down(now)
            pause = max(wanted, 2**self._misses / self._rate if self.is_limited else _PAUSE)
            # No longer than anybody waits: the next refresh finds out whether it is right again.
            self._next = max(self._next, now + min(pause, self.patience))
            silence = now - max(self._answered_at, until - self.patience)
            may_ask = is_limit or silence < max(_SILENCE, 2 / self._rate)
            return may_ask and now + wanted <= until and self._next <= until

    def _slow_down(self, now: float) -> None:
        if not self.is_limited:
            lately = sum(now - 1 <= each for each in self._answers)
            self._rate = max(_FIRST, lately / 2)
        elif self._answered_at > self._cut_at:
            self._rate = max(_SLOWEST, self._rate * _CUT)
        else:
            self._misses = min(self._misses + 1, _MOST_MISSES)
        self._cut_at = now


def retry_after(text: str, *, now: float) -> float:
    """Return how many seconds a `Retry-After` header means at `now` (s since 1970), 0 when it means none (RFC 9110)."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), _LONGEST_RETRY_AFTER))
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - now), _LONGEST_RETRY_AFTER)
    except (TypeError, ValueError, OverflowError):
        return 0.0


_PACES: Final[WeakValueDictionary[Origin, Pace]] = WeakValueDictionary()
_LOCK: Final = Lock()


def pace_for(url: str, *, patience: float) -> Pace:
    """Return the pace at which the server of an http(s) URL is asked, which lasts as long as somebody holds it."""
    origin = origin_of(url)
    with _LOCK:
        pace = _PACES.get(origin) if origin else None
        if pace is None:
            pace = Pace(f"{origin.scheme}://{origin.host}:{origin.port}" if origin else "", patience=patience)
            if origin:
                _PACES[origin] = pace
        return pace


def pace_of(url: str) -> Pace | None:
    """Return the pace of the server that a URL asks, if somebody holds it."""
    origin = origin_of(url)
    return _PACES.get(origin) if origin else None

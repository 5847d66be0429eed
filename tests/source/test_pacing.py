"""The pace at which a server is asked, against gateways that limit as real ones do, in time that is only counted."""

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf

import pytest

from driftgauge.errors import SourceUnavailable
from driftgauge.source.pacing import Pace, pace_for, pace_of, retry_after

ROUND_TRIP = 0.005


@dataclass
class Response:
    """An answer."""

    status_code: int
    headers: dict[str, str] = field(default_factory=dict)

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Gateway:
    """Allows `rate` requests a second and `burst` at once, as nginx does; others are answered with `status`."""

    rate: float
    burst: float
    status: int = 429
    retry: str = ""
    now: float = 1000.0
    seen: list[tuple[float, bool]] = field(default_factory=list)
    excess: float = 0.0
    last: float = 0.0

    def __call__(self) -> Response:
        """Answer a request."""
        self.now += ROUND_TRIP
        left = max(0.0, self.excess - (self.now - self.last) * self.rate)
        allowed = left <= self.burst
        self.excess, self.last = (left + 1 if allowed else left), self.now
        self.seen.append((self.now, allowed))
        return Response(200) if allowed else Response(self.status, {"Retry-After": self.retry} if self.retry else {})

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def pace(self, **options: float) -> Pace:
        """Return what is tested, in this gateway's time."""
        return Pace(clock=lambda: self.now, sleep=self.sleep, **options)

    @property
    def refused(self) -> int:
        """How many requests were refused."""
        return sum(not allowed for _, allowed in self.seen)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retry", ["", "1"])
@pytest.mark.parametrize(("rate", "burst"), [(20, 40), (10, 5), (10, 0), (2, 1)])
def test_all_requests_are_answered(rate: float, burst: float, status: int, retry: str) -> None:
    """Two hundred requests get their answers in at most three times the least time, and few are refused."""
    gateway = Gateway(rate, burst, status=status, retry=retry)
    pace, began = gateway.pace(), gateway.now
    gateway()
    assert [pace.send(gateway).status_code for _ in range(200)] == [200] * 200
    least = max(0.0, 200 - burst) / rate
    assert gateway.now - began < 3 * least + 5
    assert gateway.refused < 40
    assert pace.rate < 2 * rate + 2


def test_a_server_that_limits_nothing_is_never_held_back() -> None:
    """Without refusals nobody waits."""
    gateway = Gateway(inf, inf)
    pace, began = gateway.pace(), gateway.now
    for _ in range(100):
        pace.send(gateway)
    assert gateway.now - began == pytest.approx(100 * ROUND_TRIP)
    assert not pace.is_limited


def test_it_grows_again() -> None:
    """When the limit is raised the pace follows, by about one request a second each second."""
    gateway = Gateway(5, 0)
    pace = gateway.pace()
    for _ in range(100):
        pace.send(gateway)
    assert pace.rate < 8
    gateway.rate, gateway.burst, began, before = inf, inf, gateway.now, pace.rate
    for _ in range(300):
        pace.send(gateway)
    assert pace.rate - before == pytest.approx(gateway.now - began, rel=0.3)


def test_retry_after_is_kept_by_all() -> None:
    """Nobody asks before its time; when that is too long it is said at once, and asked again after the patience."""
    gateway = Gateway(0, -1, retry="20")
    pace = gateway.pace(patience=30.0)
    began = gateway.now
    assert pace.send(gateway).status_code == 429
    times = [at - began for at, _ in gateway.seen]
    assert len(times) == 2
    assert times[1] - times[0] >= 20

    gateway = Gateway(0, -1, retry="600")
    pace = gateway.pace(patience=30.0)
    assert pace.send(gateway).status_code == 429
    assert (len(gateway.seen), gateway.now) == (1, 1000 + ROUND_TRIP)
    pace.patience = 10.0
    with pytest.raises(SourceUnavailable, match="raise the limit") as failure:
        pace.send(gateway)
    assert failure.value.reason == "rate_limited"
    gateway.now += 30
    gateway.burst = inf
    assert pace.send(gateway).status_code == 200


def test_a_server_out_of_service_is_known_soon() -> None:
    """503 for everybody is not a limit: two seconds, and a few requests."""
    gateway = Gateway(0, -1, status=503)
    pace, began = gateway.pace(), gateway.now
    assert pace.send(gateway).status_code == 503
    assert gateway.now - began < 3
    assert len(gateway.seen) < 12
    assert not pace.is_limited


def test_a_server_that_refuses_everybody_is_asked_ever_more_slowly() -> None:
    """429 for everybody ends after the patience, with a handful of requests."""
    gateway = Gateway(0, -1)
    pace, began = gateway.pace(), gateway.now
    assert pace.send(gateway).status_code == 429
    assert gateway.now - began <= 30
    assert len(gateway.seen) < 12
    gateway.burst, began = inf, gateway.now
    for _ in range(20):
        pace.send(gateway)
    assert gateway.now - began < 20, "it is soon as fast as before"


def together(gateway: Gateway, pace: Pace, threads: int, requests: int) -> Iterator[float]:
    """Yield the times at which so many threads get answers, each asking again as soon as it has one."""
    # A turn at a time: whoever is next by its own time goes on.
    queue = [(gateway.now, thread) for thread in range(threads)]
    for _ in range(requests):
        at, thread = heapq.heappop(queue)
        gateway.now = max(gateway.now, at)
        assert pace.send(gateway).status_code == 200
        heapq.heappush(queue, (gateway.now, thread))
        yield gateway.now


def test_threads_share_it() -> None:
    """Eight that ask at once are together as fast as one."""
    gateway = Gateway(20, 40)
    *_, last = together(gateway, gateway.pace(), 8, 200)
    assert last - 1000 < 3 * (200 - 40) / 20
    assert gateway.refused < 40


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5),
        (" 120 ", 120),
        ("Mon, 30 Nov 2026 02:00:30 GMT", 30),
        ("Mon, 30 Nov 2026 01:00:00 GMT", 0),
        ("", 0),
        ("-3", 0),
        ("soon", 0),
        ("9" * 400, 86_400),
        ("Mon, 30 Nov 99999 02:00:30 GMT", 0),
        ("٣", 0),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    """Seconds or a date, as servers write them; anything else says nothing."""
    assert retry_after(text, now=1_796_004_000.0) == seconds


def test_one_for_each_server() -> None:
    """Whoever asks the same origin has the same pace, as long as somebody holds it."""
    held = pace_for("http://me:word@host-of-this-test/mlflow", patience=1.0)
    assert pace_of("http://host-of-this-test:80/api") is held
    assert pace_for("http://HOST-of-this-test", patience=1.0) is held
    assert pace_of("https://host-of-this-test/api") is None
    del held
    assert pace_of("http://host-of-this-test/api") is None
    assert pace_for("sqlite:///mlflow.db", patience=1.0) is not pace_for("sqlite:///mlflow.db", patience=1.0)


def test_the_clock_is_real() -> None:
    """By default a turn is waited for."""
    pace, answers = Pace(), [Response(429), Response(200)]
    ask: Callable[[], Response] = lambda: answers.pop(0)  # noqa: E731 - one line
    began = time.monotonic()
    assert pace.send(ask).status_code == 200
    assert time.monotonic() - began >= 0.25

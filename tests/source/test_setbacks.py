"""What failed rests, longer each time."""

import pickle

from driftgauge.source.setbacks import NotListed, Setbacks
from source.conftest import Clock

GONE = NotListed("gone")


def test_pauses_grow() -> None:
    """A minute, two, four, … an hour; what works again is as if it had never failed."""
    clock = Clock(1_000_000.0)
    setbacks = Setbacks(clock)
    pauses = []
    for _ in range(9):
        setbacks.failed("x", GONE)
        begun = clock.now
        while setbacks.of("x"):
            clock.now += 10
        pauses.append(clock.now - begun)
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    setbacks.ended("x")
    setbacks.failed("x", GONE)
    clock.now += 60
    assert setbacks.of("x") is None


def test_what_rests() -> None:
    """The keys that rest are known, and a clock that goes back by days ends their rest."""
    clock = Clock(1_000_000.0)
    setbacks = Setbacks(clock)
    setbacks.failed("x", GONE)
    setbacks.failed(("run", ""), GONE)
    assert setbacks.resting == {"x", ("run", "")}
    assert setbacks.of("x") is GONE
    clock.now -= 86_400
    assert setbacks.resting == set()


def test_not_listed_travels() -> None:
    """As any failure of a file it passes between processes."""
    found = pickle.loads(pickle.dumps(GONE))  # noqa: S301 - made here
    assert (found.reason, str(found)) == ("not_listed", "gone")

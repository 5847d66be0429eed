"""How long failures are held back."""

import pytest

from driftgauge.web.throttling import Rate, Throttle


def throttle(each: tuple[int, float] = (3, 2.0), together: tuple[int, float] = (1000, 0.001)) -> Throttle:
    """Return one with room for four addresses."""
    return Throttle(each=Rate(*each), together=Rate(*together), longest=10.0, most=4)


def test_some_failures_are_free() -> None:
    """Then each waits longer than the one before, up to the longest time."""
    limited = throttle()

    holds = [limited.fail("a", 100.0) for _ in range(9)]

    assert holds == [0, 0, 0, 2, 4, 6, 8, 10, 10]


def test_time_makes_up_for_failures() -> None:
    """One more is free each time the rate allows one."""
    limited = throttle()
    for _ in range(3):
        limited.fail("a", 100.0)

    assert [limited.fail("a", 104.0) for _ in range(3)] == [0, 0, 2]


def test_addresses_are_told_apart() -> None:
    """One that fails does not slow the others down, and is the one to blame."""
    limited = throttle()
    for _ in range(4):
        last = limited.fail("a", 0.0)

    assert (last, limited.fail("b", 0.0)) == (2.0, 0.0)
    assert [limited.blames(name, 0.0) for name in ("a", "b", "c")] == [True, False, False]
    assert not limited.blames("a", 3.0)


def test_what_costs_more_counts_more() -> None:
    """Where a check takes as long as three usual ones, a failure counts as three."""
    limited = throttle()

    assert [limited.fail("a", 0.0, weight=3) for _ in range(3)] == [0, 6, 10]
    limited.succeed("b", weight=3)


def test_all_together_have_a_pace() -> None:
    """Many addresses that fail once each are held back, though none of them is to blame."""
    limited = throttle(each=(3, 2.0), together=(2, 1.0))

    assert [limited.fail(str(n), 0.0) for n in range(4)] == [0, 0, 1, 2]


def test_what_turns_out_right_does_not_count() -> None:
    """A scraper whose first request was checked has used up nothing."""
    limited = throttle(together=(3, 1.0))
    for _ in range(20):
        assert limited.fail("a", 0.0) == 0
        limited.succeed("a")
    limited.succeed("never seen")


def test_addresses_are_forgotten() -> None:
    """However many come, only the last ones are remembered."""
    limited = throttle()
    for n in range(100):
        limited.fail(str(n), float(n))

    assert len(limited) == 4


@pytest.mark.parametrize("seconds", [20.0, 1e6])
def test_a_flood_is_forgiven(seconds: float) -> None:
    """However long it went on, some time after its end all is as before."""
    limited = throttle()
    for _ in range(10_000):
        limited.fail("a", 0.0)

    assert limited.fail("a", seconds) == 0

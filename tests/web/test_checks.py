"""Whose password is checked next, and for how long."""

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial

import bcrypt
import pytest

from driftgauge.web.checks import Asked, Checks, cost_of, matches
from processes import eventually

PATIENCE = 30


class Desk:
    """Checks that end when they are let go; notes in which order they began."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.let_go = threading.Event()

    def check(self, name: str) -> Callable[[], bool]:
        """Return a check."""

        def run() -> bool:
            let_go = self.let_go
            self.began.append(name)
            assert let_go.wait(PATIENCE)
            return name == "right"

        return run

    async def until(self, count: int) -> None:
        """Wait until so many have begun."""
        assert await asyncio.to_thread(eventually, lambda: len(self.began) >= count, seconds=PATIENCE)


def test_the_newest_comes_first() -> None:
    """Two run at a time; then those of addresses that are not to blame, the newest of them first."""

    async def story() -> tuple[list[str], list[bool]]:
        desk, checks = Desk(), Checks()
        tasks = []
        for name, blamed in [("1", True), ("2", True), ("old", True), ("new", True), ("fair", False), ("right", False)]:
            tasks.append(asyncio.create_task(checks.run(desk.check(name), Asked(blamed=partial(bool, blamed)))))
            await asyncio.sleep(0.02)
        await desk.until(2)
        desk.let_go.set()
        return desk.began, await asyncio.gather(*tasks)

    began, verdicts = asyncio.run(story())

    assert sorted(began[:2]) == ["1", "2"]
    assert began[2:] == ["right", "fair", "new", "old"] or sorted(began[2:4]) == ["fair", "right"]
    assert verdicts == [False, False, False, False, False, True]


def test_one_thread_is_kept_for_who_has_just_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has waited for long is checked one at a time, and somebody new need not wait."""
    monkeypatch.setattr("driftgauge.web.checks._NEW", 0.0)

    async def story() -> tuple[list[str], str]:
        desk, checks = Desk(), Checks()
        tasks = [asyncio.create_task(checks.run(desk.check(str(n)), Asked(blamed=lambda: True))) for n in range(5)]
        await desk.until(2)
        # The first two end, the first of the others begins, and one thread is free.
        desk.let_go.set()
        desk.let_go = threading.Event()
        await asyncio.wait(tasks[:2])
        await desk.until(3)
        tasks.append(asyncio.create_task(checks.run(desk.check("right"), Asked(blamed=lambda: True))))
        await desk.until(4)
        fourth = desk.began[3]
        desk.let_go.set()
        await asyncio.gather(*tasks)
        return desk.began, fourth

    began, fourth = asyncio.run(story())

    assert fourth == "right"
    assert len(began) == 6


def test_whoever_gives_up_is_left_out() -> None:
    """A check that nobody waits for any more does not run; one that runs is finished."""

    async def story() -> list[str]:
        desk, checks = Desk(), Checks()
        tasks = [asyncio.create_task(checks.run(desk.check(str(n)), Asked())) for n in range(4)]
        await desk.until(2)
        tasks[0].cancel()
        tasks[3].cancel()
        desk.let_go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(checks.run(desk.check("right"), Asked()) for _ in range(2)))
        return desk.began

    began = asyncio.run(story())

    assert sorted(began) == ["0", "1", "2", "right", "right"]


def test_what_comes_again_goes_first() -> None:
    """Before what is newer, on both threads; what nobody waits for any more is left out."""

    async def story() -> tuple[list[str], list[object]]:
        desk, checks = Desk(), Checks()
        tasks = []
        for name, asked in [
            ("1", Asked()),
            ("2", Asked()),
            ("right", Asked(again=True)),
            ("new", Asked()),
            ("gone", Asked(again=True, waits=lambda: False)),
        ]:
            tasks.append(asyncio.create_task(checks.run(desk.check(name), asked)))
            await asyncio.sleep(0.02)
        await desk.until(2)
        desk.let_go.set()
        return desk.began, [repr(each) for each in await asyncio.gather(*tasks, return_exceptions=True)]

    began, answers = asyncio.run(story())

    assert sorted(began[:2]) == ["1", "2"]
    assert sorted(began[2:]) == ["new", "right"]
    assert answers == ["False", "False", "True", "False", "LeftOut()"]


@pytest.mark.parametrize("cost", [4, 5, 7])
def test_a_refusal_takes_as_long_at_any_cost(cost: int) -> None:
    """A wrong password against a cheap hash takes as long as one against the dearest."""
    cheap, dear = (bcrypt.hashpw(b"x", bcrypt.gensalt(each)).decode() for each in (cost, 9))

    def seconds(hashed: str) -> float:
        began = time.thread_time()
        assert not matches(b"y", hashed, cost=9)
        return time.thread_time() - began

    ratio = min(seconds(cheap) for _ in range(4)) / min(seconds(dear) for _ in range(4))
    assert (cost_of(cheap), cost_of(dear)) == (cost, 9)
    assert 0.6 < ratio < 1.7
    assert matches(b"x", cheap, cost=9)

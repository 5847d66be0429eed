"""A clock that does not jump."""

from dataclasses import dataclass

import pytest

from driftgauge.service.steady import SteadyClock

START = 1_768_000_000.0
DAY = 86_400.0


@dataclass
class Machine:
    """A machine whose clock a test moves: how long it runs (s), and by how much its clock is wrong (s)."""

    runs: float = 0.0
    wrong: float = 0.0

    def clock(self) -> SteadyClock:
        """Return the clock over it."""
        return SteadyClock(lambda: START + self.runs + self.wrong, lambda: self.runs)


@pytest.mark.parametrize("wrong", [40 * DAY, -2 * DAY, 90.0])
def test_one_wrong_clock_changes_nothing(wrong: float) -> None:
    """While the machine's clock is wrong the time goes on, and nobody notices when it is right again."""
    machine = Machine()
    clock = machine.clock()
    for step in range(1, 100):
        machine.runs = step * 30.0
        machine.wrong = wrong if 10 < step < 60 else 0.0
        assert clock() == START + machine.runs
        assert clock.slack == max(0.0, machine.wrong)


@pytest.mark.parametrize("correction", [20.0, -50.0])
def test_corrections_are_followed(correction: float) -> None:
    """A clock that is set by seconds, or that goes a little faster or slower, is followed at once."""
    machine = Machine()
    clock = machine.clock()
    for step in range(1, 10):
        machine.runs, machine.wrong = step * 30.0, step * correction
        assert clock() == START + machine.runs + machine.wrong
    assert clock.slack == 0


@pytest.mark.parametrize("wrong", [40 * DAY, -DAY])
def test_a_jump_that_lasts_is_the_truth(wrong: float) -> None:
    """A clock that was set is followed after an hour; another jump begins that hour anew."""
    machine = Machine(runs=100.0, wrong=0.0)
    clock = machine.clock()
    machine.wrong = wrong / 2
    assert clock() == START + 100
    machine.runs += 3000
    machine.wrong = wrong
    assert clock() == START + machine.runs
    machine.runs += 3590
    assert clock() == START + machine.runs
    machine.runs += 20
    assert clock() == START + machine.runs + wrong
    assert clock.slack == 0


def test_rows_confirm_a_jump() -> None:
    """A machine that stood still is ahead when it goes on: rows that come with its time say that it is right."""
    machine = Machine()
    clock = machine.clock()
    machine.wrong = 7200.0
    assert clock() == START
    clock.confirm(START + 200)
    assert clock() == START
    clock.confirm(START + 7190)
    assert clock() == START + 7200
    assert clock.slack == 0


def test_rows_ahead_confirm_nothing_while_the_clock_is_right() -> None:
    """A row from the future is no reason to follow anything."""
    clock = Machine().clock()
    clock.confirm(START + DAY)
    assert clock() == START

"""Who is closed first; deadlines are in test_server.py, floods in test_floods.py."""

from dataclasses import dataclass, field
from typing import cast

from driftgauge.web.connections import Connection, Connections, connection_of


@dataclass(eq=False)
class Fake:
    """A connection that has earned so much."""

    register: Connections
    earned: int
    address: str = "a"
    aborted: bool = field(default=False)

    def abort(self) -> None:
        """Note that it was closed."""
        self.aborted = True
        self.register.remove(cast("Connection", self))


def filled(*earned: tuple[int, str]) -> tuple[Connections, list[Fake]]:
    """Return a register that is full."""
    register = Connections(len(earned))
    fakes = [Fake(register, each, address) for each, address in earned]
    for fake in fakes:
        register.add(cast("Connection", fake))
    return register, fakes


def closed_for_one_more(*earned: tuple[int, str]) -> list[int]:
    """Return which connections of a full register are closed for another one."""
    register, fakes = filled(*earned)
    assert not any(fake.aborted for fake in fakes)
    register.add(cast("Connection", Fake(register, 0, "new")))
    return [number for number, fake in enumerate(fakes) if fake.aborted]


def test_who_has_earned_least_goes_first() -> None:
    """The silent before the refused, these before the idle, and what is being answered at last."""
    assert closed_for_one_more((3, "a"), (2, "a"), (1, "a"), (0, "a")) == [3]
    assert closed_for_one_more((3, "a"), (2, "a"), (1, "a")) == [2]
    assert closed_for_one_more((3, "a"), (2, "a")) == [1]
    assert closed_for_one_more((3, "a"), (3, "a")) == [0]


def test_the_address_that_has_most_goes_first() -> None:
    """Others are spared, the oldest ones go, and at most half of what the address has."""
    assert closed_for_one_more((0, "b"), (0, "a"), (0, "a"), (0, "a"), (0, "a")) == [1, 2]


def test_idle_ones_go_one_at_a_time() -> None:
    """Who was answered is closed only for somebody who came."""
    assert closed_for_one_more(*[(2, "a")] * 10) == [0]


def test_nothing_to_close() -> None:
    """Without any connection there is no room to be made."""
    assert not Connections(3).close_some()
    assert len(Connections(3)) == 0


def test_a_request_without_a_server() -> None:
    """An application that is called by something else has no connection to speak of."""
    assert connection_of({}) is None
    assert connection_of({"state": {"connection": "?"}}) is None

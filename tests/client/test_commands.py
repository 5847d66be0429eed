"""Commands to a background thread: each is answered once, and a wake-up is sent once until it is seen."""

import time
from threading import Thread

from driftgauge.client.commands import Command, CommandQueue


def test_a_command_is_answered() -> None:
    """Whoever waits gets the result that the thread sets."""
    commands = CommandQueue()
    command = commands.put(Command())

    def work() -> None:
        found = commands.next(timeout=30)
        assert found is not None
        found.answer(done=True)

    thread = Thread(target=work)
    thread.start()
    assert command.wait(time.monotonic() + 30)
    thread.join(30)


def test_no_answer_in_time_is_no_success() -> None:
    """Neither is one that says that the work was not done."""
    late, failed = Command(), Command()
    failed.answer(done=False)
    assert not late.wait(time.monotonic())
    assert not failed.wait(time.monotonic() + 30)


def test_wake_ups_are_not_piled_up() -> None:
    """Several before the thread looks are one; after it has looked, the next one counts again."""
    commands = CommandQueue()
    commands.wake()
    commands.wake()
    assert commands.awake
    assert commands.next(timeout=30) is None
    assert not commands.awake

    last = commands.put(Command(stop=True))
    assert commands.next(timeout=0) is last
    assert commands.next(timeout=0) is None

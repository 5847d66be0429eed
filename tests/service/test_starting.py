"""The order of a start: ready when it answers, reloads when signals come, whenever they come."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import cast

import pytest
from structlog.testing import capture_logs

from driftgauge.errors import ConfigError
from driftgauge.service.front import Front
from driftgauge.service.notify import Notifier
from driftgauge.service.starting import Starting
from processes import eventually

PATIENCE = 30


class Fake:
    """A front whose reloads are counted and take a while."""

    def __init__(self, outcome: Callable[[], str | None] = lambda: None) -> None:
        self.events: list[str] = []
        self._outcome = outcome

    def start(self) -> None:
        """Note it."""
        self.events.append("start")

    def stop(self) -> bool:
        """Note it."""
        self.events.append("stop")
        return True

    def reload(self) -> str | None:
        """Note it."""
        self.events.append("reload")
        time.sleep(0.05)
        return self._outcome()


class Heard(Notifier):
    """What would be said to systemd."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def _say(self, *lines: str) -> None:
        self.lines.append(lines[0] if len(lines) < 2 or "=" not in lines[1] else f"{lines[0]} {lines[1]}")


def started(front: Fake, heard: Heard | None = None) -> Starting:
    """Return what starts that front, at work."""

    def make(_: Sequence[str], __: Callable[[str], None]) -> Front:
        return cast("Front", front)

    starting = Starting(make, notifier=heard)
    starting.start(["http://localhost:1"])
    assert eventually(lambda: starting.front is not None, seconds=PATIENCE)
    return starting


def test_a_storm_of_signals() -> None:
    """A hundred signals, which interrupt each other, end in a few reloads, the last one after the last signal."""
    front, heard = Fake(), Heard()
    before = signal.getsignal(signal.SIGHUP)
    starting = started(front, heard)
    signal.signal(signal.SIGHUP, lambda *_: starting.reload_soon())
    try:
        for _ in range(100):
            os.kill(os.getpid(), signal.SIGHUP)
        reloads = front.events.count("reload")
        assert eventually(lambda: front.events.count("reload") > reloads, seconds=PATIENCE)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert starting.stop()

    assert front.events[0] == "start"
    assert 1 <= front.events.count("reload") < 50
    assert heard.lines[0] == "READY=1 STATUS=serves http://localhost:1"
    assert [line.split()[0] for line in heard.lines[1:3]] == ["RELOADING=1", "READY=1"]


def test_signals_before_there_is_a_front() -> None:
    """They are remembered, and one reload follows the start."""
    front, go = Fake(), threading.Event()

    def make(_: Sequence[str], __: Callable[[str], None]) -> Front:
        assert go.wait(PATIENCE)
        return cast("Front", front)

    starting = Starting(make)
    starting.reload_soon()
    starting.start(["http://localhost:1"])
    starting.reload_soon()
    go.set()
    assert eventually(lambda: len(front.events) == 2, seconds=PATIENCE)
    assert starting.stop()
    assert front.events == ["start", "reload", "stop"]


def test_ready_is_said_when_a_request_was_answered() -> None:
    """Not before; and a stop meanwhile is not held up."""
    front, heard, answers = Fake(), Heard(), [False]
    starting = Starting(lambda *_: cast("Front", front), notifier=heard)
    starting.answers = lambda: answers[0]
    starting.start(["http://localhost:1"])
    assert eventually(lambda: starting.front is not None, seconds=PATIENCE)
    time.sleep(0.3)
    assert heard.lines == []
    answers[0] = True
    assert eventually(lambda: heard.lines != [], seconds=PATIENCE)
    assert starting.stop()

    starting = Starting(lambda *_: cast("Front", Fake()), notifier=heard)
    starting.answers = lambda: False
    starting.start(["http://localhost:1"])
    assert starting.stop()
    assert len(heard.lines) == 1


def broken() -> str | None:
    """Fail as a bug does."""
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (lambda: None, "READY=1 STATUS=reloaded"),
        (lambda: "a.yml:1: no", "READY=1 STATUS=the old configuration stays in use: a.yml:1: no"),
        (broken, "READY=1 STATUS=the old configuration stays in use: ZeroDivisionError()"),
    ],
    ids=["good", "bad file", "bug"],
)
def test_how_a_reload_ended(outcome: Callable[[], str | None], said: str) -> None:
    """Systemd hears it, and the next signal is heard as well."""
    front, heard = Fake(outcome), Heard()
    with capture_logs():
        starting = started(front, heard)
        for count in (1, 2):
            starting.reload_soon()
            assert eventually(lambda: heard.lines.count(said) == count, seconds=PATIENCE)  # noqa: B023 - at once
        starting.stop()


def test_no_front() -> None:
    """A wrong configuration ends the start, and is what the command gives up with."""

    def make(_: Sequence[str], __: Callable[[str], None]) -> Front:
        raise ConfigError("wrong")

    failed = threading.Event()
    heard = Heard()
    starting = Starting(make, notifier=heard)
    starting.on_failed = failed.set
    starting.start(["http://localhost:1"])
    assert failed.wait(PATIENCE)
    assert starting.stop()
    assert (str(starting.error), heard.lines) == ("wrong", [])

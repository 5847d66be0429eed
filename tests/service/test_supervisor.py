"""What the supervisor makes of a refresher that ends, hangs, or says what nobody understands, in real processes."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue
from typing import Final

import pytest

from driftgauge.service.channel import Channel, Document
from driftgauge.service.process import Process
from driftgauge.service.publication import Publication
from driftgauge.service.supervisor import Order, Supervisor
from processes import eventually, group_of, is_alive

PATIENCE: Final = 20
# A refresher that does as the document it is sent says, in a process of its own.
SCRIPT: Final = """
import os, signal, socket, subprocess, sys, time
from driftgauge.collector import Page
from driftgauge.service.channel import Channel, Document
from driftgauge.service.health import RefreshHealth
from driftgauge.service.publication import Publication

channel = Channel.inherited(int(sys.argv[1]))
life = channel.receive().document.header["life"]

def publish():
    publication = Publication.of(Page(), RefreshHealth(series=os.getpid()), figures={}, ready=True)
    channel.send("publication", document=publication.document)

"""
WAIT: Final = "channel.receive(); sys.exit(0)"
_SET_CHILD_SUBREAPER: Final = 36


@dataclass
class Watched:
    """A supervisor whose refreshers follow the given scripts, the last of them for ever."""

    scripts: list[str]
    deadline: float = 60
    first_pause: float = 0.01
    publications: Queue[Publication] = field(default_factory=Queue)
    refusals: Queue[str] = field(default_factory=Queue)
    lives: int = 0

    def __post_init__(self) -> None:
        """Make the supervisor."""
        self.supervisor = Supervisor(
            self.spawn,
            on_publication=self.publish,
            on_health=self.publish,
            on_refused=self.refusals.put,
            first_pause=self.first_pause,
        )

    def publish(self, document: Document) -> None:
        """Take what was published."""
        self.publications.put(Publication.read(document))

    def spawn(self, channel: Channel) -> Process:
        """Start the process of the next life."""
        script = self.scripts[min(self.lives, len(self.scripts) - 1)]
        self.lives += 1
        return Process(channel, command=[sys.executable, "-c", SCRIPT + script])

    @property
    def order(self) -> Order:
        """What a refresher is started with."""
        return Order(lambda: Document.of({"life": self.lives}), self.deadline)

    def published(self) -> int:
        """Return the process that published next."""
        return self.publications.get(timeout=PATIENCE).health.series

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        assert eventually(condition, seconds=PATIENCE), (self.supervisor.restarts, self.supervisor.last_end)


@pytest.fixture
def _as_first_process() -> Iterator[None]:
    """Get the children of children that die, as the first process of a container does (prctl(2))."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@contextmanager
def supervised(*scripts: str, deadline: float = 60, first_pause: float = 0.01) -> Iterator[Watched]:
    """Run a supervisor until the block is left."""
    watched = Watched(list(scripts), deadline, first_pause)
    watched.supervisor.start(watched.order)
    try:
        yield watched
    finally:
        watched.supervisor.stop()


@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        ("sys.exit(3)", "crashed", "exit status 3"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed", "signal 11 (SIGSEGV)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed", "SIGKILL: from outside, or by the kernel"),
        ("channel.send('refused', text='the file is damaged'); sys.exit(1)", "state", "the file is damaged"),
        (
            "socket.socket(fileno=os.dup(channel.fileno())).send(b'{\"version\": 99}'); time.sleep(60)",
            "channel",
            "it speaks version 99 of the channel",
        ),
        (
            "channel.send('publication', document=Document.of({})); time.sleep(60)",
            "channel",
            "a publication cannot be read",
        ),
        ("channel.send('publication'); time.sleep(60)", "channel", "a publication came without its document"),
    ],
    ids=["exit status", "signal", "killed", "state", "another version", "no publication", "no document"],
)
def test_it_is_started_again(script: str, reason: str, words: str) -> None:
    """However a refresher ends, the reason is counted and said, and another one publishes."""
    lives = "publish(); time.sleep(60)", script, "publish(); " + WAIT
    with supervised(*lives) as watched:
        first = watched.published()
        os.kill(first, signal.SIGKILL)
        second = watched.published()

        assert first != second
        assert watched.supervisor.restarts == ({"killed": 2} if reason == "killed" else {"killed": 1, reason: 1})
        assert watched.supervisor.last_end is not None
        assert watched.supervisor.last_end.words.startswith(words)
        assert (watched.supervisor.up, watched.supervisor.pid) == (True, second)


def test_a_first_one_that_is_refused_is_not_started_again() -> None:
    """A state that cannot be used at the start is the end, and it is said."""
    with supervised("channel.send('refused', text='another process uses it'); sys.exit(1)") as watched:
        assert watched.refusals.get(timeout=PATIENCE) == "another process uses it"
        watched.until(lambda: not watched.supervisor.up)

    assert (watched.lives, watched.supervisor.restarts) == (1, {})


def test_one_that_makes_no_progress_is_killed_with_its_workers() -> None:
    """Silence for longer than the deadline ends a refresher that hangs, and all that it started."""
    hangs = "subprocess.Popen(['sleep', '600']); channel.send('progress'); signal.signal(15, signal.SIG_IGN); "
    with supervised(hangs + "time.sleep(600)", "publish(); " + WAIT, deadline=1) as watched:
        watched.until(lambda: len(group_of(watched.supervisor.pid or 0)) == 2)
        hanging = watched.supervisor.pid or 0
        watched.published()

        assert watched.supervisor.restarts == {"deadline": 1}
        assert watched.supervisor.last_end is not None
        assert watched.supervisor.last_end.words == "no progress within 1 s"
        assert eventually(lambda: group_of(hanging) == [], seconds=PATIENCE)


def test_progress_moves_the_deadline_and_a_pause_has_none() -> None:
    """A long refresh that goes on is left alone, and so is a refresher that waits for the next one."""
    slow = "[(time.sleep(0.2), channel.send('progress')) for _ in range(10)]; publish(); time.sleep(2); publish(); "
    with supervised(slow + WAIT, deadline=1) as watched:
        assert watched.published() == watched.published()

    assert watched.supervisor.restarts == {}


def test_pauses_become_longer_until_it_publishes() -> None:
    """A refresher that ends at once is started after twice as long each time; a publication makes the pause short."""
    crashes = "sys.exit(1)"
    with supervised(
        crashes, crashes, crashes, "publish(); time.sleep(0.2); sys.exit(1)", WAIT, first_pause=0.2
    ) as watched:
        began = time.monotonic()
        watched.published()
        assert time.monotonic() - began > 0.2 + 0.4 + 0.8
        ended = watched.supervisor.restarts.get("crashed")
        assert ended == 3
        watched.until(lambda: watched.lives == 5)
        assert time.monotonic() - began < PATIENCE


def test_a_replaced_one_leaves_before_the_next_comes() -> None:
    """A reload ends the refresher in order, counts no restart, and the next one gets the new order."""
    with supervised("publish(); " + WAIT) as watched:
        first = watched.published()
        watched.supervisor.replace(watched.order)
        second = watched.published()

        assert first != second
        assert not is_alive(first)
    assert watched.supervisor.restarts == {}


@pytest.mark.parametrize(("script", "clean"), [(WAIT, True), ("time.sleep(600)", False)], ids=["at rest", "busy"])
def test_stop(script: str, *, clean: bool) -> None:
    """A stop lets the refresher end in order, but does not wait for long; nothing is left of either."""
    with supervised("subprocess.Popen(['sleep', '600']); publish(); " + script) as watched:
        refresher = watched.published()
        began = time.monotonic()

        assert watched.supervisor.stop() == clean
        assert time.monotonic() - began < 4
        assert eventually(lambda: group_of(refresher) == [], seconds=PATIENCE)
        assert not watched.supervisor.up


def test_a_bug_does_not_end_the_supervision() -> None:
    """Whatever goes wrong with one refresher, another is started."""
    watched = Watched(["publish(); " + WAIT])
    fail = iter([ZeroDivisionError("a bug")])

    def broken(document: Document) -> None:
        for error in fail:
            raise error
        watched.publish(document)

    watched.supervisor = Supervisor(
        watched.spawn, on_publication=broken, on_health=broken, on_refused=watched.refusals.put, first_pause=0.01
    )
    watched.supervisor.start(watched.order)
    watched.published()
    assert watched.supervisor.restarts == {"channel": 1}
    watched.supervisor.stop()


def test_one_that_cannot_be_started() -> None:
    """A system without room for another process is a reason to try again later."""
    watched = Watched(["publish(); " + WAIT])
    fail = iter([OSError(12, "Cannot allocate memory")])

    def spawn(channel: Channel) -> Process:
        for error in fail:
            raise error
        return watched.spawn(channel)

    watched.supervisor = Supervisor(
        spawn,
        on_publication=watched.publish,
        on_health=watched.publish,
        on_refused=watched.refusals.put,
        first_pause=0.01,
    )
    watched.supervisor.start(watched.order)
    watched.published()
    assert watched.supervisor.restarts == {"crashed": 1}
    watched.supervisor.stop()


@pytest.mark.usefixtures("_as_first_process")
def test_as_the_first_process_it_leaves_no_zombies() -> None:
    """Workers that die with a refresher become its children, and end a moment later: it asks for each of them."""
    workers = "for _ in range(20): subprocess.Popen(['sleep', '60'])\n"
    with supervised(f"{workers}publish(); {WAIT}", f"publish(); {WAIT}") as watched:
        group = watched.published()
        os.kill(group, signal.SIGKILL)
        watched.published()
        with pytest.raises(ChildProcessError):
            os.waitpid(-group, os.WNOHANG)

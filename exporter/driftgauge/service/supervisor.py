"""Keeps one refresher running: starts it, takes what it publishes, ends it, starts it again.

A refresher that ended without being asked to, shows no progress for longer than the deadline, or cannot be understood,
is killed with its workers and started again, at first after a second, then after twice as long each time, up to five
minutes; the end of a refresh ends that. Progress is what the refresher says it is: an answer of MLflow, a file read, a
model computed. The clock stands still between refreshes.

One thread does all of it. It is also the thread that starts the processes.
"""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

import structlog

from driftgauge.service.channel import Channel, ChannelError, Document, Message
from driftgauge.service.questions import Questions

# The `reason` label of driftgauge_refresher_restarts_total.
CRASHED: Final = "crashed"
KILLED: Final = "killed"
DEADLINE: Final = "deadline"
STATE: Final = "state"
CHANNEL: Final = "channel"

FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0
# Until its first message a refresher imports MLflow and scipy and reads the state, half a minute on a busy machine.
_START_SECONDS: Final = 120.0
# An ordinary end closes the state file; what takes longer is killed, which the state survives.
_LEAVING_SECONDS: Final = 1.5
# How long a process may take to be gone after its end of the channel is.
_GONE_SECONDS: Final = 5.0
# How soon a request to stop is noticed.
_POLL_SECONDS: Final = 0.1


class Child(Protocol):
    """A refresher that was started, in a process or, in tests, a thread."""

    @property
    def pid(self) -> int | None:
        """Its process id."""

    def wait(self, timeout: float) -> int | None:
        """Return the exit status, minus the signal that killed it, or None when it runs for `timeout` s more."""

    def kill(self) -> None:
        """End it with its workers at once, and wait for that. Also called after it has ended."""


@dataclass(frozen=True, slots=True)
class Order:
    """How to start a refresher: what it is sent, made when it starts, and how long it may show no progress (s)."""

    document: Callable[[], Document]
    deadline: float


@dataclass(frozen=True, slots=True)
class End:
    """Why a refresher had to be started again: the reason, in words, and when (s since 1970)."""

    reason: str
    words: str
    at: float


class Supervisor:
    """Runs refreshers one after another from `start` until `stop`.

    spawn: starts one at the given end of a channel. on_publication: gets the document of each publication, and
    on_health that with the health alone, when there is no other news. on_refused: gets the message of a first refresher
    that cannot use the state; none is started again then. questions: get what is answered.
    """

    def __init__(
        self,
        spawn: Callable[[Channel], Child],
        *,
        on_publication: Callable[[Document], None],
        on_health: Callable[[Document], None],
        on_refused: Callable[[str], None],
        questions: Questions | None = None,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._spawn = spawn
        self._questions = questions or Questions()
        self._on_document = {"publication": on_publication, "health": on_health}
        self._on_refused = on_refused
        self._first_pause = first_pause
        self._log = structlog.get_logger("driftgauge.service")
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._stopping = threading.Event()
        # Set while what runs is to be replaced; waited for in pauses.
        self._replacing = threading.Event()
        self._order: Order | None = None
        self._child: Child | None = None
        self._channel: Channel | None = None
        self._restarts: dict[str, int] = {}
        self._failures = 0
        self._clean = True
        self.last_end: End | None = None

    @property
    def restarts(self) -> Mapping[str, int]:
        """How often a refresher was started again, by reason."""
        return MappingProxyType(self._restarts)

    @property
    def pid(self) -> int | None:
        """The process id of the refresher; None while there is none."""
        child = self._child
        return child.pid if child else None

    @property
    def up(self) -> bool:
        """Whether a refresher runs."""
        return self._child is not None

    def start(self, order: Order) -> None:
        """Start the first refresher, in the background."""
        self._order = order
        self._thread.start()

    def replace(self, order: Order) -> None:
        """End the refresher that runs, if one does, and start another as ordered, in the background."""
        self._order = order
        self._replacing.set()

    def ask(self, asked: Mapping[str, Any]) -> Document:
        """Return what the refresher answers to a question about reports; any thread calls it. Raises NoAnswer."""

        def send(document: Document) -> None:
            channel = self._channel
            if channel is None:
                raise EOFError("there is no refresher")
            channel.send("report", document=document)

        return self._questions.ask(send, asked)

    def stop(self) -> bool:
        """End the refresher; return whether it left in time, so that nothing of a refresh has to be done again."""
        self._stopping.set()
        self._replacing.set()
        if self._thread.ident is not None:
            self._thread.join()
        return self._clean

    def _run(self) -> None:
        first = True
        while not self._stopping.is_set() and self._order:
            self._replacing.clear()
            self._clean = True
            try:
                end = self._life(self._order)
            except Exception as error:  # noqa: BLE001 - the comment below
                # Without this thread nothing would be refreshed any more.
                self._log.exception("refresher not understood: this is a bug in driftgauge")
                end = _end(CHANNEL, repr(error))
            if end is None:
                self._failures = 0
            elif end.reason == STATE and first:
                self._on_refused(end.words)
                return
            else:
                self._replacing.wait(self._count(end))
            first = False

    def _count(self, end: End) -> float:
        """Note why a refresher ended; return how long to wait before the next one (s)."""
        pause = min(self._first_pause * 2.0 ** min(self._failures, 30), _LONGEST_PAUSE)
        self._failures += 1
        self._restarts = self._restarts | {end.reason: self._restarts.get(end.reason, 0) + 1}
        self.last_end = end
        self._log.error("refresher ended, the last page is served", reason=end.reason, how=end.words, next_in=pause)
        return pause

    def _life(self, order: Order) -> End | None:
        """Run one refresher; return why it ended, None when it was asked to."""
        ours, theirs = Channel.pair()
        try:
            child = self._spawn(theirs)
        except OSError as error:
            ours.close()
            return _end(CRASHED, f"it could not be started: {error}")
        finally:
            theirs.close()
        self._child, self._channel = child, ours
        self._log.info("refresher started", pid=child.pid)
        try:
            return self._follow(child, ours, order)
        finally:
            self._child = self._channel = None
            self._questions.gone()
            child.kill()
            ours.close()

    def _follow(self, child: Child, channel: Channel, order: Order) -> End | None:
        """Take its messages until the refresher ended or has to be ended."""
        refused = None
        busy_since: float | None = time.monotonic()
        patience = max(order.deadline, _START_SECONDS)
        try:
            channel.send("start", document=order.document())
            while not (self._replacing.is_set() or self._stopping.is_set()):
                message = channel.receive(_POLL_SECONDS)
                if message is None:
                    if busy_since is not None and time.monotonic() - busy_since > patience:
                        return _end(DEADLINE, f"no progress within {patience:g} s")
                    continue
                if message.kind == "report":
                    self._questions.answered(_document(message))
                    continue
                patience = order.deadline
                take = self._on_document.get(message.kind)
                busy_since = None if take else time.monotonic()
                if take:
                    take(_document(message))
                    self._failures = 0
                refused = message.text if message.kind == "refused" else refused
        except EOFError:
            status = child.wait(_GONE_SECONDS)
            return _end(STATE, refused) if refused else _ended(status)
        except ChannelError as error:
            return _end(CHANNEL, str(error))
        self._clean = self._leave(child, channel)
        return None

    def _leave(self, child: Child, channel: Channel) -> bool:
        """Ask the refresher to end; return whether it did."""
        with suppress(EOFError):
            channel.send("stop")
        return child.wait(_LEAVING_SECONDS) == 0


def _document(message: Message) -> Document:
    if message.document is None:
        raise ChannelError(f"a {message.kind} came without its document: are there too few open files left?")
    return message.document


def _end(reason: str, words: str) -> End:
    return End(reason, words, time.time())


def _ended(status: int | None) -> End:
    if status is None:
        return _end(CRASHED, "its end of the channel is closed")
    if status >= 0:
        return _end(CRASHED, f"exit status {status}")
    name = signal.Signals(-status).name if -status in list(signal.Signals) else "unknown"
    if -status in {signal.SIGKILL, signal.SIGTERM}:
        return _end(KILLED, f"{name}: from outside, or by the kernel because memory ran out")
    return _end(CRASHED, f"signal {-status} ({name})")

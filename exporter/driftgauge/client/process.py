"""Fork, exit and SIGTERM of the process, and the members that are called then.

Loggers register as members. A fork waits while a background thread imports a module, writes a file or takes a lock,
because the child would inherit it unfinished. This module does not know what loggers do.
"""

import atexit
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Final, Protocol

# Background threads hold it while they do what a fork must not interrupt.
FORK_GUARD: Final = threading.RLock()


class Member(Protocol):
    """Someone to call at fork, exit and SIGTERM. Deadlines are monotonic seconds."""

    @property
    def exit_timeout(self) -> float:
        """How long (s) exit and SIGTERM may wait for it."""

    def on_fork(self) -> None:
        """Start empty: this is the child, without the threads of its parent."""

    def save(self, deadline: float) -> None:
        """Save what is in memory; the process may go on, or end without another call."""

    def finish(self, deadline: float) -> None:
        """Save and deliver, as the last call. A second call only waits longer."""


_members: Final[list[Member]] = []
_state: Final[dict[str, Any]] = {"hooked": False, "previous": None}


def join(member: Member, *, handle_sigterm: bool) -> None:
    """Register a member."""
    if not _state["hooked"]:
        _state["hooked"] = True
        os.register_at_fork(
            before=FORK_GUARD.acquire, after_in_parent=FORK_GUARD.release, after_in_child=_after_fork_in_child
        )
        atexit.register(_exit)
    _members.append(member)
    if handle_sigterm:
        _handle_sigterm()


def leave(member: Member) -> None:
    """Remove a member."""
    if member in _members:
        _members.remove(member)


def members() -> list[Member]:
    """Return the registered members."""
    return list(_members)


def finish_with_worker() -> None:
    """Make the members finish when this process is a `multiprocessing` child, which ends without running `atexit`."""
    parent = sys.modules.get("multiprocessing.process")
    if parent is not None and parent.parent_process() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415 - a child has imported it already

        Finalize(None, _exit, exitpriority=0)


def _after_fork_in_child() -> None:
    FORK_GUARD.release()
    for member in members():
        member.on_fork()


def _exit() -> None:
    _finish(members())


def _finish(called: list[Member]) -> None:
    deadline = _deadline(called)
    # The first round starts all of them, the second waits: the time is for all together.
    for until in (0.0, deadline):
        for member in called:
            member.finish(until)


def _deadline(called: list[Member]) -> float:
    return time.monotonic() + max((member.exit_timeout for member in called), default=0.0)


def _handle_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    previous = signal.getsignal(signal.SIGTERM)
    # None: a handler in C, which cannot be called from here.
    if previous not in (None, signal.SIG_IGN, _sigterm):
        _state["previous"] = previous
        signal.signal(signal.SIGTERM, _sigterm)


def _sigterm(number: int, frame: FrameType | None) -> None:
    previous, called = _state["previous"], members()
    if callable(previous):
        deadline = _deadline(called)
        for member in called:
            member.save(deadline)
        previous(number, frame)
    else:
        _finish(called)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

"""What the operating system does to a process: fork, exit and SIGTERM.

Loggers put themselves on the list here and are told. A fork waits until no background thread is in the middle of an
import, of writing a file or of a lock, for the child would inherit it half done. Nothing here knows what loggers do.
"""

import atexit
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Final, Protocol

# Held by background threads while they do what must not be cut in two by a fork.
FORK_GUARD: Final = threading.RLock()


class Member(Protocol):
    """What is told about the process. Deadlines are monotonic seconds."""

    @property
    def patience(self) -> float:
        """How long (s) exit and SIGTERM may wait for it."""

    def on_fork(self) -> None:
        """Start afresh: this is the child, without the threads of its parent."""

    def bring_to_safety(self, deadline: float) -> None:
        """Save what is in memory; the process may go on, or end without another word."""

    def finish(self, deadline: float) -> None:
        """Save and deliver; nothing comes after. Called again, go on waiting."""


_members: Final[list[Member]] = []
_state: Final[dict[str, Any]] = {"hooked": False, "previous": None}


def join(member: Member, *, handle_sigterm: bool) -> None:
    """Tell `member` from now on."""
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
    """Tell `member` no more."""
    if member in _members:
        _members.remove(member)


def members() -> list[Member]:
    """Return who is told."""
    return list(_members)


def finish_with_worker() -> None:
    """Have the members finish when this process is one of `multiprocessing`: it ends without what `atexit` has."""
    parent = sys.modules.get("multiprocessing.process")
    if parent is not None and parent.parent_process() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415 - where there is a parent, it is imported

        Finalize(None, _exit, exitpriority=0)


def _after_fork_in_child() -> None:
    FORK_GUARD.release()
    for member in members():
        member.on_fork()


def _exit() -> None:
    _finish(members())


def _finish(told: list[Member]) -> None:
    deadline = _deadline(told)
    # First all are told, then all are waited for: the time is for all of them together.
    for until in (0.0, deadline):
        for member in told:
            member.finish(until)


def _deadline(told: list[Member]) -> float:
    return time.monotonic() + max((member.patience for member in told), default=0.0)


def _handle_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    previous = signal.getsignal(signal.SIGTERM)
    # None: a handler in C, which cannot be called from here.
    if previous not in (None, signal.SIG_IGN, _sigterm):
        _state["previous"] = previous
        signal.signal(signal.SIGTERM, _sigterm)


def _sigterm(number: int, frame: FrameType | None) -> None:
    previous, told = _state["previous"], members()
    if callable(previous):
        deadline = _deadline(told)
        for member in told:
            member.bring_to_safety(deadline)
        previous(number, frame)
    else:
        _finish(told)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

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
    """What is told about the process."""

    def on_fork(self) -> None:
        """Start afresh: this is the child, without the threads of its parent."""

    def on_sigterm(self, deadline: float, *, last_chance: bool) -> None:
        """Bring rows to safety before `deadline` (monotonic s); if it is the last chance, upload them as well."""

    def on_exit(self, deadline: float) -> None:
        """Bring rows to safety and upload them before `deadline`; nothing comes after."""

    @property
    def patience(self) -> float:
        """How long (s) exit and SIGTERM may wait."""


_members: Final[set[Member]] = set()
_state: Final[dict[str, Any]] = {"hooked": False, "previous": None}


def join(member: Member, *, handle_sigterm: bool) -> None:
    """Tell `member` from now on."""
    if not _state["hooked"]:
        _state["hooked"] = True
        os.register_at_fork(
            before=FORK_GUARD.acquire, after_in_parent=FORK_GUARD.release, after_in_child=_after_fork_in_child
        )
        atexit.register(_exit)
    _members.add(member)
    if handle_sigterm:
        _handle_sigterm()


def leave(member: Member) -> None:
    """Tell `member` no more."""
    _members.discard(member)


def flush_when_worker_ends(member: Member) -> None:
    """Tell `member` when a process of `multiprocessing` ends: it skips what `atexit` has registered."""
    util = sys.modules.get("multiprocessing.util")
    parent = sys.modules.get("multiprocessing.process")
    if util is not None and parent is not None and parent.parent_process() is not None:
        util.Finalize(None, _end, args=(member,), exitpriority=0)


def _after_fork_in_child() -> None:
    FORK_GUARD.release()
    for member in list(_members):
        member.on_fork()


def _exit() -> None:
    for member in list(_members):
        _end(member)


def _end(member: Member) -> None:
    member.on_exit(time.monotonic() + member.patience)


def _handle_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    previous = signal.getsignal(signal.SIGTERM)
    # None: a handler of C code, which cannot be called from here.
    if previous not in (None, signal.SIG_IGN, _sigterm):
        _state["previous"] = previous
        signal.signal(signal.SIGTERM, _sigterm)


def _sigterm(number: int, frame: FrameType | None) -> None:
    previous = _state["previous"]
    members = list(_members)
    deadline = time.monotonic() + max((member.patience for member in members), default=0.0)
    for member in members:
        member.on_sigterm(deadline, last_chance=not callable(previous))
    if callable(previous):
        previous(number, frame)
    else:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

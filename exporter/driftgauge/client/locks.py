"""Locks on files, between processes: held as long as the process lives, free as soon as it is gone, however it ends.

A forked child inherits the open file and with it the lock of its parent; `forget_all` lets go of it there without
freeing it for others.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from driftgauge.client.process import FORK_GUARD

_held: Final[set[int]] = set()


class FileLock:
    """A lock that this process holds on a file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path, *, wait: bool = True) -> "FileLock":
        """Lock the file, made if it is not there. Raises OSError, so when another has it and it is not to `wait`."""
        with FORK_GUARD:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _held.add(descriptor)
        lock = cls(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException:
            lock.release()
            raise
        return lock

    def release(self) -> None:
        """Free the lock, also for a child that was forked meanwhile; harmless when it is free."""
        with FORK_GUARD:
            if self._descriptor in _held:
                _held.discard(self._descriptor)
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                os.close(self._descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on a file for the block, after waiting for whoever has it."""
    lock = FileLock.acquire(path)
    try:
        yield
    finally:
        lock.release()


def forget_all() -> None:
    """In a child after a fork: close the parent's locks, which stay its own."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()

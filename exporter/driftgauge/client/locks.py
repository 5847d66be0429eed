"""Locks on files, between processes: the operating system releases them when the process ends, however it ends.

A forked child inherits the open file and with it the lock of its parent; `close_inherited` closes it in the child, and
the parent keeps the lock.
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
        """Lock the file, and create it if needed. Raises OSError; without `wait` also when another process holds it."""
        with FORK_GUARD:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            _held.add(descriptor)
        lock = cls(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException:
            lock.release()
            raise
        return lock

    def release(self) -> None:
        """Release the lock, also one that a forked child inherited; does nothing when it is released already."""
        with FORK_GUARD:
            if self._descriptor in _held:
                _held.discard(self._descriptor)
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                os.close(self._descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock on a file and hold it during the block."""
    lock = FileLock.acquire(path)
    try:
        yield
    finally:
        lock.release()


def close_inherited() -> None:
    """In a child after a fork: close the parent's locks, which stay its own."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()

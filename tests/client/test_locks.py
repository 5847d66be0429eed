"""Locks between processes: exclusive while held, released by hand, by the end of the process, and not by a fork."""

import os
from pathlib import Path

import pytest

from driftgauge.client.locks import FileLock, close_inherited, locked


def _is_free(path: Path) -> bool:
    try:
        FileLock.acquire(path, wait=False).release()
    except OSError:
        return False
    return True


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """The second is refused until the first releases it; releasing twice does no harm."""
    path = tmp_path / "lock"
    lock = FileLock.acquire(path)
    assert not _is_free(path)
    lock.release()
    lock.release()
    assert _is_free(path)


def test_a_block_releases_in_any_case(tmp_path: Path) -> None:
    """Also when it raises."""
    with locked(tmp_path / "lock"):
        assert not _is_free(tmp_path / "lock")
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock"):
        raise ZeroDivisionError
    assert _is_free(tmp_path / "lock")


def test_a_forked_child_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    """It closes what it inherited and ends; the parent still holds the lock."""
    lock = FileLock.acquire(tmp_path / "lock")
    child = os.fork()
    if not child:
        close_inherited()
        os._exit(0)
    os.waitpid(child, 0)
    assert not _is_free(tmp_path / "lock")
    lock.release()


def test_the_end_of_a_process_releases_its_locks(tmp_path: Path) -> None:
    """However it ends: here without any clean-up."""
    child = os.fork()
    if not child:
        FileLock.acquire(tmp_path / "lock")
        os._exit(0)
    os.waitpid(child, 0)
    assert _is_free(tmp_path / "lock")

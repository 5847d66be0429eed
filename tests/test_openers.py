"""How files are opened where they are read: inside their root, of their size, and never anything but a file."""

import errno
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from driftgauge import openers
from driftgauge.errors import BatchError, SourceMissing
from driftgauge.feed import Opener
from driftgauge.openers import SMALL_BYTES, Downloaded, InMemory, LocalFile, downloaded, local, taken_over
from driftgauge.scratch import Scratch

LIMIT = 10 * SMALL_BYTES
LARGE = b"x" * (SMALL_BYTES + 1)


def read(opener: Opener) -> bytes:
    """Return what an opener opens after it has travelled."""
    travelled: Opener = pickle.loads(pickle.dumps(opener))  # noqa: S301 - made here
    with travelled() as file:
        return file.read()


@pytest.mark.parametrize(("data", "kind"), [(b"abc", InMemory), (b"", InMemory), (LARGE, LocalFile)])
def test_local(tmp_path: Path, data: bytes, kind: type) -> None:
    """A small file comes as its bytes, a large one is read where it lies and stays there."""
    (tmp_path / "a.csv").write_bytes(data)
    opener = local(tmp_path, "a.csv", expected=len(data), limit=LIMIT)
    assert isinstance(opener, kind)
    assert (read(opener), opener.size) == (data, len(data))
    opener.release()
    assert (tmp_path / "a.csv").exists()


def _gone(path: Path) -> None:
    path.unlink()


def _swapped(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [_gone, _swapped, _pipe])
def test_a_local_file_that_changed_since(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Where it is read a file is looked at again: it may have gone, or have become a way out of its root."""
    (tmp_path / "a.csv").write_bytes(LARGE)
    opener = local(tmp_path, "a.csv", expected=0, limit=LIMIT)
    change(tmp_path / "a.csv")
    with pytest.raises(SourceMissing, match=r"a\.csv"):
        read(opener)


@pytest.mark.parametrize(("size", "reason"), [(LIMIT + 1, "too_large"), (SMALL_BYTES, "incomplete")])
def test_a_local_file_of_another_size(tmp_path: Path, size: int, reason: str) -> None:
    """A file that has grown over the limit, or is being rewritten, is not read."""
    (tmp_path / "a.csv").write_bytes(LARGE)
    opener = local(tmp_path, "a.csv", expected=0, limit=LIMIT)
    os.truncate(tmp_path / "a.csv", size)
    for opened in (opener, None):
        with pytest.raises(BatchError) as caught:
            read(opened or local(tmp_path, "a.csv", expected=len(LARGE), limit=LIMIT))
        assert caught.value.reason == reason


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, so it is not missing but tried again."""

    def refused(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "a.csv").write_bytes(b"x")
    monkeypatch.setattr(openers.os, "open", refused)
    with pytest.raises(BatchError, match="Permission denied") as caught:
        local(tmp_path, "a.csv", expected=0, limit=LIMIT)
    assert caught.value.reason == "not_delivered"


@pytest.mark.parametrize(("data", "kind"), [(b"", InMemory), (LARGE[1:], InMemory), (LARGE * 3, Downloaded)])
def test_downloaded(tmp_path: Path, data: bytes, kind: type) -> None:
    """A small download never touches the disk, a large one is a file until it is released."""
    chunks = (data[at : at + 1000] for at in range(0, len(data), 1000))
    opener = downloaded(chunks, Scratch(tmp_path), name="a.csv", expected=len(data), limit=LIMIT)
    assert isinstance(opener, kind)
    assert (read(opener), read(opener), opener.size) == (data, data, len(data))
    assert len(list(tmp_path.iterdir())) == (kind is Downloaded)
    opener.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [25, 3 * SMALL_BYTES])
def test_a_download_stops_at_the_limit(tmp_path: Path, limit: int) -> None:
    """Nothing is taken after the chunk that goes over the bound, and nothing stays on disk."""
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(limit // 5 * 2)
            yield b"x" * taken[-1]

    with pytest.raises(BatchError, match=f"over the limit of {limit:,}") as failure:
        downloaded(endless(), Scratch(tmp_path), name="x.csv", expected=0, limit=limit)
    assert (failure.value.reason, len(taken), list(tmp_path.iterdir())) == ("too_large", 3, [])


@pytest.mark.parametrize("size", [10, 2 * SMALL_BYTES])
def test_a_download_that_is_cut(tmp_path: Path, size: int) -> None:
    """Fewer bytes than were announced are no file."""
    with pytest.raises(BatchError) as failure:
        downloaded([b"x" * size], Scratch(tmp_path), name="x.csv", expected=size + 1, limit=LIMIT)
    assert (failure.value.reason, list(tmp_path.iterdir())) == ("incomplete", [])


@pytest.mark.parametrize(("data", "kind"), [(b"abc", InMemory), (LARGE, Downloaded)])
def test_taken_over(tmp_path: Path, data: bytes, kind: type) -> None:
    """What a library has downloaded to a path of ours is treated as a download of our own."""
    with Scratch(tmp_path).new() as part:
        part.path.write_bytes(data)
        opener = taken_over(part, name="a.csv", expected=len(data), limit=LIMIT)
    assert isinstance(opener, kind)
    assert (read(opener), len(list(tmp_path.iterdir()))) == (data, kind is Downloaded)

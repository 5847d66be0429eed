"""Files on their way to a worker: the bytes of small ones, the place of large ones.

A file on this machine is opened where it lies. Its path is never trusted: it has to be a regular file inside its root
when it is opened, not only when it was listed.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from driftgauge.errors import BatchError, SourceMissing
from driftgauge.feed import Opener
from driftgauge.scratch import Part, Scratch, remove

# A file of at most this many bytes travels as its bytes.
SMALL_BYTES: Final = 128 * 2**10
# A plain open of a named pipe would wait for ever.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


# A link that leads back to itself, a part of the path that is a file, a socket.
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})


@dataclass(frozen=True, slots=True)
class InMemory:
    """A small file as its bytes."""

    data: bytes

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    def __call__(self) -> BinaryIO:
        """Return the bytes as a file."""
        return BytesIO(self.data)

    def release(self) -> None:
        """Do nothing: there is no file."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The file `path` inside the folder `root`, of `size` bytes when it was found; never more than `limit`."""

    root: str
    path: str
    size: int
    limit: int

    @contextmanager
    def __call__(self) -> Iterator[BinaryIO]:
        """Lend the open file; see `Opener`."""
        with open_inside(Path(self.root), self.path) as file:
            refuse_size(self.path, size=os.fstat(file.fileno()).st_size, expected=self.size, limit=self.limit)
            yield file

    def release(self) -> None:
        """Do nothing: the file is not ours."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A download at `path`, which is removed with its release."""

    path: str
    size: int

    @contextmanager
    def __call__(self) -> Iterator[BinaryIO]:
        """Lend the open file; see `Opener`."""
        place = Path(self.path)
        with open_inside(place.parent, place.name) as file:
            yield file

    def release(self) -> None:
        """Remove the download."""
        remove(Path(self.path))


def downloaded(chunks: Iterable[bytes], spool: Scratch, *, name: str, expected: int, limit: int) -> Opener:
    """Return the opener of a file that comes in `chunks`, of which `expected` bytes were announced.

    Raises BatchError "too_large" on the first chunk that goes over `limit` bytes, or "incomplete" at the end.
    """
    early, size = bytearray(), 0
    following = iter(chunks)
    for chunk in following:
        early += chunk
        size = len(early)
        refuse_size(name, size=size, expected=0, limit=limit)
        if size > SMALL_BYTES:
            break
    else:
        refuse_size(name, size=size, expected=expected, limit=limit)
        return InMemory(bytes(early))
    with spool.new() as part:
        part.write(memoryview(early))
        del early
        for chunk in following:
            size += len(chunk)
            refuse_size(name, size=size, expected=0, limit=limit)
            part.write(chunk)
        refuse_size(name, size=size, expected=expected, limit=limit)
        return Downloaded(str(part.path), size)


def taken_over(part: Part, *, name: str, expected: int, limit: int) -> Opener:
    """Return the opener of a file that somebody else has written to `part`; see `downloaded`."""
    size = part.size
    refuse_size(name, size=size, expected=expected, limit=limit)
    opener = Downloaded(str(part.path), size)
    if size > SMALL_BYTES:
        return opener
    with opener() as file:
        data = file.read()
    opener.release()
    return InMemory(data)


def local(root: Path, path: str, *, expected: int, limit: int) -> Opener:
    """Return the opener of a file inside `root` that had `expected` bytes when it was listed.

    Raises SourceMissing and BatchError as an `Opener` does.
    """
    with open_inside(root, path) as file:
        size = os.fstat(file.fileno()).st_size
        refuse_size(path, size=size, expected=expected, limit=limit)
        if size > SMALL_BYTES:
            return LocalFile(str(root), path, size, limit)
        # No more, should it be growing.
        return InMemory(file.read(size))


def open_inside(root: Path, path: str) -> BinaryIO:
    """Open a regular file of this machine.

    Raises SourceMissing when it is not there or not inside `root`, BatchError "not_delivered" when it cannot be read.
    """
    root = root.resolve()
    try:
        place = (root / path).resolve(strict=True)
        if not place.is_relative_to(root):
            raise SourceMissing(f'"{path}" does not exist in {root}')
        file = os.fdopen(os.open(place, _FLAGS), "rb")
    except OSError as error:
        if error.errno in _ABSENT:
            raise SourceMissing(f'"{path}" does not exist in {root}') from None
        raise BatchError("not_delivered", f'"{path}" in {root} cannot be read: {error.strerror}') from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise SourceMissing(f'"{path}" in {root} is not a file')
    return file


def refuse_size(path: str, *, size: int, expected: int, limit: int) -> None:
    """Raise BatchError "too_large" when a file has more than `limit` bytes, "incomplete" when it has not `expected`.

    Not every connection reports that it was cut.
    """
    if size > limit:
        raise BatchError(
            "too_large",
            f'"{path}" has {size:,} bytes or more, over the limit of {limit:,}: '
            "log smaller files or raise limits.max_artifact_bytes",
        )
    if size < expected:
        raise BatchError(
            "incomplete",
            f'"{path}" came with {size:,} of {expected:,} bytes: it was cut on the way, or is being rewritten; '
            "it is read again later",
        )

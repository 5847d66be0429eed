"""A folder for files that are of use to one process only: downloads, and values that workers map.

A process that is killed leaves its files, and the next one removes them. It removes nothing else: only plain files
with names that are made here, never a folder, and no link is followed.
"""

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from driftgauge.errors import StateError

_NAME: Final = re.compile(r"[0-9a-f]{32}\.(?:part|data)")
_NEW: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Scratch:
    """The folder, readable to this user only, empty of what an earlier process has left; made when it does not exist.

    One process at a time: opening the same folder again removes what is in it. Raises StateError when it cannot be
    used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A link in its place is not followed.
            opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fchmod(opened, 0o700)
                _remove_leftovers(opened)
            finally:
                os.close(opened)
        except OSError as error:
            raise StateError(
                f"cannot use the folder {self.folder}: {error.strerror}. It has to be a folder of its own that this "
                "user may write to"
            ) from error

    @contextmanager
    def new(self) -> Iterator["Part"]:
        """Lend a new empty file to be written; it is removed when the body raises. Raises StateError."""
        path = self.folder / f"{secrets.token_hex(16)}.part"
        try:
            with _writing(self.folder):
                file = os.fdopen(os.open(path, _NEW, 0o600), "wb", buffering=0)
            with file:
                yield Part(path, file)
        except BaseException:
            remove(path)
            raise

    def keep(self, part: Path, fingerprint: str) -> Path:
        """Give a file that is written completely the name that its `fingerprint` (32 hex digits) makes; return it."""
        return part.rename(self.named(fingerprint))

    def named(self, fingerprint: str) -> Path:
        """Return the path of the file with a fingerprint."""
        return self.folder / f"{fingerprint}.data"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Lend a folder that goes with the block. Raises StateError where no folder for temporary files can be written."""
    try:
        folder = TemporaryDirectory(prefix="driftgauge-")
    except OSError as error:
        raise StateError(
            f"no folder for temporary files: {error.strerror}. Set TMPDIR to one that this user may write to"
        ) from error
    with folder as name:
        yield Path(name)


class Part:
    """A file that is being written, at `path`."""

    def __init__(self, path: Path, file: RawIOBase) -> None:
        self.path = path
        self._file = file

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes; raises StateError when the disk is full or cannot be written."""
        rest = memoryview(data).cast("B")
        with _writing(self.path.parent):
            while rest:
                rest = rest[self._file.write(rest) or 0 :]

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.path.stat().st_size


def remove(path: Path) -> None:
    """Remove a file that may have gone already."""
    with suppress(OSError):
        path.unlink()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"cannot write to {folder}: {error.strerror}") from error


def _remove_leftovers(folder: int) -> None:
    with os.scandir(folder) as found:
        names = [item.name for item in found if _NAME.fullmatch(item.name)]
    for name in names:
        if stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)

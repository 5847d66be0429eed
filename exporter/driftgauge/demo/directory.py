"""The demo's own folder: emptied at each start, but only if a demo made it, and used by one demo at a time."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from driftgauge.errors import DriftgaugeError

MARKER: Final = ".driftgauge-demo"


@contextmanager
def claimed(directory: Path) -> Iterator[Path]:
    """Yield the absolute path of the directory, empty except the marker, and locked during the block.

    Raises DriftgaugeError when it contains files and no demo made it, is in use, or cannot be written.
    """
    try:
        path = _made(directory).resolve()
        with (path / MARKER).open("a", encoding="utf-8") as marker:
            _lock(marker, path)
            _empty(path)
            yield path
    except OSError as error:
        raise DriftgaugeError(f"the demo cannot use {error.filename or directory}: {error.strerror}") from error


def in_use(directory: Path) -> bool:
    """Whether a demo runs in a directory."""
    try:
        with (directory / MARKER).open("a", encoding="utf-8") as marker:
            fcntl.flock(marker, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _made(directory: Path) -> Path:
    if directory.exists() and not directory.is_dir():
        raise DriftgaugeError(f"{directory} is no directory: give the demo another one with --directory")
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()) and not (directory / MARKER).is_file():
        raise DriftgaugeError(
            f"{directory} is not empty and was not made by the demo, which empties its directory at every start: "
            "give it a new or empty one with --directory"
        )
    return directory


def _lock(marker: IO[str], path: Path) -> None:
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DriftgaugeError(
            f"another demo is running in {path}: stop it, or give this one its own directory with --directory "
            "and its own port with --web.listen-address"
        ) from error


def _empty(path: Path) -> None:
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARKER:
            entry.unlink()

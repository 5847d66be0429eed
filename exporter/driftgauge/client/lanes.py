"""One lane of the spool: the files in its folder, how they are written, and how they are recovered after a crash.

A lane is the folder of what one process logs to one experiment on one day; all its files go to one run. The name of a
file is fixed when it is written, so every attempt to send it writes the same path of the same run. A file
appears by an atomic rename after its bytes are on disk; partial files of a crash are removed.

Only what has the name of a lane or of a lane's file, is what it should be and belongs to this user alone is ever read
or removed: others may keep things in the folder, or be able to write to it. Links of neither kind are followed, and a
lane that others can write to is none.
"""

import json
import os
import re
import stat
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from driftgauge.client.locks import FileLock
from driftgauge.client.process import FORK_GUARD

Kind = Literal["predictions", "labels"]

_LOCK: Final = "lock"
_DESTINATION: Final = "about.json"
_RUN: Final = "run.json"
_PARTIAL: Final = ".half"
_FILES: Final = "*.parquet"
_LANE_NAME: Final = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]+-[0-9a-f]{6}")
_NAME: Final = re.compile(r"(?P<kind>predictions|labels)-\d{8}T\d{12}Z-(?P<batch>[0-9a-f]+-\d+)-(?P<rows>\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a lane is delivered. server: the tracking URI without credentials. day: the UTC date in its run's name."""

    experiment: str
    server: str
    model_version: str
    sample_rate: float
    day: str


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """A file on disk: the kind of its rows, its batch id, how many rows and bytes.

    recovered: it was found in the spool of a process that has ended.
    """

    path: Path
    kind: Kind
    batch_id: str
    rows: int
    bytes: int
    recovered: bool = False

    @property
    def age_rank(self) -> str:
        """The sort key that puts files of all kinds and lanes from the oldest to the newest."""
        return self.path.name.partition("-")[2]


@dataclass(slots=True, eq=False)
class Lane:
    """A lane that this process works on; `files` by name, oldest first. adopted: from a process that has ended."""

    path: Path
    destination: Destination
    lock: FileLock
    adopted: bool = False
    run_id: str | None = None
    files: dict[str, SpoolFile] = field(default_factory=dict)

    @classmethod
    def create(cls, path: Path, destination: Destination) -> "Lane":
        """Create a folder that only this user can read, locked and with its destination; removed again on OSError."""
        path.mkdir(mode=0o700)
        with ExitStack() as undone:
            undone.callback(_remove, path)
            lock = FileLock.acquire(path / _LOCK)
            undone.callback(lock.release)
            _write_json(path / _DESTINATION, asdict(destination))
            sync_folder(path.parent)
            undone.pop_all()
        return cls(path, destination, lock)

    def write(
        self, kind: Kind, batch_id: str, rows: int, write: Callable[[BinaryIO], object]
    ) -> tuple[Path, SpoolFile]:
        """Write a file under a partial name; return that path, and the file that `publish` makes of it."""
        name = f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{batch_id}-{rows}.parquet"
        partial = self.path / f"{name}{_PARTIAL}"
        try:
            with FORK_GUARD:
                size = _written(partial, write)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return partial, SpoolFile(self.path / name, kind, batch_id, rows, size)

    def assign(self, run_id: str | None) -> None:
        """Store on disk which run the files go to; None removes it."""
        if run_id is None:
            (self.path / _RUN).unlink(missing_ok=True)
            sync_folder(self.path)
        else:
            _write_json(self.path / _RUN, {"run_id": run_id})
        self.run_id = run_id

    def remove(self) -> bool:
        """Delete the folder and release the lock; false when there is a file in it."""
        if any(self.path.glob(_FILES)):
            return False
        _remove(self.path)
        self.lock.release()
        return True


def abandoned_lane(path: Path, wanted: Callable[[Destination], bool]) -> Lane | None:
    """Return the lane at `path` when its process has ended and its destination is wanted.

    A lane whose process ended while it was created is removed. What is no lane of this user is left alone.
    """
    if not (is_lane_name(path.name) and is_mine(path, stat.S_ISDIR)):
        return None
    try:
        lock = FileLock.acquire(path / _LOCK, wait=False)
    except OSError:  # a living process holds it, or it is another user's
        return None
    destination = _destination(path)
    if destination is not None and wanted(destination):
        return _restored(path, destination, lock)
    if destination is None and not any(path.glob(_FILES)):
        # The process ended while it made the lane.
        _remove(path)
    lock.release()
    return None


def is_lane_name(name: str) -> bool:
    """Return whether a folder with this name can be a lane."""
    return _LANE_NAME.fullmatch(name) is not None


def publish(partial: Path, path: Path) -> None:
    """Rename a written file to its final name. On OSError it is removed, so that it can be written again."""
    try:
        partial.rename(path)
        sync_folder(path.parent)
    except OSError:
        partial.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise


def sync_folder(path: Path) -> None:
    """Flush a folder to disk, so that its file names survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _restored(path: Path, destination: Destination, lock: FileLock) -> Lane:
    for partial in path.glob(f"*{_PARTIAL}"):
        if _is_made_here(partial):
            partial.unlink()
    lane = Lane(path, destination, lock, adopted=True, run_id=_read_json(path / _RUN).get("run_id"))
    found = []
    for file in path.glob(_FILES):
        match = _NAME.fullmatch(file.name)
        if match is not None and is_mine(file, stat.S_ISREG):
            kind: Kind = "labels" if match["kind"] == "labels" else "predictions"
            size = file.stat().st_size
            found.append(SpoolFile(file, kind, match["batch"], int(match["rows"]), size, recovered=True))
    lane.files = {file.path.name: file for file in sorted(found, key=lambda file: file.age_rank)}
    return lane


def _remove(path: Path) -> None:
    """Remove a lane's own files and its folder, which stays when there is anything else in it."""
    with suppress(OSError):
        for file in path.iterdir():
            if _is_made_here(file):
                file.unlink(missing_ok=True)
        path.rmdir()


def _is_made_here(file: Path) -> bool:
    name = file.name.removesuffix(_PARTIAL)
    return name in {_LOCK, _DESTINATION, _RUN} or _NAME.fullmatch(name) is not None


def is_mine(path: Path, is_kind: Callable[[int], bool]) -> bool:
    """Return whether this is what `is_kind` says of a mode, itself and not through a link, and this user's alone."""
    try:
        found = path.lstat()
    except OSError:
        return False
    # Lanes are made so that others cannot write to them; a file that has another name is somewhere else as well.
    open_to_others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    alone = not open_to_others if stat.S_ISDIR(found.st_mode) else found.st_nlink == 1
    return is_kind(found.st_mode) and found.st_uid == os.geteuid() and alone


def _destination(path: Path) -> Destination | None:
    try:
        return Destination(**_read_json(path / _DESTINATION))
    except TypeError:
        return None


def _written(path: Path, write: Callable[[BinaryIO], object]) -> int:
    with path.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(f"{path.name}{_PARTIAL}")
    _written(partial, lambda file: file.write(json.dumps(content).encode()))
    publish(partial, path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

"""Files that wait for MLflow, in a folder on a local disk that outlives the process.

    spool/lock                     held for moments, while lanes are made, adopted and removed
    spool/<lane>/lock              held by the process that works on the lane, as long as it lives
    spool/<lane>/about.json        what is delivered where: experiment, server, model version, sample rate
    spool/<lane>/run.json          the MLflow run of the lane, on record before the first attempt to upload
    spool/<lane>/predictions-….parquet, labels-….parquet

A lane is what one process logs for one experiment on one day; all its files go to one run. A file has its name from
the start, so that it reaches the same path of the same run however often it is sent. It appears by an atomic
rename after its bytes are on disk; what a crash leaves half written is removed. The lane of a dead process is adopted
by the next logger for the same destination. Nothing here knows MLflow or threads other than the lock they share.
"""

import contextlib
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from driftgauge.client.locks import FileLock, locked
from driftgauge.client.process import FORK_GUARD

Kind = Literal["predictions", "labels"]

_LOCK: Final = "lock"
_ABOUT: Final = "about.json"
_RUN: Final = "run.json"
_HALF: Final = ".half"
_NAME: Final = re.compile(r"(?P<kind>predictions|labels)-\d{8}T\d{12}Z-(?P<batch>[0-9a-f]+-\d+)-(?P<rows>\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class About:
    """What a lane is for. server: the tracking URI without credentials. day: the UTC date its run is named after."""

    experiment: str
    server: str
    model_version: str
    sample_rate: float
    day: str


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """A file that is safe on disk: what it holds, its batch id, its rows and bytes.

    recovered: it was found in the spool of a process that has ended.
    """

    path: Path
    kind: Kind
    batch_id: str
    rows: int
    bytes: int
    recovered: bool = False


@dataclass(slots=True, eq=False)
class Lane:
    """A lane that this process works on; `files` by name, oldest first. adopted: a dead process made it."""

    path: Path
    about: About
    lock: FileLock
    adopted: bool = False
    run_id: str | None = None
    files: dict[str, SpoolFile] = field(default_factory=dict)


class Spool:
    """The lanes that one logger works on, at most `max_bytes` of files; safe to use from several threads.

    owner: hexadecimal, of this logger in this process alone; batch ids begin with it. announce: told of each file that
    is safe on disk, before it can be sent. dropped: told of each file that is deleted for want of room.
    """

    def __init__(
        self,
        folder: Path,
        *,
        owner: str,
        max_bytes: int,
        announce: Callable[[SpoolFile], None],
        dropped: Callable[[SpoolFile], None],
    ) -> None:
        self._folder = folder
        self._owner = owner
        self._max_bytes = max_bytes
        self._announce = announce
        self._dropped = dropped
        self._lanes: dict[str, Lane] = {}
        self._mutex = threading.RLock()
        self._sending: str | None = None
        self._batches = 0
        # Read by others without the lock.
        self.bytes = 0
        self.count = 0

    def lanes(self) -> list[Lane]:
        """Return the lanes, oldest first."""
        with self._mutex:
            return list(self._lanes.values())

    def add(self, kind: Kind, about: About, rows: int, write: Callable[[BinaryIO], object]) -> SpoolFile | None:
        """Have a file written and keep it; drop the oldest ones for it. None when it is larger than the whole spool.

        Raises OSError when it cannot be written; nothing of it is left then.
        """
        with self._mutex:
            lane = self._lane(about)
            self._batches += 1
            batch_id = f"{self._owner}-{self._batches}"
        name = f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{batch_id}-{rows}.parquet"
        half = lane.path / f"{name}{_HALF}"
        try:
            with FORK_GUARD:
                size = _written(half, write)
            file = SpoolFile(lane.path / name, kind, batch_id, rows, size)
            with self._mutex:
                if not self._make_room(size):
                    self._dropped(file)
                    return None
            _moved(half, file.path)
        finally:
            half.unlink(missing_ok=True)
        self._announce(file)
        with self._mutex:
            self._index(lane, file)
        return file

    def adopt(self, wanted: Callable[[About], bool]) -> int:
        """Take over the lanes of dead processes for wanted destinations; return the number of rows in them."""
        adopted: list[Lane] = []
        with self._mutex, self._folder_lock():
            for path in sorted(self._folder.iterdir()):
                if path.is_dir() and path.name not in self._lanes:
                    adopted += _abandoned(path, wanted)
        for lane in adopted:
            for file in lane.files.values():
                self._announce(file)
        with self._mutex:
            for lane in adopted:
                files, lane.files = lane.files, {}
                self._lanes[lane.path.name] = lane
                for file in files.values():
                    self._index(lane, file)
            self._make_room(0)
        return sum(file.rows for lane in adopted for file in lane.files.values())

    def assign(self, lane: Lane, run_id: str | None) -> None:
        """Put on record which run a lane's files go to, None to forget it."""
        if run_id is None:
            (lane.path / _RUN).unlink(missing_ok=True)
            _sync_folder(lane.path)
        else:
            _put(lane.path / _RUN, {"run_id": run_id})
        lane.run_id = run_id

    def files(self, lane: Lane) -> list[SpoolFile]:
        """Return the files of a lane, oldest first."""
        with self._mutex:
            return list(lane.files.values())

    @contextlib.contextmanager
    def sending(self, lane: Lane, file: SpoolFile) -> Iterator[bool]:
        """Keep a file from being dropped while it is sent; false when it was dropped already."""
        with self._mutex:
            there = file.path.name in lane.files
            self._sending = file.path.name if there else None
        try:
            yield there
        finally:
            self._sending = None

    def remove(self, lane: Lane, file: SpoolFile) -> None:
        """Delete a file that MLflow has, or that there is no room for."""
        with self._mutex:
            if lane.files.pop(file.path.name, None) is not None:
                self.bytes -= file.bytes
                self.count -= 1
            file.path.unlink(missing_ok=True)

    def retire(self, lane: Lane) -> bool:
        """Remove a lane that has no files any more; false when one has come."""
        with self._mutex, self._folder_lock():
            if any(lane.path.glob("*.parquet")):
                return False
            self._lanes.pop(lane.path.name, None)
            shutil.rmtree(lane.path, ignore_errors=True)
            lane.lock.release()
            return True

    def leave(self) -> None:
        """Let go of all lanes: what they hold is for the next logger."""
        with self._mutex:
            for lane in self._lanes.values():
                lane.lock.release()
            self._lanes.clear()

    def _index(self, lane: Lane, file: SpoolFile) -> None:
        lane.files[file.path.name] = file
        self.bytes += file.bytes
        self.count += 1

    def _lane(self, about: About) -> Lane:
        prefix = f"{about.day}-{self._owner}-"
        for lane in self._lanes.values():
            if lane.about == about and not lane.adopted:
                return lane
        with self._folder_lock():
            path = self._folder / f"{prefix}{len(self._lanes)}-{os.urandom(3).hex()}"
            path.mkdir(mode=0o700)
            lock = FileLock.acquire(path / _LOCK, wait=True)
            assert lock is not None  # noqa: S101 - it was waited for
            _put(path / _ABOUT, asdict(about))
            _sync_folder(self._folder)
        lane = Lane(path, about, lock)
        self._lanes[path.name] = lane
        return lane

    def _make_room(self, size: int) -> bool:
        if size > self._max_bytes:
            return False
        while self.bytes + size > self._max_bytes:
            droppable = [
                (file.path.name.partition("-")[2], lane, file)
                for lane in self._lanes.values()
                for file in lane.files.values()
                if file.path.name != self._sending
            ]
            if not droppable:
                return False
            _, lane, oldest = min(droppable, key=lambda found: found[0])
            self.remove(lane, oldest)
            self._dropped(oldest)
        return True

    def _folder_lock(self) -> contextlib.AbstractContextManager[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return locked(self._folder / _LOCK)


def _abandoned(path: Path, wanted: Callable[[About], bool]) -> list[Lane]:
    """Return the lane at `path` when its process has ended and it is wanted."""
    try:
        lock = FileLock.acquire(path / _LOCK, wait=False)
    except OSError:  # another user's
        return []
    lane = _restored(path, lock, wanted) if lock is not None else None
    if lock is not None and lane is None:
        lock.release()
    return [] if lane is None else [lane]


def _restored(path: Path, lock: FileLock, wanted: Callable[[About], bool]) -> Lane | None:
    """Return the lane that a dead process left; None when it is for others. One without anything in it is removed."""
    about = _about(path)
    if about is None:
        # The process ended while it made the lane: there is no file in it yet.
        if not list(path.glob("*.parquet")):
            shutil.rmtree(path, ignore_errors=True)
        return None
    if not wanted(about):
        return None
    for half in path.glob(f"*{_HALF}"):
        half.unlink()
    run = _read(path / _RUN)
    lane = Lane(path, about, lock, adopted=True, run_id=run.get("run_id"))
    for file in sorted(path.glob("*.parquet"), key=lambda file: file.name.partition("-")[2]):
        match = _NAME.fullmatch(file.name)
        if match is not None:
            kind: Kind = "labels" if match["kind"] == "labels" else "predictions"
            size = file.stat().st_size
            lane.files[file.name] = SpoolFile(file, kind, match["batch"], int(match["rows"]), size, recovered=True)
    return lane


def _about(path: Path) -> About | None:
    try:
        return About(**_read(path / _ABOUT))
    except TypeError:
        return None


def _written(path: Path, write: Callable[[BinaryIO], object]) -> int:
    with path.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _moved(half: Path, path: Path) -> None:
    """Give a written file its name for good; or raise OSError, and it is gone, so that it can be written again."""
    half.rename(path)
    try:
        _sync_folder(path.parent)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _put(path: Path, content: dict[str, Any]) -> None:
    half = path.with_name(f"{path.name}{_HALF}")
    _written(half, lambda file: file.write(json.dumps(content).encode()))
    _moved(half, path)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

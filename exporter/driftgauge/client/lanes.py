"""One lane of the spool: what lies in its folder, how it gets there, and how it is found again after a crash.

A lane is what one process logs for one experiment on one day; all its files go to one run. A file has its name from
the start, so that it reaches the same path of the same run however often it is sent. It appears by an atomic
rename after its bytes are on disk; what a crash leaves half written is removed.
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from driftgauge.client.locks import FileLock
from driftgauge.client.process import FORK_GUARD

Kind = Literal["predictions", "labels"]

_LOCK: Final = "lock"
_ABOUT: Final = "about.json"
_RUN: Final = "run.json"
_HALF: Final = ".half"
_FILES: Final = "*.parquet"
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

    @property
    def age_rank(self) -> str:
        """What sorts files of all kinds and lanes from the oldest to the newest."""
        return self.path.name.partition("-")[2]


@dataclass(slots=True, eq=False)
class Lane:
    """A lane that this process works on; `files` by name, oldest first. adopted: a dead process made it."""

    path: Path
    about: About
    lock: FileLock
    adopted: bool = False
    run_id: str | None = None
    files: dict[str, SpoolFile] = field(default_factory=dict)

    @classmethod
    def made(cls, path: Path, about: About) -> "Lane":
        """Make a folder that nobody else can read, with its lock and what it is for. Raises OSError, and it is gone."""
        path.mkdir(mode=0o700)
        with ExitStack() as undone:
            undone.callback(shutil.rmtree, path, ignore_errors=True)
            lock = FileLock.acquire(path / _LOCK)
            undone.callback(lock.release)
            _put(path / _ABOUT, asdict(about))
            sync_folder(path.parent)
            undone.pop_all()
        return cls(path, about, lock)

    def write(
        self, kind: Kind, batch_id: str, rows: int, write: Callable[[BinaryIO], object]
    ) -> tuple[Path, SpoolFile]:
        """Have a file written under a name for the time being; return that, and the file it is to become."""
        name = f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{batch_id}-{rows}.parquet"
        half = self.path / f"{name}{_HALF}"
        try:
            with FORK_GUARD:
                size = _written(half, write)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        return half, SpoolFile(self.path / name, kind, batch_id, rows, size)

    def assign(self, run_id: str | None) -> None:
        """Put on record which run the files go to, None to forget it."""
        if run_id is None:
            (self.path / _RUN).unlink(missing_ok=True)
            sync_folder(self.path)
        else:
            _put(self.path / _RUN, {"run_id": run_id})
        self.run_id = run_id

    def remove(self) -> bool:
        """Delete the folder and free the lock; false when there is a file in it."""
        if any(self.path.glob(_FILES)):
            return False
        shutil.rmtree(self.path, ignore_errors=True)
        self.lock.release()
        return True


def abandoned(path: Path, wanted: Callable[[About], bool]) -> Lane | None:
    """Return the lane at `path` when its process has ended and it is wanted. What holds no file is removed."""
    try:
        lock = FileLock.acquire(path / _LOCK, wait=False)
    except OSError:  # a living process has it, or it is another user's
        return None
    about = _about(path)
    if about is not None and wanted(about):
        return _restored(path, about, lock)
    if about is None and not any(path.glob(_FILES)):
        # The process ended while it made the lane.
        shutil.rmtree(path, ignore_errors=True)
    lock.release()
    return None


def settle(half: Path, path: Path) -> None:
    """Give a written file its name for good; or raise OSError, and it is gone, so that it can be written again."""
    try:
        half.rename(path)
        sync_folder(path.parent)
    except OSError:
        half.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise


def sync_folder(path: Path) -> None:
    """Have the names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _restored(path: Path, about: About, lock: FileLock) -> Lane:
    for half in path.glob(f"*{_HALF}"):
        half.unlink()
    lane = Lane(path, about, lock, adopted=True, run_id=_read(path / _RUN).get("run_id"))
    found = []
    for file in path.glob(_FILES):
        match = _NAME.fullmatch(file.name)
        if match is not None:
            kind: Kind = "labels" if match["kind"] == "labels" else "predictions"
            size = file.stat().st_size
            found.append(SpoolFile(file, kind, match["batch"], int(match["rows"]), size, recovered=True))
    lane.files = {file.path.name: file for file in sorted(found, key=lambda file: file.age_rank)}
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


def _put(path: Path, content: dict[str, Any]) -> None:
    half = path.with_name(f"{path.name}{_HALF}")
    _written(half, lambda file: file.write(json.dumps(content).encode()))
    settle(half, path)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

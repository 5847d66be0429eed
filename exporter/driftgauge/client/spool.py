"""Files that wait for MLflow, in a folder on a local disk that outlives the process.

    spool/driftgauge-spool         marks the folder as a spool
    spool/lock                     held while lanes are created, adopted and removed
    spool/<lane>/lock              held by the process that writes the lane, until it ends
    spool/<lane>/about.json        the lane's destination: experiment, server, model version, sample rate
    spool/<lane>/run.json          the MLflow run of the lane, written before the first attempt to upload
    spool/<lane>/predictions-….parquet, labels-….parquet

A folder that has anything else in it does not become a spool, and what is put next to the lanes of one is left alone.

The next logger for the same destination adopts the lane of a process that has ended; nobody touches that of a living
one. This module does not know MLflow.
"""

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from driftgauge.client.lanes import Destination, Kind, Lane, SpoolFile, abandoned_lane, is_lane_name, is_mine, publish
from driftgauge.client.locks import locked

_LOCK: Final = "lock"
_MARKER: Final = "driftgauge-spool"
_MEANING: Final = "Predictions on their way to MLflow. driftgauge.client makes and removes the folders next to this.\n"
# At the root of a volume.
_OF_THE_FILE_SYSTEM: Final = frozenset({"lost+found"})


def prepare(folder: Path) -> str | None:
    """Make a folder a spool, unless it is one; return the name of something in it that a spool does not have, if any.

    Raises OSError when it cannot be made or written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = {path.name for path in folder.iterdir()}
    if _MARKER in names:
        return None
    # Spools of earlier versions have no marker.
    strangers = {name for name in names - _OF_THE_FILE_SYSTEM - {_LOCK} if not is_lane_name(name)}
    if strangers:
        return min(strangers)
    (folder / _MARKER).write_text(_MEANING, encoding="utf-8")
    return None


class Spool:
    """The lanes that one logger works on, at most `max_bytes` of files; safe to use from several threads.

    owner: hexadecimal, unique to this logger in this process; batch ids begin with it. announce: called with each file
    that is on disk, before it can be sent. dropped: called with each file that is deleted to make room.
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

    def files(self, lane: Lane) -> list[SpoolFile]:
        """Return the files of a lane, oldest first."""
        with self._mutex:
            return list(lane.files.values())

    def add(
        self, kind: Kind, destination: Destination, rows: int, write: Callable[[BinaryIO], object]
    ) -> SpoolFile | None:
        """Write a file; drop the oldest ones to make room. None when it is larger than the whole spool.

        Raises OSError when it cannot be written; nothing of it remains then.
        """
        with self._mutex:
            lane = self._lane(destination)
            self._batches += 1
            batch_id = f"{self._owner}-{self._batches}"
        partial, file = lane.write(kind, batch_id, rows, write)
        with self._mutex:
            has_room = self._make_room(file.bytes)
        if not has_room:
            partial.unlink()
            self._dropped(file)
            return None
        publish(partial, file.path)
        self._announce(file)
        with self._mutex:
            self._index(lane, file)
        return file

    def adopt(self, wanted: Callable[[Destination], bool]) -> int:
        """Take over the lanes of dead processes for wanted destinations; return the number of rows in them."""
        with self._mutex, self._folder_lock():
            strangers = [path for path in sorted(self._folder.iterdir()) if path.name not in self._lanes]
            found = [abandoned_lane(path, wanted) for path in strangers]
        adopted = {lane: list(lane.files.values()) for lane in found if lane is not None}
        for files in adopted.values():
            for file in files:
                self._announce(file)
        with self._mutex:
            for lane, files in adopted.items():
                lane.files.clear()
                self._lanes[lane.path.name] = lane
                for file in files:
                    self._index(lane, file)
            self._make_room(0)
        return sum(file.rows for files in adopted.values() for file in files)

    @contextlib.contextmanager
    def sending(self, lane: Lane, file: SpoolFile) -> Iterator[bool]:
        """Protect a file from being dropped during the block; yields false when it was dropped already.

        One that was exchanged for something else since it was written or found is dropped.
        """
        with self._mutex:
            if file.path.name in lane.files and not is_mine(file.path, stat.S_ISREG):
                self.remove(lane, file)
            there = file.path.name in lane.files
            self._sending = file.path.name if there else None
        try:
            yield there
        finally:
            self._sending = None

    def remove(self, lane: Lane, file: SpoolFile) -> None:
        """Delete a file that MLflow has, or that must make room."""
        with self._mutex:
            if lane.files.pop(file.path.name, None) is not None:
                self.bytes -= file.bytes
                self.count -= 1
            file.path.unlink(missing_ok=True)

    def retire(self, lane: Lane) -> bool:
        """Remove a lane without files; false when a file was added meanwhile."""
        with self._mutex, self._folder_lock():
            removed = lane.remove()
            if removed:
                self._lanes.pop(lane.path.name, None)
            return removed

    def release(self) -> None:
        """Release all lanes: the next logger adopts their files."""
        with self._mutex:
            for lane in self._lanes.values():
                lane.lock.release()
            self._lanes.clear()

    def _lane(self, destination: Destination) -> Lane:
        for lane in self._lanes.values():
            if lane.destination == destination and not lane.adopted:
                return lane
        with self._folder_lock():
            # Never reuse a name: another process may be about to look into it.
            lane = Lane.create(self._folder / f"{destination.day}-{self._owner}-{os.urandom(3).hex()}", destination)
        self._lanes[lane.path.name] = lane
        return lane

    def _index(self, lane: Lane, file: SpoolFile) -> None:
        lane.files[file.path.name] = file
        self.bytes += file.bytes
        self.count += 1

    def _make_room(self, size: int) -> bool:
        if size > self._max_bytes:
            return False
        while self.bytes + size > self._max_bytes:
            droppable = [
                (file.age_rank, lane, file)
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

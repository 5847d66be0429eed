"""Files that wait for MLflow, in a folder on a local disk that outlives the process.

    spool/lock                     held for moments, while lanes are made, adopted and removed
    spool/<lane>/lock              held by the process that works on the lane, as long as it lives
    spool/<lane>/about.json        what is delivered where: experiment, server, model version, sample rate
    spool/<lane>/run.json          the MLflow run of the lane, on record before the first attempt to upload
    spool/<lane>/predictions-….parquet, labels-….parquet

The lane of a dead process is adopted by the next logger for the same destination, and nobody touches that of a living
one. Nothing here knows MLflow.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from driftgauge.client.lanes import About, Kind, Lane, SpoolFile, abandoned, settle
from driftgauge.client.locks import locked

_LOCK: Final = "lock"


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

    def files(self, lane: Lane) -> list[SpoolFile]:
        """Return the files of a lane, oldest first."""
        with self._mutex:
            return list(lane.files.values())

    def add(self, kind: Kind, about: About, rows: int, write: Callable[[BinaryIO], object]) -> SpoolFile | None:
        """Have a file written and keep it; drop the oldest ones for it. None when it is larger than the whole spool.

        Raises OSError when it cannot be written; nothing of it is left then.
        """
        with self._mutex:
            lane = self._lane(about)
            self._batches += 1
            batch_id = f"{self._owner}-{self._batches}"
        half, file = lane.write(kind, batch_id, rows, write)
        with self._mutex:
            has_room = self._make_room(file.bytes)
        if not has_room:
            half.unlink()
            self._dropped(file)
            return None
        settle(half, file.path)
        self._announce(file)
        with self._mutex:
            self._index(lane, file)
        return file

    def adopt(self, wanted: Callable[[About], bool]) -> int:
        """Take over the lanes of dead processes for wanted destinations; return the number of rows in them."""
        with self._mutex, self._folder_lock():
            strangers = [path for path in sorted(self._folder.iterdir()) if path.name not in self._lanes]
            found = [abandoned(path, wanted) for path in strangers if path.is_dir()]
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
            removed = lane.remove()
            if removed:
                self._lanes.pop(lane.path.name, None)
            return removed

    def leave(self) -> None:
        """Let go of all lanes: what they hold is for the next logger."""
        with self._mutex:
            for lane in self._lanes.values():
                lane.lock.release()
            self._lanes.clear()

    def _lane(self, about: About) -> Lane:
        for lane in self._lanes.values():
            if lane.about == about and not lane.adopted:
                return lane
        with self._folder_lock():
            # Never a name that was there before: another process may be about to look into it.
            lane = Lane.made(self._folder / f"{about.day}-{self._owner}-{os.urandom(3).hex()}", about)
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

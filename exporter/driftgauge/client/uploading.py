"""The thread that uploads files from the spool to MLflow, each to a run and path that were fixed before.

A file is deleted from the spool when MLflow has it. Sending a file twice replaces it: same run, path and bytes, which
the exporter counts once. While MLflow does not answer, pauses grow up to `_LAST_PAUSE`, with jitter.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Final

from driftgauge.client.commands import CommandQueue
from driftgauge.client.counters import Counters
from driftgauge.client.lanes import Destination, Lane, SpoolFile
from driftgauge.client.notices import Notices, described, log
from driftgauge.client.spool import Spool
from driftgauge.client.tracking import Tracking
from driftgauge.errors import SourceError, SourceMissing, SourceUnavailable

_FIRST_PAUSE: Final = 1.0
_LAST_PAUSE: Final = 60.0
# How often (s) to look for lanes of processes that ended.
_ADOPTION: Final = 60.0
# A pass over a lane ends after this many files were refused although MLflow answers.
_FAILURES_PER_PASS: Final = 3


class Uploader:
    """Uploads the files of `spool` through `tracking`. wanted: whether to adopt the lanes of a destination."""

    def __init__(
        self,
        spool: Spool,
        tracking: Tracking,
        *,
        wanted: Callable[[Destination], bool],
        counters: Counters,
        notices: Notices,
    ) -> None:
        self._spool = spool
        self._tracking = tracking
        self._wanted = wanted
        self._counters = counters
        self._notices = notices
        self._random = Random()  # noqa: S311 - spreads retries, guards nothing
        self._stopping = False
        self._failures = 0
        # By batch id, of files that are still here.
        self._attempts: Counter[str] = Counter()
        self._due = 0.0
        self._adopted = float("-inf")
        self.commands = CommandQueue()

    def run(self) -> None:
        """Work until a command to stop; then release the spool."""
        while not self._stopping:
            command = self.commands.next(self._pause())
            self._stopping = command is not None and command.stop
            if command is not None or time.monotonic() >= self._due:
                self._attempt()
            if self._stopping:
                self._spool.release()
            if command is not None:
                command.answer(done=self._failures == 0 and self._spool.count == 0)

    def _pause(self) -> float:
        until = self._due if self._failures else self._adopted + _ADOPTION
        return until - time.monotonic()

    def _attempt(self) -> None:
        try:
            self._adopt()
            self._deliver()
        except Exception as error:  # noqa: BLE001 - serving must go on, and the upload is tried again
            self._failed(error)
        else:
            self._failures = 0
            self._notices.end("upload", "uploading to MLflow works again")
            self._notices.end("file", "MLflow takes every file again")

    def _failed(self, error: Exception) -> None:
        self._counters.add("upload_failures")
        self._failures += 1
        pause = min(_LAST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 10)) * self._random.uniform(0.5, 1.0)
        self._due = time.monotonic() + pause
        self._notices.begin("upload", f"cannot upload to MLflow, files wait in the spool: {described(error)}")

    def _adopt(self) -> None:
        if time.monotonic() < self._adopted + _ADOPTION:
            return
        self._counters.add("recovered", self._spool.adopt(self._wanted))
        self._adopted = time.monotonic()

    def _deliver(self) -> None:
        lanes = [lane for lane in self._spool.lanes() if lane.files or self._is_over(lane)]
        if lanes:
            self._tracking.check_reachable()
        failures: list[SourceError] = []
        for lane in lanes:
            try:
                self._send(lane)
                if self._is_over(lane) and not lane.files:
                    self._finish(lane)
            except SourceError as error:
                # Raises when MLflow itself cannot be reached, and not only what this lane needs.
                self._tracking.check_reachable()
                failures.append(error)
        if failures:
            raise failures[0]

    def _is_over(self, lane: Lane) -> bool:
        """Return whether no file will be added: another day has begun, the lane's process ended, or this one ends."""
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        return self._stopping or lane.adopted or lane.destination.day != today

    def _send(self, lane: Lane) -> None:
        if not lane.files:
            return
        run_id = self._run(lane)
        failures = 0
        # Files that were tried before come last, so that a refused one delays no other.
        for file in sorted(self._spool.files(lane), key=lambda file: self._attempts[file.batch_id]):
            failures += not self._sent(run_id, lane, file)
            if failures == _FAILURES_PER_PASS:
                break
        if failures:
            raise SourceUnavailable(
                "files are refused although MLflow answers; see its log and the limits of its proxies"
            )

    def _sent(self, run_id: str, lane: Lane, file: SpoolFile) -> bool:
        with self._spool.sending(lane, file) as there:
            if not there:
                return True
            self._attempts[file.batch_id] += 1
            try:
                self._tracking.upload(run_id, file.path)
            except SourceError as error:
                # Raises when MLflow itself cannot be reached, and not only this file is refused.
                self._tracking.check_reachable()
                self._notices.begin("file", f"{file.path.name} is not taken: {error}")
                return False
            self._delivered(lane, file)
        return True

    def _delivered(self, lane: Lane, file: SpoolFile) -> None:
        self._spool.remove(lane, file)
        self._attempts.pop(file.batch_id, None)
        self._counters.add("uploaded", file.rows)
        self._counters.add("files_uploaded")
        self._counters.last_upload = time.time()
        self._notices.end("spool_full", "the spool has room again")

    def _run(self, lane: Lane) -> str:
        """Return the run of a lane, which is stored on disk before anything is sent to it."""
        if lane.run_id is not None and self._is_lost(lane, lane.run_id):
            lane.assign(None)
        if lane.run_id is None:
            destination = lane.destination
            lane.assign(self._tracking.create_run(destination.experiment, name=lane.path.name, tags=_tags(destination)))
        return lane.run_id or ""

    def _is_lost(self, lane: Lane, run_id: str) -> bool:
        """Return whether a run was deleted, so that files go to another one; files that it has count as delivered.

        A file that was sent without an answer, by this process or one that ended, may have arrived.
        """
        try:
            active = self._tracking.is_active(run_id)
            doubtful = [file for file in self._spool.files(lane) if file.recovered or self._attempts[file.batch_id]]
            arrived = self._tracking.sizes(run_id) if doubtful else {}
        except SourceMissing:
            log.info("run %s is gone from MLflow: its files go to another one", run_id)
            return True
        for file in doubtful:
            if arrived.get(file.path.name) == file.bytes:
                self._delivered(lane, file)
        return not active

    def _finish(self, lane: Lane) -> None:
        if lane.run_id is not None:
            with suppress(SourceMissing):
                self._tracking.finish(lane.run_id)
        self._spool.retire(lane)


def _tags(destination: Destination) -> Mapping[str, str]:
    return {"model_version": destination.model_version, "sample_rate": repr(destination.sample_rate)}

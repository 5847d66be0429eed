"""Serving code that is killed: processes of several threads that log predictions and record what was accepted.

Accepted are the files that `on_spooled` was called with: each is entered in the journal of its
process before it is uploaded. A line is written by one call, so a process that is killed leaves whole lines.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Final

from driftgauge.client import PredictionLogger, SpoolFile

EXPERIMENT: Final = "/chain/predictions"
VERSION: Final = "3"
THREADS: Final = 4
# A thread logs this many rows and then sleeps this long (s): like fast serving code, with rows in memory, files
# on disk and files under way.
_PORTION: Final = 5
_REST: Final = 0.02
_FILE_ROWS: Final = 400
_FILE_AGE: Final = 0.2
_PATIENCE: Final = 120.0


@dataclass(frozen=True)
class Place:
    """Where a writer logs to: the tracking server, and a folder with the spool and the journals."""

    tracking_uri: str
    folder: Path

    @property
    def journals(self) -> list[Path]:
        """The journals of all writers."""
        return sorted(self.folder.glob("journal-*"))


def write(place: Place, name: str, logged: Any, allowed: Any) -> None:
    """Log as many rows in each thread as `allowed` says, however often it is raised; end when it is negative.

    logged: how many each thread has logged, in memory that outlives this process; it goes on from there.
    """
    with _logger(place, name) as logger:
        work = [Thread(target=_log, args=(logger, name, number, logged, allowed)) for number in range(THREADS)]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert logger.flush(_PATIENCE), "rows are still in memory"


def sweep(place: Place) -> None:
    """Deliver the files that killed writers left in the spool."""
    with _logger(place, "sweep") as logger:
        assert logger.flush(_PATIENCE, upload=True), "files are still in the spool"


def _logger(place: Place, name: str) -> PredictionLogger:
    os.environ |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
    journal = os.open(place.folder / f"journal-{name}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(file: SpoolFile) -> None:
        os.write(journal, f"{file.batch_id} {file.rows}\n".encode())

    return PredictionLogger(
        EXPERIMENT,
        VERSION,
        tracking_uri=place.tracking_uri,
        spool_dir=place.folder / "spool",
        max_file_rows=_FILE_ROWS,
        max_file_age=_FILE_AGE,
        flush_timeout=_PATIENCE,
        on_spooled=tell,
    )


def _log(logger: PredictionLogger, name: str, number: int, logged: Any, allowed: Any) -> None:
    log = _log_batch if number == 0 else _log_rows
    while (target := allowed.value) >= 0:
        first = logged[number]
        log(logger, [f"{name}-{number}-{row}" for row in range(first, min(first + _PORTION, target))], number, logged)
        time.sleep(_REST)


def _log_batch(logger: PredictionLogger, ids: list[str], number: int, logged: Any) -> None:
    if ids:
        assert logger.log_batch({"age": range(len(ids))}, [1] * len(ids), request_ids=ids) is not None
        logged[number] += len(ids)


def _log_rows(logger: PredictionLogger, ids: list[str], number: int, logged: Any) -> None:
    for request_id in ids:
        assert logger.log({"age": 40}, 1, request_id=request_id) is not None
        logged[number] += 1

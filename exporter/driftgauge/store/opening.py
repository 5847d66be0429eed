"""The state file is opened, or refused with what to do about it.

A damaged file is never taken for a new one, nor is anything written to what is no state of driftgauge. What is damaged
deep inside shows only when it is read: `told` says then what to do.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from driftgauge.errors import StateDamaged, StateError, StateInUse

# Request ids, predictions and labels are in it. A folder that was there before may be shared on purpose.
_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
# What DuckDB says of a damaged file or log, of one that is cut, and of one that is none.
_DAMAGED: Final = ("corrupt", "checksum", "could not read enough bytes", "not a valid duckdb", "replaying wal")
# How DuckDB's log begins; it passes over one that begins otherwise without a word. One that was cut may be shorter, and
# one that never reached the disk has zeros.
_LOG_MARK: Final = b"\x64\x00\x62"


def connected(path: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to the state file, which is made if there is none. Raises StateError."""
    try:
        path.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        _refuse_what_is_none(path)
        _make_private(path)
        return duckdb.connect(str(path))
    except (OSError, duckdb.Error) as error:
        if isinstance(error, duckdb.IOException) and "lock" in str(error):
            raise StateInUse(f"another process uses {path}: stop it, or give this one its own state_dir") from error
        raise told(f"cannot open the state file {path}", path, error) from error


def told(what: str, path: Path, error: Exception) -> StateError:
    """Return what is to be said of a failure, with what to do when the file is damaged."""
    said = str(error).strip()
    if isinstance(error, duckdb.Error) and any(word in said.lower() for word in _DAMAGED):
        return damaged(path, f"{what}: {said}")
    if isinstance(error, OSError):
        return StateError(f"{what}: {said}. Check that the directory is writable")
    return StateError(f"{what}: {said}")


def damaged(path: Path, what: str) -> StateDamaged:
    """Return that the state file is damaged."""
    return StateDamaged(f"the state file {path} is damaged or none of driftgauge: {what}")


def check_tables(connection: duckdb.DuckDBPyConnection, path: Path, expected: frozenset[str]) -> bool:
    """Return whether the file is a state, False of a new one. Raises StateDamaged when it is something else."""
    found = {str(name) for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not found:
        return False
    if missing := expected - found:
        raise damaged(path, f"it has no table {', '.join(sorted(missing))}")
    return True


def _refuse_what_is_none(path: Path) -> None:
    log = path.with_name(f"{path.name}.wal")
    if path.is_dir():
        raise damaged(path, "it is a directory")
    if log.is_file() and log.stat().st_size:
        if not path.exists():
            raise damaged(path, f"it is gone, and its log {log.name} is left")
        with log.open("rb") as file:
            first = file.read(len(_LOG_MARK))
        if not _LOG_MARK.startswith(first) and any(first):
            raise damaged(path, f"its log {log.name} is none of DuckDB's")


def _make_private(path: Path) -> None:
    """Have only this user read the state file and its log; a new one is made as the process' mask allows."""
    for file in (path, path.with_name(f"{path.name}.wal")):
        with suppress(FileNotFoundError):
            file.chmod(_PRIVATE_FILE)

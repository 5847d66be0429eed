"""The state file: opening and locking it, its tables, and transactions on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import duckdb
import pyarrow as pa

from driftgauge.errors import StateError
from driftgauge.schema import Task
from driftgauge.store.opening import check_tables, connected, damaged, told
from driftgauge.store.upgrading import upgrade

FILE_NAME: Final = "driftgauge.duckdb"
SCHEMA_VERSION: Final = 21
# How much memory DuckDB may use; larger joins spill into `<file>.tmp` next to the state file. DuckDB's default is most
# of the machine's memory, so a burst of labels could leave too little for the rest of the exporter.
MEMORY_LIMIT: Final = "512MiB"
_SET_LIMIT: Final = f"SET memory_limit = '{MEMORY_LIMIT}'"
# Size of the write-ahead log at which a checkpoint writes it into the state file. A checkpoint rewrites all of a small
# table when one of its rows has changed, so it costs as much as many commits. For the same reason large values have
# their own tables: each model's reference, and its panes of each length, since most commits change only the shortest.
_LOG_LIMIT: Final = 64 * 2**20
# The limit after a large transaction. The content of the log is in memory too, and the next of many large files needs
# that memory.
_LOG_LIMIT_AFTER_LARGE: Final = 24 * 2**20
# DuckDB's own checkpoints run before a transaction ends, while the rows it replaces are still in memory. So `settle`
# asks for them, and this limit, at which DuckDB starts one on its own, is high.
_LOG_LIMIT_OF_DUCKDB: Final = "256MiB"

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (schema_version INTEGER);
CREATE SEQUENCE IF NOT EXISTS model_ids;
CREATE TABLE IF NOT EXISTS models (
    id INTEGER, name VARCHAR, task VARCHAR, totals BLOB, reference_identity VARCHAR,
    windows BIGINT[], segments VARCHAR[], pane_lengths BIGINT[], turn BIGINT DEFAULT 0, expired_at BIGINT DEFAULT 0,
    journal VARCHAR DEFAULT '', again BOOLEAN DEFAULT false, settings VARCHAR DEFAULT '', apart BLOB,
    back_to BIGINT DEFAULT 0
);
CREATE TABLE IF NOT EXISTS files (
    model INTEGER, source VARCHAR, path VARCHAR, size BIGINT, rows_read BIGINT, failures INTEGER, retry_at BIGINT,
    reason VARCHAR, origin VARCHAR, content VARCHAR, seen VARCHAR, read_at BIGINT
);
CREATE TABLE IF NOT EXISTS cursors (model INTEGER, key VARCHAR, value VARCHAR);
"""
# Tables of every state.
_OWN: Final = frozenset({"meta", "models", "files", "cursors"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a model under one set of settings.

    settings: a text of these. again: it is being built; then files whose rows are from before `back_to` (µs) are not
    read for it.
    """

    task: Task
    settings: str
    again: bool
    back_to: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction for one reading of a model; its `connection` must not be used after it ended.

    model: the number of the reading. name: of the model.
    """

    connection: duckdb.DuckDBPyConnection
    model: int
    task: Task
    name: str = ""

    @property
    def predictions(self) -> str:
        """The table of this model's predictions with a join key."""
        return f"predictions_{self.model}"

    @property
    def labels(self) -> str:
        """The table of this model's labels with a join key."""
        return f"labels_{self.model}"

    @property
    def pairs(self) -> str:
        """The table of predictions that have or had a label, and of those labels."""
        return f"pairs_{self.model}"

    @property
    def torn(self) -> str:
        """The table of files in which some rows could not be read at all."""
        return f"torn_{self.model}"

    @property
    def reference(self) -> str:
        """The table with this model's compiled references: a row for all of one, and one for each segment's slice."""
        return f"reference_{self.model}"

    @property
    def evidence(self) -> str:
        """The table with the evidence of each version."""
        return f"evidence_{self.model}"

    def panes(self, length: int) -> str:
        """Return the table of this model's panes of `length` seconds; `models.pane_lengths` lists the lengths."""
        return f"panes_{self.model}_{length}"

    def run(self, statement: str, parameters: list[object] | None = None) -> None:
        """Execute a statement."""
        self.fetch_all(statement, parameters)

    def fetch_all(self, query: str, parameters: list[object] | None = None) -> list[tuple[object, ...]]:
        """Run a query and return its rows."""
        return self.connection.execute(query, parameters or []).fetchall()

    def fetch_table(self, query: str, parameters: list[object] | dict[str, object] | None = None) -> pa.Table:
        """Run a query and return its rows as an Arrow table."""
        return self.connection.sql(query, params=parameters or []).to_arrow_table()


class Store:
    """The open state file. One process at a time; threads take turns."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._log = path.with_name(f"{FILE_NAME}.wal")
        self._lock = threading.Lock()
        self._models: dict[tuple[str, Task], int] = {}

    @classmethod
    def open(cls, state_dir: str) -> Self:
        """Open or create the state file; raises `StateError` when it is locked, damaged or cannot be written."""
        path = Path(state_dir) / FILE_NAME
        connection = connected(path)
        try:
            _prepare(connection, path)
        except duckdb.Error as error:
            connection.close()
            raise told(f"cannot open the state file {path}", path, error) from error
        except StateError:
            connection.close()
            raise
        return cls(connection, path=path)

    def close(self) -> None:
        """Close the file and release its lock."""
        with self._lock:
            self._connection.close()

    def settle(self, *, after_large: bool) -> None:
        """Write a long log into the state file; after a large transaction also release the memory of DuckDB's caches.

        Raises `StateError` when the state file cannot be written.
        """
        limit = _LOG_LIMIT_AFTER_LARGE if after_large else _LOG_LIMIT
        with self._lock:
            try:
                if self._log.exists() and self._log.stat().st_size > limit:
                    self._connection.execute("CHECKPOINT")
                if after_large:
                    # DuckDB empties its caches when the limit is set; it has no statement for that alone.
                    self._connection.execute(_SET_LIMIT)
            except duckdb.Error as error:
                raise told("cannot write the state file", self._path, error) from error

    def readings(self, model: str) -> list[Reading]:
        """Return the readings of a model, first the one that is served; none of a new model."""
        with self._lock:
            try:
                rows = self._connection.execute(
                    "SELECT task, settings, again, back_to FROM models WHERE name = ? ORDER BY again", [model]
                ).fetchall()
            except duckdb.Error as error:
                raise told(f"cannot read the state of model {model!r}", self._path, error) from error
        return [Reading(*row) for row in rows]

    def forgot(self, model: str) -> None:
        """Know no number of a model any more, whose readings were deleted."""
        with self._lock:
            self._models = {key: known for key, known in self._models.items() if key[0] != model}

    def reset(self, model: str) -> None:
        """Have a model read again as if its settings had changed; nothing happens to one that is not known."""
        for reading in self.readings(model):
            with self.transaction(model, reading.task, again=reading.again) as tx:
                tx.run("UPDATE models SET settings = '' WHERE id = ?", [tx.model])

    @contextmanager
    def transaction(self, model: str, task: Task, *, again: bool = False) -> Iterator[Transaction]:
        """Run the body in one transaction, which is committed when the body ends and rolled back when it raises.

        again: it is about the reading that is built next to the one that is served.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN TRANSACTION")
                try:
                    known = None if again else self._models.get((model, task))
                    number = known or _model_id(self._connection, model, task, again=again)
                    yield Transaction(self._connection, number, task, model)
                    self._connection.execute("COMMIT")
                    if again:
                        # It may have taken the place of the other.
                        self._models = {key: known for key, known in self._models.items() if key[0] != model}
                    else:
                        self._models[model, task] = number
                except BaseException:
                    _roll_back(self._connection)
                    raise
            except duckdb.Error as error:
                raise told(f"cannot use the state of model {model!r}", self._path, error) from error


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    # No extension is loaded and no file but the state file is opened, whatever a statement or a value says.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_SET_LIMIT)
    connection.execute(f"SET wal_autocheckpoint = '{_LOG_LIMIT_OF_DUCKDB}'")
    is_old = check_tables(connection, path, _OWN)
    connection.execute(_TABLES)
    found = connection.execute("SELECT schema_version FROM meta").fetchall()
    if not is_old:
        connection.execute("INSERT INTO meta VALUES (?)", [SCHEMA_VERSION])
    elif len(found) != 1:
        raise damaged(path, f"it has {len(found)} schema versions")
    elif not upgrade(connection, found[0][0], SCHEMA_VERSION):
        raise StateError(
            f"{path} has schema version {found[0][0]}, this driftgauge reads {SCHEMA_VERSION}: "
            "use the driftgauge that wrote it, or set state_dir to an empty directory to read MLflow from the start"
        )


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.TransactionException:
        # DuckDB has already aborted it, as it does when a commit fails.
        return


def _model_id(connection: duckdb.DuckDBPyConnection, name: str, task: Task, *, again: bool) -> int:
    """Return the number of a model's reading, which is made if there is none. One of another task is another."""
    found = connection.execute(
        "SELECT id FROM models WHERE name = ? AND task = ? AND again = ?", [name, task, again]
    ).fetchall()
    if found:
        return int(found[0][0])
    (number,) = connection.execute("SELECT nextval('model_ids')").fetchall()[0]
    connection.execute("INSERT INTO models (id, name, task, again) VALUES (?, ?, ?, ?)", [number, name, task, again])
    value = "DOUBLE" if task == "regression" else "VARCHAR"
    connection.execute(
        f"CREATE TABLE predictions_{number} (key VARCHAR, version VARCHAR, time BIGINT, predicted {value}, "
        "score DOUBLE, classes VARCHAR, class_scores DOUBLE[], segments VARCHAR[], "
        "file BIGINT, place BIGINT, number BIGINT, coding VARCHAR, codes BLOB)"
    )
    connection.execute(
        f"CREATE TABLE reference_{number} (version VARCHAR, identity VARCHAR, segment VARCHAR, data BLOB, metrics BLOB)"
    )
    connection.execute(
        f"CREATE TABLE labels_{number} (key VARCHAR, time BIGINT, label {value}, file BIGINT, place BIGINT, "
        "number BIGINT, own BOOLEAN, turn BIGINT, state UTINYINT, counted BOOLEAN)"
    )
    connection.execute(f"CREATE TABLE pairs_{number} (file BIGINT, place BIGINT, label_time BIGINT, label {value})")
    connection.execute(f"CREATE TABLE torn_{number} (file BIGINT)")
    connection.execute(f"CREATE TABLE evidence_{number} (version VARCHAR, data BLOB)")
    return int(number)

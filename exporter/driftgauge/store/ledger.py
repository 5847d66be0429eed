"""Which files were read how far, which failed and when to retry them, and what is known of runs."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from driftgauge.store.database import Transaction

# The columns of keys, as DuckDB calls their types.
_TYPES: Final = {pa.string(): "VARCHAR", pa.int32(): "INTEGER", pa.int64(): "BIGINT", pa.bool_(): "BOOLEAN"}


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One artifact as it was last read.

    size: bytes then, None if the artifact store did not say. rows_read: rows consumed, the rejected ones included.
    failures: failed attempts since the last success; retry_at: µs, when to retry, 0 while nothing failed;
    reason: of the last failure, "" otherwise. origin: JSON with which the pipeline can list the file again.
    content: with which the pipeline recognises the bytes that were read, "" before the first success.
    """

    run_id: str
    path: str
    size: int | None
    rows_read: int
    failures: int = 0
    retry_at: int = 0
    reason: str = ""
    origin: str = ""
    content: str = ""


def read_files(tx: Transaction) -> dict[tuple[str, str], FileRecord]:
    """Return every known file of the model by (run id, path)."""
    rows = tx.fetch_all(
        "SELECT run_id, path, size, rows_read, failures, retry_at, reason, origin, content FROM files WHERE model = ?",
        [tx.model],
    )
    records = [FileRecord(*row) for row in rows]  # type: ignore[arg-type]  # the table's columns are these fields
    return {(record.run_id, record.path): record for record in records}


def write_files(tx: Transaction, records: Sequence[FileRecord], *, known: Container[tuple[str, str]]) -> None:
    """Insert records, or replace those of the `known` files, by (run id, path)."""
    rows = [{"model": tx.model, **{name: getattr(r, name) for name in FileRecord.__slots__}} for r in records]
    if rows:
        schema = pa.schema(
            {"model": pa.int32(), "run_id": pa.string(), "path": pa.string(), "size": pa.int64()}
            | {"rows_read": pa.int64(), "failures": pa.int32(), "retry_at": pa.int64()}
            | {"reason": pa.string(), "origin": pa.string(), "content": pa.string()}
        )
        table = pa.Table.from_pylist(rows, schema=schema)
        there = [(record.run_id, record.path) in known for record in records]
        replace(tx, "files", table, keys=("model", "run_id", "path"), there=there)


def read_runs(tx: Transaction) -> dict[str, dict[str, str]]:
    """Return, by experiment, the JSON state of every run that was ever listed."""
    found: dict[str, dict[str, str]] = {}
    for experiment, run_id, state in tx.fetch_all(
        "SELECT experiment, run_id, state FROM runs WHERE model = ?", [tx.model]
    ):
        found.setdefault(str(experiment), {})[str(run_id)] = str(state)
    return found


def write_runs(
    tx: Transaction, experiment: str, states: Mapping[str, str], *, known: Container[str], gone: Iterable[str] = ()
) -> None:
    """Insert the JSON states of runs, replace those of the `known` runs, and delete the runs in `gone`."""
    for run_id in gone:
        tx.run("DELETE FROM runs WHERE model = ? AND experiment = ? AND run_id = ?", [tx.model, experiment, run_id])
    rows = [{"model": tx.model, "experiment": experiment, "run_id": k, "state": v} for k, v in states.items()]
    if rows:
        schema = pa.schema(
            {"model": pa.int32(), "experiment": pa.string(), "run_id": pa.string(), "state": pa.string()}
        )
        table, there = pa.Table.from_pylist(rows, schema=schema), [run_id in known for run_id in states]
        replace(tx, "runs", table, keys=("model", "experiment", "run_id"), there=there)


def replace(tx: Transaction, table: str, rows: pa.Table, *, keys: tuple[str, ...], there: Sequence[bool]) -> None:
    """Put rows, with all columns in their order, into a table; those that are `there` replace the row with their keys.

    Nothing is deleted when no row is there: DuckDB takes longer for that than for inserting a row.
    """
    if any(there):
        delete(tx, table, rows.select(keys).filter(pa.array(there)))
    insert(tx, table, rows)


def insert(tx: Transaction, table: str, rows: pa.Table) -> None:
    """Put rows, with all columns in their order, into a table."""
    # Not by a registered name: that takes longer, and DuckDB keeps the rows in memory until the transaction ends.
    tx.connection.from_arrow(rows).insert_into(table)


def delete(tx: Transaction, table: str, keys: pa.Table) -> None:
    """Remove the rows of a table that have these keys."""
    names = ", ".join(f'"{name}"' for name in keys.column_names)
    lists = ", ".join(f"unnest(?::{_TYPES[column.type]}[])" for column in keys.schema)
    tx.run(f"DELETE FROM {table} WHERE ({names}) IN (SELECT {lists})", [column.to_pylist() for column in keys.columns])

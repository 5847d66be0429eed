"""Which files were read how far, which failed and when to retry them, and how far feeds have looked."""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

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
    content: with which the pipeline recognises the bytes that were read, "" before the first success. seen: text of
    which rows have counted. read_at: µs, when new rows of it were last read, 0 before the first.
    """

    source: str
    path: str
    size: int | None
    rows_read: int
    failures: int = 0
    retry_at: int = 0
    reason: str = ""
    origin: str = ""
    content: str = ""
    seen: str = ""
    read_at: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the other files of the model."""
        return self.source, self.path


def read_files(tx: Transaction) -> dict[tuple[str, str], FileRecord]:
    """Return every known file of the model by (source, path)."""
    rows = tx.fetch_all(f"SELECT {', '.join(FileRecord.__slots__)} FROM files WHERE model = ?", [tx.model])
    records = [FileRecord(*row) for row in rows]  # type: ignore[arg-type]  # the table's columns are these fields
    return {(record.source, record.path): record for record in records}


def write_files(tx: Transaction, records: Sequence[FileRecord], *, known: Container[tuple[str, str]]) -> None:
    """Insert records, or replace those of the `known` files, by (source, path)."""
    rows = [{"model": tx.model, **{name: getattr(r, name) for name in FileRecord.__slots__}} for r in records]
    if rows:
        schema = pa.schema(
            {"model": pa.int32(), "source": pa.string(), "path": pa.string(), "size": pa.int64()}
            | {"rows_read": pa.int64(), "failures": pa.int32(), "retry_at": pa.int64()}
            | {"reason": pa.string(), "origin": pa.string(), "content": pa.string()}
            | {"seen": pa.string(), "read_at": pa.int64()}
        )
        table = pa.Table.from_pylist(rows, schema=schema)
        there = [(record.source, record.path) in known for record in records]
        replace(tx, "files", table, keys=("model", "source", "path"), there=there)


def read_cursor(tx: Transaction) -> dict[str, Any]:
    """Return the JSON values of the model's cursor by key."""
    rows = tx.fetch_all("SELECT key, value FROM cursors WHERE model = ?", [tx.model])
    return {str(key): json.loads(str(value)) for key, value in rows}


def write_cursor(tx: Transaction, values: Mapping[str, Any], *, known: Mapping[str, Any]) -> None:
    """Store a cursor in place of the `known` one; only what differs is written."""
    gone = known.keys() - values.keys()
    if gone:
        keys = pa.table({"model": pa.array([tx.model] * len(gone), pa.int32()), "key": pa.array(sorted(gone))})
        delete(tx, "cursors", keys)
    changed = [key for key, value in values.items() if key not in known or known[key] != value]
    if changed:
        rows = [{"model": tx.model, "key": key, "value": json.dumps(values[key])} for key in changed]
        schema = pa.schema({"model": pa.int32(), "key": pa.string(), "value": pa.string()})
        there = [key in known for key in changed]
        replace(tx, "cursors", pa.Table.from_pylist(rows, schema=schema), keys=("model", "key"), there=there)


def read_journal(tx: Transaction) -> str:
    """Return the pipeline's notes on the model, "" when there are none."""
    ((journal,),) = tx.fetch_all("SELECT journal FROM models WHERE id = ?", [tx.model])
    return str(journal or "")


def write_journal(tx: Transaction, journal: str) -> None:
    """Replace the pipeline's notes on the model."""
    tx.run("UPDATE models SET journal = ? WHERE id = ?", [journal, tx.model])


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

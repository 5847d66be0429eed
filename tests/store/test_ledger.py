"""Cursors of files and cursors of feeds, written and read back."""

from typing import Any

from driftgauge.store import FileRecord, Store
from driftgauge.store.ledger import read_cursor, read_files, write_cursor, write_files


def test_files_round_trip(store: Store) -> None:
    """Every field of a record comes back, unknown sizes, failures and any text included."""
    records = [
        FileRecord("run1", "a/b.csv", 2**40, 2**33),
        FileRecord("run1", "é 'quoted'.json", None, 0, 3, 2**60, "invalid_json", '{"x": "é"}'),
    ]
    with store.transaction("churn", "binary") as tx:
        write_files(tx, records, known=())
        write_files(tx, [], known=())
    with store.transaction("churn", "binary") as tx:
        assert read_files(tx) == {(record.source, record.path): record for record in records}


def test_file_is_replaced(store: Store) -> None:
    """A record takes the place of the one for the same run and path, and of no other."""
    with store.transaction("churn", "binary") as tx:
        write_files(tx, [FileRecord("run1", "a", 1, 1), FileRecord("run2", "a", 2, 2)], known=())
        write_files(tx, [FileRecord("run1", "a", 9, 9), FileRecord("run1", "b", 3, 3)], known={("run1", "a")})
        rows = {place: record.rows_read for place, record in read_files(tx).items()}
    assert rows == {("run1", "a"): 9, ("run2", "a"): 2, ("run1", "b"): 3}


def test_cursor(store: Store) -> None:
    """Values are stored by key, changed ones in place of what was there, and those that are gone are forgotten."""
    steps: list[dict[str, Any]] = [
        {"one/a": {"x": 1}, "one/b": [None, "é"], "two/a": 4},
        {"one/b": {"listed": 5}, "one/c": 3, "two/a": 4},
        {},
        {"one/a": 1.5},
    ]
    known: dict[str, Any] = {}
    for values in steps:
        with store.transaction("churn", "binary") as tx:
            write_cursor(tx, values, known=known)
        with store.transaction("churn", "binary") as tx:
            known = read_cursor(tx)
        assert known == values
    with store.transaction("other", "binary") as tx:
        assert read_cursor(tx) == {}

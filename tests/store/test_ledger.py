"""Cursors of files and states of runs, written and read back."""

from driftgauge.store import FileRecord, Store
from driftgauge.store.ledger import read_files, read_runs, write_files, write_runs


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
        assert read_files(tx) == {(record.run_id, record.path): record for record in records}


def test_file_is_replaced(store: Store) -> None:
    """A record takes the place of the one for the same run and path, and of no other."""
    with store.transaction("churn", "binary") as tx:
        write_files(tx, [FileRecord("run1", "a", 1, 1), FileRecord("run2", "a", 2, 2)], known=())
        write_files(tx, [FileRecord("run1", "a", 9, 9), FileRecord("run1", "b", 3, 3)], known={("run1", "a")})
        rows = {place: record.rows_read for place, record in read_files(tx).items()}
    assert rows == {("run1", "a"): 9, ("run2", "a"): 2, ("run1", "b"): 3}


def test_runs_round_trip(store: Store) -> None:
    """States come back by experiment; changed ones replace, and those of runs that are gone leave."""
    with store.transaction("churn", "binary") as tx:
        write_runs(tx, "one", {"a": "1", "b": "2", "c": "3"}, known=())
        write_runs(tx, "two", {"a": "4"}, known=())
        write_runs(tx, "one", {"b": "5"}, known="abc", gone=["a", "never seen"])
    with store.transaction("fraud", "binary") as tx:
        write_runs(tx, "one", {"b": "6"}, known="bc")
    with store.transaction("churn", "binary") as tx:
        assert read_runs(tx) == {"one": {"b": "5", "c": "3"}, "two": {"a": "4"}}

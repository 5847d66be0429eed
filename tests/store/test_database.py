"""The state file: who may open it, and what a transaction that fails leaves."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest

from driftgauge.errors import StateDamaged, StateError
from driftgauge.schema import Task
from driftgauge.store import FileRecord, Store
from driftgauge.store.database import FILE_NAME
from driftgauge.store.ledger import read_files, write_files

HOLDER = """
import sys
from driftgauge.store import Store
store = Store.open(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""
RECORD = FileRecord("run", "a.csv", 10, 3)


def test_locked_by_another_process(tmp_path: Path) -> None:
    """While another process has the file the message says so; when it ends, even by a kill, the file opens."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(StateError, match=r"another process uses .*: stop it, or give this one its own state_dir"):
            Store.open(str(tmp_path))
        holder.kill()
        holder.wait()
    Store.open(str(tmp_path)).close()


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    """The folder is made for this user alone, and a state file that others could read is closed to them."""
    state = tmp_path / "state"
    Store.open(str(state)).close()
    assert state.stat().st_mode & 0o777 == 0o700
    for name in (FILE_NAME, f"{FILE_NAME}.wal"):
        (state / name).touch()
        (state / name).chmod(0o644)
    store = Store.open(str(state))
    assert {file.stat().st_mode & 0o777 for file in state.iterdir()} == {0o600}
    store.close()


def _garbage(folder: Path) -> None:
    (folder / FILE_NAME).write_bytes(b"this is no database" * 1000)


def _overwritten_middle(folder: Path) -> None:
    _written(folder)
    path = folder / FILE_NAME
    data = bytearray(path.read_bytes())
    data[4096 : 4096 + 8192] = b"\xff" * 8192
    path.write_bytes(data)


def _newer_schema(folder: Path) -> None:
    _written(folder)
    with duckdb.connect(str(folder / FILE_NAME)) as connection:
        connection.execute("UPDATE meta SET schema_version = 99")


def _file_for_folder(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("a file where the directory should be")


def _folder_for_file(folder: Path) -> None:
    (folder / FILE_NAME).mkdir()


def _written(folder: Path) -> None:
    store = Store.open(str(folder))
    with store.transaction("churn", "binary") as tx:
        write_files(tx, [RECORD], known=())
    store.close()


def _empty(folder: Path) -> None:
    (folder / FILE_NAME).touch()


def _cut(folder: Path) -> None:
    _written(folder)
    os.truncate(folder / FILE_NAME, 20_000)


def _foreign(folder: Path) -> None:
    with duckdb.connect(str(folder / FILE_NAME)) as connection:
        connection.execute("CREATE TABLE sales AS SELECT 1 AS amount")


def _without_a_table(folder: Path) -> None:
    _written(folder)
    with duckdb.connect(str(folder / FILE_NAME)) as connection:
        connection.execute("DROP TABLE files")


def _without_version(folder: Path) -> None:
    _written(folder)
    with duckdb.connect(str(folder / FILE_NAME)) as connection:
        connection.execute("DELETE FROM meta")


def _with_log(folder: Path) -> bytes:
    """Leave a log, as a kill does; return it."""
    store = Store.open(str(folder))
    with store.transaction("churn", "binary") as tx:
        write_files(tx, [RECORD], known=())
    file, log = folder / FILE_NAME, folder / f"{FILE_NAME}.wal"
    left = file.read_bytes(), log.read_bytes()
    store.close()
    file.write_bytes(left[0])
    log.write_bytes(left[1])
    return left[1]


def _damaged_log(folder: Path) -> None:
    log = bytearray(_with_log(folder))
    middle = len(log) // 2
    log[middle : middle + 50] = b"\x55" * 50
    (folder / f"{FILE_NAME}.wal").write_bytes(log)


def _foreign_log(folder: Path) -> None:
    _with_log(folder)
    (folder / f"{FILE_NAME}.wal").write_bytes(b"something else" * 20)


def _log_alone(folder: Path) -> None:
    _with_log(folder)
    (folder / FILE_NAME).unlink()


@pytest.mark.parametrize(
    ("harm", "remedy", "expected"),
    [
        pytest.param(_garbage, "move it away", StateDamaged, id="garbage"),
        pytest.param(_overwritten_middle, "move it away", StateDamaged, id="damaged-block"),
        pytest.param(_empty, "move it away", StateDamaged, id="empty"),
        pytest.param(_cut, "move it away", StateDamaged, id="cut"),
        pytest.param(_foreign, "no table cursors, files, meta, models.*move it away", StateDamaged, id="foreign"),
        pytest.param(_without_a_table, "no table files.*move it away", StateDamaged, id="a-table-is-gone"),
        pytest.param(_without_version, "0 schema versions.*move it away", StateDamaged, id="no-version"),
        pytest.param(_damaged_log, "move it away, with its .wal", StateDamaged, id="damaged-log"),
        pytest.param(_foreign_log, "none of DuckDB's.*move it away, with its .wal", StateDamaged, id="foreign-log"),
        pytest.param(_log_alone, "it is gone, and its log .* is left", StateDamaged, id="log-alone"),
        pytest.param(
            _newer_schema, "schema version 99.*set state_dir to an empty directory", StateError, id="newer-schema"
        ),
        pytest.param(_file_for_folder, "Check that the directory is writable", StateError, id="directory-is-a-file"),
        pytest.param(_folder_for_file, "it is a directory.*move it away", StateDamaged, id="file-is-a-directory"),
    ],
)
def test_unusable_state(tmp_path: Path, harm: Callable[[Path], None], remedy: str, expected: type[StateError]) -> None:
    """A state that cannot be used is a StateError that names the path and says what to do, and stays as it is."""
    folder = tmp_path / "state"
    folder.mkdir()
    harm(folder)
    before = _contents(folder)
    with pytest.raises(StateError, match=f"(?s){folder}.*{remedy}") as caught:
        Store.open(str(folder))
    assert type(caught.value) is expected
    assert _contents(folder) == before


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("harm", "left"),
    [
        (lambda log: log, [RECORD]),
        (lambda log: log[:-3], []),
        (lambda log: log[:2], []),
        (lambda log: bytes(len(log)), []),
    ],
    ids=["whole", "its end is missing", "hardly begun", "never reached the disk"],
)
def test_a_log_that_a_kill_left(tmp_path: Path, harm: Callable[[bytes], bytes], left: list[FileRecord]) -> None:
    """What was committed before a kill is there; of a log that was cut, or never reached the disk, what is whole."""
    log = _with_log(tmp_path)
    (tmp_path / f"{FILE_NAME}.wal").write_bytes(harm(log))

    store = Store.open(str(tmp_path))
    with store.transaction("churn", "binary") as tx:
        found = list(read_files(tx).values())
    store.close()

    assert found == left


def test_damage_that_shows_later(tmp_path: Path) -> None:
    """A block that is damaged while the file is open, and is read later, names the remedy as well."""
    store = Store.open(str(tmp_path))
    with store.transaction("churn", "binary") as tx:
        tx.run("CREATE TABLE much AS SELECT range AS a, hash(range) AS b FROM range(300000)")
    store.close()
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    for start in range(len(data) // 4, len(data), 2**18):
        data[start : start + 64] = bytes(byte ^ 0x55 for byte in data[start : start + 64])
    path.write_bytes(data)
    with pytest.raises(StateDamaged, match=f"(?s){path}.*move it away"):
        _summed(tmp_path)


def _summed(folder: Path) -> None:
    store = Store.open(str(folder))
    try:
        with store.transaction("churn", "binary") as tx:
            tx.fetch_all("SELECT sum(a), sum(b) FROM much")
    finally:
        store.close()


def test_refusal_releases_the_file(tmp_path: Path) -> None:
    """A state of another version stays untouched and can be opened by the program that wrote it."""
    _newer_schema(tmp_path)
    with pytest.raises(StateError):
        Store.open(str(tmp_path))
    with duckdb.connect(str(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("SELECT schema_version FROM meta").fetchall() == [(99,)]


def test_folders_are_made(tmp_path: Path) -> None:
    """The state directory is made with its parents, and what was written is there after reopening."""
    _written(tmp_path / "deep" / "er")
    store = Store.open(str(tmp_path / "deep" / "er"))
    with store.transaction("churn", "binary") as tx:
        assert read_files(tx) == {("run", "a.csv"): RECORD}
    store.close()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_transaction_rolls_back_wholly(store: Store, error: type[BaseException]) -> None:
    """When the body raises, nothing of it lasts, tables of a new model included, and the store goes on."""

    def failing() -> None:
        with store.transaction("churn", "binary") as tx:
            write_files(tx, [RECORD], known=())
            raise error

    with pytest.raises(error):
        failing()
    with store.transaction("churn", "binary") as tx:
        assert read_files(tx) == {}
        write_files(tx, [RECORD], known=())
    with store.transaction("churn", "binary") as tx:
        assert read_files(tx) == {("run", "a.csv"): RECORD}


def test_database_failure_is_a_state_error(store: Store) -> None:
    """What DuckDB raises inside a transaction becomes a StateError that names the model."""

    def failing() -> None:
        with store.transaction("churn", "binary") as tx:
            write_files(tx, [RECORD], known=())
            tx.run("INSERT INTO no_such_table VALUES (1)")

    with pytest.raises(StateError, match="cannot use the state of model 'churn'"):
        failing()
    with store.transaction("churn", "binary") as tx:
        assert read_files(tx) == {}


@pytest.mark.parametrize("other", [("fraud", "binary"), ("churn", "regression")])
def test_models_are_apart(store: Store, other: tuple[str, Task]) -> None:
    """Another model, or the same one with another task, starts empty."""
    with store.transaction("churn", "binary") as tx:
        write_files(tx, [RECORD], known=())
    with store.transaction(*other) as tx:
        assert read_files(tx) == {}
    with store.transaction("churn", "binary") as tx:
        assert len(read_files(tx)) == 1


def test_outside_access_is_off(store: Store, tmp_path: Path) -> None:
    """DuckDB's own readers stay closed to whatever a file might smuggle in."""
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(StateError, match="disabled"), store.transaction("churn", "binary") as tx:
        tx.run("SELECT * FROM read_csv(?)", [str(tmp_path / "a.csv")])


def test_settling(tmp_path: Path) -> None:
    """What was committed is there after unused memory was released."""
    _written(tmp_path)
    store = Store.open(str(tmp_path))
    store.settle(after_large=True)
    with store.transaction("churn", "binary") as tx:
        assert list(read_files(tx).values()) == [RECORD]
    store.close()


@pytest.mark.parametrize(("mebibytes", "after_large"), [(26, True), (66, False)])
def test_a_long_log_is_written_into_the_file(
    store: Store, tmp_path: Path, mebibytes: int, *, after_large: bool
) -> None:
    """What the log holds is in memory as well, so a long one goes into the file; sooner after something large."""
    log = tmp_path / "state" / f"{FILE_NAME}.wal"
    part = np.random.default_rng(1).bytes(1 << 20)
    with store.transaction("churn", "binary") as tx:
        tx.run("CREATE TABLE large (data BLOB)")
    for parts in (mebibytes - 4, 4):
        with store.transaction("churn", "binary") as tx:
            tx.run("INSERT INTO large SELECT ? FROM range(?)", [part, parts])
        before = log.stat().st_size
        store.settle(after_large=after_large)
        assert (log.exists() and log.stat().st_size == before) == (parts > 4)

    with store.transaction("churn", "binary") as tx:
        assert tx.fetch_all("SELECT DISTINCT data, count(*) FROM large GROUP BY data") == [(part, mebibytes)]


def test_settling_fails(store: Store) -> None:
    """That a state file cannot be written is an error of the state."""
    store.close()
    with pytest.raises(StateError, match="cannot write the state file"):
        store.settle(after_large=True)

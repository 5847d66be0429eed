"""Reading creates and migrates nothing."""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from driftgauge.errors import SourceUnavailable
from driftgauge.scratch import Scratch
from driftgauge.source import Source
from source.conftest import LIMIT, Bench, answers


def refusal(uri: str) -> str:
    """Return the message with which a source at `uri` refuses to look for runs."""
    with TemporaryDirectory() as folder, pytest.raises(SourceUnavailable) as failure:
        Source(uri, max_artifact_bytes=LIMIT, spool=Scratch(Path(folder))).runs("x", known={}, full=True)
    return str(failure.value)


def test_sqlite_file_missing(tmp_path: Path) -> None:
    """A sqlite file that is not there is refused and not created, nor is its folder."""
    message = refusal(f"sqlite:///{tmp_path}/typo/mlflow.db")
    assert f'there is no database file "{tmp_path}/typo/mlflow.db": correct mlflow.tracking_uri' in message
    assert list(tmp_path.iterdir()) == []


def test_sqlite_file_goes_away(sqlite_bench: Bench) -> None:
    """A sqlite file that disappears later is not replaced by an empty one."""
    assert answers(sqlite_bench.source)
    database = Path(sqlite_bench.uri.removeprefix("sqlite:///"))
    database.unlink()
    assert not answers(sqlite_bench.source)
    assert not database.exists()


def test_sqlite_in_memory() -> None:
    """A database in memory can hold nothing that another process logged."""
    assert "there is no database file" in refusal("sqlite://")


def test_foreign_database(tmp_path: Path) -> None:
    """A database of something else is left as it is."""
    database = tmp_path / "other.db"
    with sqlite3.connect(database) as connection:
        connection.execute("create table customers (id integer)")
    before = database.read_bytes()
    assert "is not an MLflow database" in refusal(f"sqlite:///{database}")
    assert database.read_bytes() == before


def test_not_a_database(tmp_path: Path) -> None:
    """A file that is no database is refused."""
    (tmp_path / "notes.db").write_text("shopping list " * 100)
    assert "is no database that can be read" in refusal(f"sqlite:///{tmp_path}/notes.db")


def test_schema_of_another_version(sqlite_store: str) -> None:
    """A database of another MLflow version is not migrated, and the message says what to do."""
    database = Path(sqlite_store.removeprefix("sqlite:///"))
    with sqlite3.connect(database) as connection:
        connection.execute("update alembic_version set version_num = 'acf3f17fdcc7'")
    before = database.read_bytes()
    message = refusal(sqlite_store)
    assert "has the schema of another MLflow version (acf3f17fdcc7" in message
    assert "mlflow db upgrade" in message
    assert database.read_bytes() == before


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_folder_without_runs(tmp_path: Path, prefix: str) -> None:
    """A folder that is missing or holds no experiments is refused and left alone."""
    assert "holds no MLflow experiments" in refusal(f"{prefix}{tmp_path}/mlruns")
    assert "holds no MLflow experiments" in refusal(f"{prefix}{tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_unknown_scheme() -> None:
    """A tracking URI that MLflow has no store for is refused."""
    assert "gopher" in refusal("gopher://host/x")

"""Stores that MLflow's client reads itself: any repository of MLflow, and those that cannot be used."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from mlflow.entities import FileInfo
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from driftgauge.errors import BatchError, SourceMissing, SourceUnavailable
from driftgauge.scratch import Scratch
from driftgauge.source.deadline import Deadline
from driftgauge.source.entries import Entry
from driftgauge.source.failures import translated_errors
from driftgauge.source.repositories import Elsewhere, RepositoryStore, refuse_root, repository_at
from driftgauge.source.setbacks import Setbacks
from source.conftest import LIMIT

ROOT = "other://bucket/a"


class Silent(LocalArtifactRepository):
    """A real repository that, like some object stores, tells no sizes."""

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Return the listing without sizes."""
        return [FileInfo(file.path, file.is_dir, None) for file in super().list_artifacts(path)]


class Counting(LocalArtifactRepository):
    """A real repository that counts its listings."""

    listings = 0

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Return the listing."""
        self.listings += 1
        return super().list_artifacts(path)


@pytest.fixture
def spool(tmp_path: Path) -> Scratch:
    """Return where downloads go."""
    return Scratch(tmp_path / "spool")


@pytest.fixture
def elsewhere() -> Elsewhere:
    """Return what is known of stores; each has a second, and a quarter of it for its first answer."""
    return Elsewhere(Deadline(1.0), Setbacks(time.time))


@pytest.fixture
def filled(tmp_path: Path) -> str:
    """Return a folder with a file of 20 bytes in a sub-folder."""
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "a.csv").write_text("x" * 20)
    return str(tmp_path / "data")


def store_of(repository: Any, elsewhere: Elsewhere, spool: Scratch, *, hurried: bool = False) -> RepositoryStore:
    """Return the store of a repository that is there."""
    return RepositoryStore(ROOT, lambda: repository, elsewhere, spool, hurried=hurried)


def read(store: RepositoryStore, path: str, *, expected: int | None = None, limit: int = LIMIT) -> bytes:
    """Return the bytes of a file in the store."""
    with translated_errors("the store"), store.opener(path, expected=expected, limit=limit)() as file:
        return file.read()


def test_any_repository(filled: str, elsewhere: Elsewhere, spool: Scratch) -> None:
    """Any repository of MLflow lists and reads through the same seam."""
    store = store_of(LocalArtifactRepository(filled), elsewhere, spool)
    assert store.entries("") == [Entry("sub", is_folder=True, size=None)]
    assert store.entries("sub") == [Entry("sub/a.csv", is_folder=False, size=20)]
    assert read(store, "sub/a.csv") == b"x" * 20


@pytest.mark.parametrize(("expected", "listings"), [(20, 0), (0, 0), (None, 1)])
def test_a_file_that_was_listed_is_not_listed_again(
    filled: str, elsewhere: Elsewhere, spool: Scratch, *, expected: int | None, listings: int
) -> None:
    """A listing of its whole folder for each file would cost the square of their number."""
    repository = Counting(filled)
    assert read(store_of(repository, elsewhere, spool), "sub/a.csv", expected=expected) == b"x" * 20
    assert repository.listings == listings


@pytest.mark.parametrize("repository", [LocalArtifactRepository, Silent])
@pytest.mark.parametrize("expected", [None, 0, 5])
def test_size_bound(
    filled: str,
    repository: type[LocalArtifactRepository],
    elsewhere: Elsewhere,
    spool: Scratch,
    *,
    expected: int | None,
) -> None:
    """The bound holds with and without a declared size, and with a wrong one."""
    with pytest.raises(BatchError, match="over the limit of 10"):
        read(store_of(repository(filled), elsewhere, spool), "sub/a.csv", expected=expected, limit=10)


def test_missing(filled: str, elsewhere: Elsewhere, spool: Scratch) -> None:
    """A file that a repository does not have is missing."""
    with pytest.raises(SourceMissing, match=r"gone\.csv"):
        read(store_of(LocalArtifactRepository(filled), elsewhere, spool), "gone.csv")


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ("s3://bucket/a", r"s3://bucket/a needs boto3, .* pip install 'driftgauge\[s3\]'"),
        ("gs://bucket/a", r"gs://bucket/a needs google-cloud-storage, .* pip install 'driftgauge\[gcs\]'"),
        ("wasbs://c@host/a", r"needs azure-storage-blob and azure-identity, .* pip install 'driftgauge\[azure\]'"),
        ("abfss://c@host/a", r"needs azure-storage-file-datalake .* pip install 'driftgauge\[azure\]'"),
        ("sftp://host/a", r"needs pysftp, .* pip install pysftp"),
        ("other://host/a", r"needs other_driver, .* pip install other_driver"),
    ],
)
def test_without_its_library(root: str, words: str, elsewhere: Elsewhere, spool: Scratch) -> None:
    """A store whose library is not installed says what to install; the user info of its address is not shown."""

    def connect() -> Any:
        raise ModuleNotFoundError("No module named 'other_driver'", name="other_driver")

    with pytest.raises(BatchError, match=words) as raised:
        RepositoryStore(root, connect, elsewhere, spool).entries("")
    assert raised.value.reason == "no_driver"
    assert "c@" not in str(raised.value)


@pytest.mark.parametrize("root", ["models:/m/1", "runs:/x/y", "dbfs:/x", "DBFS:/x", "uc:/x"])
def test_roots_that_mean_no_files(root: str, elsewhere: Elsewhere, spool: Scratch, tmp_path: Path) -> None:
    """A root that MLflow would look up in a database of its own is refused before one is made."""
    with pytest.raises(BatchError, match="is no place of files") as raised:
        repository_at(root, tracking_uri="http://host", spool=spool, elsewhere=elsewhere, hurried=False)
    assert raised.value.reason == "unusable_root"
    assert not list(tmp_path.glob("*.db"))


def test_files_of_databricks_are_read_from_databricks() -> None:
    """That is where its own runs lie."""
    refuse_root("dbfs:/databricks/mlflow-tracking/1/r/artifacts", tracking_uri="databricks://profile")


class Stuck:
    """A store that does not answer until it may."""

    def __init__(self) -> None:
        self.may_answer = Event()
        self.asked = 0

    def list_artifacts(self, _: str | None = None) -> list[FileInfo]:
        """Return nothing, in the end."""
        self.asked += 1
        self.may_answer.wait(20)
        return []


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call took that failed."""
    begun = time.monotonic()
    with pytest.raises((SourceUnavailable, TimeoutError)):
        call()
    return time.monotonic() - begun


def test_a_store_that_does_not_answer_is_left_alone(
    elsewhere: Elsewhere, spool: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One wait in vain is enough for all that lies there; others wait less for its first answer."""
    monkeypatch.setattr("driftgauge.source.repositories._LONG", 0.2)
    stuck = Stuck()
    store = store_of(stuck, elsewhere, spool, hurried=True)
    assert 0.2 < seconds(lambda: store.entries("")) < 0.8
    assert seconds(lambda: store.entries("")) < 0.1
    assert seconds(lambda: store.opener("x.csv", expected=1, limit=LIMIT)) < 0.1
    assert stuck.asked == 1
    stuck.may_answer.set()
    # An answer that came too late shows that the store is there.
    time.sleep(0.2)
    assert store.entries("") == []

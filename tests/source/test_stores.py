"""Artifact stores: local folders and the tracking server's proxy."""

import json
import os
import time
from pathlib import Path

import pytest

from driftgauge.errors import BatchError, SourceMissing, SourceUnavailable
from driftgauge.scratch import Scratch
from driftgauge.source.deadline import Deadline
from driftgauge.source.entries import Entry
from driftgauge.source.failures import translated_errors
from driftgauge.source.http import Http
from driftgauge.source.listing import files_of
from driftgauge.source.origins import Borders
from driftgauge.source.repositories import Elsewhere, RepositoryStore
from driftgauge.source.setbacks import Setbacks
from driftgauge.source.stores import ArtifactStore, LocalStore, ProxyStore, is_local, put, store_at
from source.conftest import LIMIT, Canned

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
DEADLINE = Deadline(4.0)


@pytest.fixture
def spool(tmp_path: Path) -> Scratch:
    """Return where downloads go."""
    return Scratch(tmp_path / "spool")


def read(store: ArtifactStore, path: str, *, limit: int = LIMIT) -> bytes:
    """Return the bytes of a file in the store."""
    with translated_errors("the store"), store.opener(path, expected=0, limit=limit)() as file:
        return file.read()


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/a/b", True),
        ("a/b:c", True),
        ("file:///a/b", True),
        ("s3://bucket/a", False),
        ("mlflow-artifacts:/a", False),
        ("mlflow-artifacts://host:80/a", False),
    ],
)
def test_is_local(uri: str, *, expected: bool) -> None:
    """Paths and file: URIs are local, whatever colons come later in a path."""
    assert is_local(uri) is expected


def test_store_by_uri(tmp_path: Path, spool: Scratch) -> None:
    """The URI decides on the store; a path with a blank in its file: URI is read as such."""
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "x.csv").write_text("1")
    http = Http(DEADLINE, Borders("http://host:5000"))

    def store(uri: str) -> ArtifactStore:
        elsewhere = Elsewhere(DEADLINE, Setbacks(time.time))
        return store_at(uri, tracking_uri="http://host:5000", http=http, spool=spool, elsewhere=elsewhere)

    local, proxied, other = map(store, ((tmp_path / "a b").as_uri(), "mlflow-artifacts:/1/x", "hdfs://host/folder"))
    with pytest.raises(BatchError, match="the run has no place for artifacts"):
        store("")
    assert local.entries("") == [Entry("x.csv", is_folder=False, size=1)]
    assert [type(store) for store in (local, proxied, other)] == [LocalStore, ProxyStore, RepositoryStore]


def test_local_links(tmp_path: Path) -> None:
    """Links inside the root are followed, links that lead out of it are absent."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.csv").write_text("secret")
    (root / "real.csv").write_text("real")
    (root / "inside.csv").symlink_to(root / "real.csv")
    (root / "outside.csv").symlink_to(tmp_path / "secret.csv")
    (root / "dangling.csv").symlink_to(root / "nowhere.csv")
    (root / "folder").mkdir()
    (root / "folder" / "deep.csv").write_text("deep")
    (root / "again").symlink_to(root / "folder")
    (root / "up").symlink_to(tmp_path)
    store = LocalStore(root)
    assert sorted(entry.path for entry in store.entries("")) == ["again", "folder", "inside.csv", "real.csv"]
    assert [entry.path for entry in store.entries("again")] == ["again/deep.csv"]
    # Even where it was not listed.
    assert store.entries("up") == []
    assert read(store, "inside.csv") == b"real"
    with pytest.raises(SourceMissing, match=r"outside\.csv"):
        read(store, "outside.csv")


def test_links_that_lead_back(tmp_path: Path) -> None:
    """A folder that is linked within itself is there once: its files would count at every depth."""
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "folder" / "a.csv").write_text("x")
    (tmp_path / "folder" / "self").symlink_to(tmp_path / "folder")
    (tmp_path / "folder" / "below" / "up").symlink_to(tmp_path)
    (tmp_path / "folder" / "again").symlink_to("again")
    listing = files_of(LocalStore(tmp_path).entries)
    assert [entry.path for entry in listing.files] == ["folder/a.csv"]


def test_local_pipe(tmp_path: Path) -> None:
    """A named pipe is no file: reading does not wait for it."""
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(SourceMissing, match=r"pipe\.csv"):
        read(LocalStore(tmp_path), "pipe.csv")


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/hostname", "gone.csv"])
def test_local_paths_stay_inside(tmp_path: Path, path: str) -> None:
    """Even a path that was not listed cannot lead out of the root."""
    (tmp_path / "secret.csv").write_text("secret")
    (tmp_path / "root").mkdir()
    with pytest.raises(SourceMissing):
        read(LocalStore(tmp_path / "root"), path)


def test_local_folder_missing(tmp_path: Path) -> None:
    """A run without artifacts has no folder, and that is no failure."""
    assert LocalStore(tmp_path / "none").entries("") == []


def proxy(canned: Canned, spool: Scratch) -> ProxyStore:
    """Return the store of the run `1/x` on the canned server."""
    return ProxyStore(f"{canned.url}{PROXY}/1/x", Http(DEADLINE, Borders(canned.url)), spool)


def test_proxy_listing(canned: Canned, spool: Scratch) -> None:
    """Names, folders and sizes come through, odd names do not spoil the folder."""
    files = [
        {"path": "a#b.csv", "is_dir": False, "file_size": "7"},
        {"path": "sub", "is_dir": True},
        {"path": "../up.csv", "is_dir": False, "file_size": 1},
    ]
    canned.answers[f"{PROXY}?path=1%2Fx%2Fd"] = (200, {}, json.dumps({"files": files}).encode())
    assert proxy(canned, spool).entries("d") == [
        Entry("d/a#b.csv", is_folder=False, size=7),
        Entry("d/sub", is_folder=True, size=None),
        Entry("d/../up.csv", is_folder=False, size=1),
    ]


@pytest.mark.parametrize("size", [2**63, str(2**70), -1, None, "large", [1]])
def test_proxy_size_that_is_none(canned: Canned, spool: Scratch, size: object) -> None:
    """A file with an impossible size is listed without one, and measured when it comes."""
    files = [{"path": "a.csv", "is_dir": False, "file_size": size}]
    canned.answers[f"{PROXY}?path=1%2Fx%2Fd"] = (200, {}, json.dumps({"files": files}).encode())
    assert proxy(canned, spool).entries("d") == [Entry("d/a.csv", is_folder=False, size=None)]


def test_proxy_file_names_are_quoted(canned: Canned, spool: Scratch) -> None:
    """A name with characters that mean something in a URL asks for that very file."""
    canned.answers[f"{PROXY}/1/x/d/a%23b%3F%25.csv"] = (200, {}, b"found")
    assert read(proxy(canned, spool), "d/a#b?%.csv") == b"found"


def test_proxy_declared_size(canned: Canned, spool: Scratch) -> None:
    """A file whose declared size is over the bound is refused."""
    canned.answers[f"{PROXY}/1/x/a.csv"] = (200, {}, b"x" * 11)
    with pytest.raises(BatchError, match="has 11 bytes"):
        read(proxy(canned, spool), "a.csv", limit=10)


def test_proxy_streamed_size(canned: Canned, spool: Scratch) -> None:
    """A file that tells no size is stopped at the bound."""
    body = b"".join(b"400\r\n" + b"x" * 0x400 + b"\r\n" for _ in range(5_000))
    headers = {"Transfer-Encoding": "chunked", "Content-Length": "0"}
    canned.answers[f"{PROXY}/1/x/a.csv"] = (200, headers, body)
    with pytest.raises(BatchError, match="over the limit of 10"):
        read(proxy(canned, spool), "a.csv", limit=10)


def test_proxy_connection_breaks(canned: Canned, spool: Scratch) -> None:
    """A file that breaks off is a failure of the server, never a shorter file."""
    canned.answers[f"{PROXY}/1/x/a.csv"] = (200, {"Content-Length": "1000"}, b"only this")
    with pytest.raises(SourceUnavailable):
        read(proxy(canned, spool), "a.csv")


@pytest.mark.parametrize(("status", "kind"), [(404, SourceMissing), (403, SourceUnavailable), (503, SourceUnavailable)])
def test_proxy_refusals(canned: Canned, status: int, kind: type[Exception], spool: Scratch) -> None:
    """A file that is not there is missing; every other refusal means to try later."""
    canned.answers["/"] = (status, {}, b"no")
    with pytest.raises(kind):
        read(proxy(canned, spool), "a.csv")


@pytest.mark.parametrize(
    ("root", "tracking_uri", "reason"),
    [
        ("file:///srv/artifacts/1", "http://127.0.0.1:5000", "local_path"),
        ("https://files.example/1", "http://mlflow:5000", "foreign_host"),
        ("mlflow-artifacts://files.example/1", "http://mlflow:5000", "foreign_host"),
        ("http://169.254.169.254/1", "http://mlflow:5000", "forbidden_address"),
        ("nowhere://x/1", "http://mlflow:5000", "unusable_root"),
        ("models:/churn/1", "http://mlflow:5000", "unusable_root"),
        ("gs://bucket/1", "http://mlflow:5000", "no_driver"),
    ],
)
def test_places_that_are_not_written_to(root: str, tracking_uri: str, reason: str, tmp_path: Path) -> None:
    """What a server may name for reading is not all that is written to, and nothing is asked before that is decided."""
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(BatchError) as refusal:
        put(root, tmp_path / "x.json", borders=Borders(tracking_uri, ("files.example",)))
    assert refusal.value.reason == reason


def test_what_is_put_into_a_folder(tmp_path: Path) -> None:
    """A folder of a tracking URI that is one itself is written to."""
    (tmp_path / "x.json").write_text("{}")
    put((tmp_path / "a b").as_uri(), tmp_path / "x.json", borders=Borders(str(tmp_path)))
    assert (tmp_path / "a b" / "x.json").read_text() == "{}"

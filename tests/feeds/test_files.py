"""Folders and object-store prefixes: what is a file, when it is from, and what is said when it cannot be read."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from driftgauge import files
from driftgauge.errors import BatchError, FilesUnavailable, SourceMissing
from driftgauge.feed import Cursor, FileRole, Piece
from driftgauge.files import FilesFeed
from driftgauge.files import Place as Files
from driftgauge.scratch import Scratch
from feeds.conftest import BUCKET, LIMIT, Folder, Prefix
from feeds.test_contract import content

NOW = 1_767_960_000_000_000


@pytest.fixture(autouse=True)
def _fresh_connections() -> Iterator[None]:
    """Let each test connect by its own environment."""
    yield
    S3FileSystem.clear_instance_cache()


def feed(tmp_path: Path, url: str, *, pattern: str = "*", role: FileRole = "predictions") -> FilesFeed:
    """Return the feed of one place."""
    return FilesFeed([Files(role, url, pattern)], spool=Scratch(tmp_path / "spool"), max_bytes=LIMIT)


def paths(feed: FilesFeed) -> list[str]:
    """Return the paths of all files."""
    return [piece.path for piece in feed.look(Cursor(), NOW)[0]]


@pytest.mark.parametrize("form", ["{}", "{}/", "file:{}", "file://{}/"])
def test_forms_of_a_folder(tmp_path: Path, form: str) -> None:
    """A folder is the same place however it is written."""
    folder = Folder(tmp_path, tmp_path / "a b")
    folder.put("x.csv", "1\n")
    written = form.format(str(folder.root).replace(" ", "%20") if form.startswith("file") else folder.root)
    (piece,), _ = feed(tmp_path, written).look(Cursor(), NOW)
    assert (piece.source, piece.path, piece.size) == (f"file://{folder.root}", "x.csv", 2)


def test_time_and_version(tmp_path: Path) -> None:
    """Rows without a time are from when their file was changed last; the oldest file comes first."""
    folder = Folder(tmp_path, tmp_path / "files")
    for name, seconds in (("late.csv", 2000.5), ("early.csv", 1000.0)):
        folder.put(name, "1\n")
        os.utime(folder.root / name, (seconds, seconds))
    pieces, _ = feed(tmp_path, str(folder.root)).look(Cursor(), NOW)
    assert [(piece.path, piece.time) for piece in pieces] == [("early.csv", 1_000_000_000), ("late.csv", 2_000_500_000)]
    assert [(piece.version, piece.run_id) for piece in pieces] == [(None, "")] * 2


def test_globs(tmp_path: Path) -> None:
    """The glob is applied below the folder, as to a run's artifacts."""
    folder = Folder(tmp_path, tmp_path / "files")
    for name in ("2026/01/predictions-1.csv", "2026/01/other.csv", "predictions.jsonl", "predictions.txt"):
        folder.put(name, "1\n")
    assert set(paths(feed(tmp_path, str(folder.root), pattern="predictions*"))) == {
        "2026/01/predictions-1.csv", "predictions.jsonl", "predictions.txt",
    }  # fmt: skip
    assert paths(feed(tmp_path, str(folder.root), pattern="2026/*/o*")) == ["2026/01/other.csv"]


def test_links_are_left_out(tmp_path: Path) -> None:
    """Neither a link nor what lies behind a linked folder is a file of the place, also when it is asked for by name."""
    folder, secret = Folder(tmp_path, tmp_path / "files"), Folder(tmp_path, tmp_path / "secret")
    folder.put("real.csv", "1\n")
    secret.put("secret.csv", "2\n")
    (folder.root / "link.csv").symlink_to(secret.root / "secret.csv")
    (folder.root / "up").symlink_to(secret.root)
    os.mkfifo(folder.root / "pipe.csv")
    looking = feed(tmp_path, str(folder.root))
    (piece,), _ = looking.look(Cursor(), NOW)
    assert piece.path == "real.csv"
    for path in ("link.csv", "up/secret.csv", "../secret/secret.csv", "pipe.csv", "/etc/hostname"):
        with pytest.raises(SourceMissing):
            looking.opener(Piece(piece.source, path, "predictions", None, 0))


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_place_that_does_not_exist(tmp_path: Path, s3: Any, kind: str) -> None:
    """The message names the place and the key to correct."""
    del s3
    url = str(tmp_path / "none") if kind == "folder" else "s3://nobodys-bucket/x"
    with pytest.raises(SourceMissing, match=r"none|nobodys-bucket") as caught:
        paths(feed(tmp_path, url, role="labels"))
    assert "correct models[].labels.files" in str(caught.value)


def test_an_empty_prefix_is_no_failure(tmp_path: Path, s3: Any) -> None:
    """A prefix without objects has no files yet."""
    del s3
    assert paths(feed(tmp_path, f"s3://{BUCKET}/nothing/here")) == []


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place beyond the bound is refused as a whole: which of its files are left out nobody could know."""
    folder = Folder(tmp_path, tmp_path / "files")
    for name in "abc":
        folder.put(f"{name}.csv", "1\n")
    monkeypatch.setattr(files, "MAX_FILES", 2)
    with pytest.raises(FilesUnavailable, match="has more than 2 files: move old ones away"):
        paths(feed(tmp_path, str(folder.root)))


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sub-folder that cannot be listed is said; one that has just gone is not."""
    folder = Folder(tmp_path, tmp_path / "files")
    folder.put("deep/a.csv", "1\n")
    folder.put("b.csv", "1\n")
    listed = os.scandir

    def failing(path: str) -> Any:
        if str(path).endswith("deep"):
            raise error
        return listed(path)

    monkeypatch.setattr(files.os, "scandir", failing)
    error: OSError = FileNotFoundError("gone")
    assert paths(feed(tmp_path, str(folder.root))) == ["b.csv"]
    error = PermissionError("no")
    with pytest.raises(FilesUnavailable, match=r"may not be read \(PermissionError\): give this process credentials"):
        paths(feed(tmp_path, str(folder.root)))


def test_sizes_are_bounded(tmp_path: Path, s3: Any) -> None:
    """Neither what is too large by its listing nor what has grown since is read, here or in a store."""
    folder, prefix = Folder(tmp_path, tmp_path / "files"), Prefix(tmp_path, s3, tmp_path.name)
    for place, url in ((folder, str(folder.root)), (prefix, f"s3://{BUCKET}/{prefix.prefix}")):
        looking = feed(tmp_path, url)
        place.put("a.csv", "1\n")
        (piece,), _ = looking.look(Cursor(), NOW)
        place.put("a.csv", "1" * (LIMIT + 1))
        (large,), _ = looking.look(Cursor(), NOW)
        for each in (piece, large):
            with pytest.raises(BatchError) as caught:
                looking.opener(each)
            assert caught.value.reason == "too_large"


def test_a_name_that_does_not_print_is_said(tmp_path: Path) -> None:
    """A file with a tab, a line end or bytes that are no text in its name is not read, and named without them."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("a.csv", "with\ttab.csv", "with\nline.csv", os.fsdecode(b"\xff.csv"), "other\t.png"):
        (folder / name).write_text("1\n", encoding="utf-8")
    pieces, _ = feed(tmp_path, str(folder)).look(Cursor(), NOW)

    assert {piece.path: piece.unlisted and piece.unlisted[0] for piece in pieces} == {
        "a.csv": None,
        r"'with\ttab.csv'": "unsafe_name",
        r"'with\nline.csv'": "unsafe_name",
        r"'\udcff.csv'": "unsafe_name",
    }
    texts = sorted(piece.unlisted[1] for piece in pieces if piece.unlisted)
    assert texts[-1] == r"'with\ttab.csv' has characters that do not print: rename it"


def test_few_names_that_do_not_print_are_named(tmp_path: Path) -> None:
    """Of a folder full of them eight are named; all others are read."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(20):
        (folder / f"with\ttab-{number}.csv").touch()
        (folder / f"a-{number}.csv").touch()
    pieces, _ = feed(tmp_path, str(folder)).look(Cursor(), NOW)

    assert [bool(piece.unlisted) for piece in pieces].count(True) == 8
    assert len(pieces) == 28


def test_objects(tmp_path: Path, s3: Any) -> None:
    """Large objects are downloaded to the spool, keys that are no paths are left out, and a cut object is refused."""
    prefix = Prefix(tmp_path, s3, tmp_path.name)
    text = "1\n" * 400_000
    for key in ("a.csv", "../up.csv", "x//y.csv", "folder/"):
        prefix.put(key, text)
    # As a key, not as a folder: another place.
    s3.put_object(Bucket=BUCKET, Key=f"{prefix.prefix}-other/b.csv", Body=b"1\n")
    looking = feed(tmp_path, f"s3://{BUCKET}/{prefix.prefix}/")
    (piece,), _ = looking.look(Cursor(), NOW)
    opener = looking.opener(piece)
    assert [path.stat().st_size for path in (tmp_path / "spool").iterdir()] == [len(text)]
    opener.release()
    assert content(looking, piece) == text
    assert list((tmp_path / "spool").iterdir()) == []
    prefix.put("a.csv", "1\n")
    with pytest.raises(BatchError) as caught:
        looking.opener(piece)
    assert caught.value.reason == "incomplete"
    prefix.delete("a.csv")
    with pytest.raises(SourceMissing):
        looking.opener(piece)


def test_a_store_that_is_gone(tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not answer is unavailable, and no secret is in what is said."""
    del s3
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        S3FileSystem.clear_instance_cache()
        with pytest.raises(FilesUnavailable) as caught:
            paths(feed(tmp_path, f"s3://{BUCKET}/x"))
    assert f"s3://{BUCKET}/x cannot be read (EndpointConnectionError)" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_credentials(tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has no credentials is told to give some."""
    del s3
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    S3FileSystem.clear_instance_cache()
    with pytest.raises(FilesUnavailable, match="give this process credentials"):
        paths(feed(tmp_path, f"s3://{BUCKET}/x"))

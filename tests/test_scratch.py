"""The folder for files of one process: what is left of another goes, and nothing else does."""

import stat
from pathlib import Path

import pytest

from driftgauge import scratch
from driftgauge.errors import StateError
from driftgauge.scratch import Scratch

NAME = "0123456789abcdef" * 2


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_others_read_nothing(tmp_path: Path) -> None:
    """Folder and files are for this user only, also a folder that was there before."""
    (tmp_path / "open").mkdir(mode=0o755)
    for place in (tmp_path / "open", tmp_path / "deep" / "new"):
        with Scratch(place).new() as part:
            part.write(b"abc")
        assert (mode(place), mode(part.path)) == (0o700, 0o600)
        assert (part.path.read_bytes(), part.size) == (b"abc", 3)


def test_only_our_own_leftovers_go(tmp_path: Path) -> None:
    """Plain files with our names are removed; folders, links, what they lead to and other files stay."""
    folder, elsewhere = tmp_path / "spool", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "kept.csv").write_text("kept")
    for name in (f"{NAME}.part", f"{NAME}.data", "notes.txt", f"{NAME}.csv", f"x{NAME}.part"):
        (folder / name).write_text("x")
    (folder / f"{NAME[::-1]}.part").symlink_to(elsewhere / "kept.csv")
    (folder / f"{NAME[::-1]}.data").mkdir()

    Scratch(folder)

    left = {f"{NAME[::-1]}.part", f"{NAME[::-1]}.data", "notes.txt", f"{NAME}.csv", f"x{NAME}.part"}
    assert {path.name for path in folder.iterdir()} == left
    assert (elsewhere / "kept.csv").read_text() == "kept"


def test_what_is_left_of_a_process_goes(tmp_path: Path) -> None:
    """The names that are made here are those that are removed here."""
    first = Scratch(tmp_path)
    with first.new() as part, first.new() as other:
        first.keep(other.path, NAME)
    assert first.named(NAME).exists()
    Scratch(tmp_path)
    assert not part.path.exists()
    assert not first.named(NAME).exists()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_that_is_none(tmp_path: Path, kind: str) -> None:
    """A link or a file in the place of the folder is refused, and nothing behind the link is touched."""
    place, elsewhere = tmp_path / "spool", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{NAME}.part").write_text("kept")
    if kind == "link":
        place.symlink_to(elsewhere)
    else:
        place.write_text("")
    with pytest.raises(StateError, match=r"cannot use the folder .*spool"):
        Scratch(place)
    assert (elsewhere / f"{NAME}.part").read_text() == "kept"


def test_a_file_that_is_not_finished_goes(tmp_path: Path) -> None:
    """When what is written breaks off, nothing of it stays."""

    def broken() -> None:
        with Scratch(tmp_path).new() as part:
            part.write(b"abc")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        broken()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be written is a failure of the state folder, with the folder's name."""
    folder = Scratch(tmp_path)
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(scratch.os, "fdopen", lambda *_, **__: full)
        with folder.new() as part, pytest.raises(StateError, match=f"cannot write to {tmp_path}: No space left"):
            part.write(b"abc")
        part.path.unlink(missing_ok=True)
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes with its block; where none can be made, as with a read-only root, it is said what to do."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch.temporary_folder() as folder:
        (folder / "a").touch()
        assert [folder] == list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StateError, match=r"No such file or directory\. Set TMPDIR to one"), scratch.temporary_folder():
        pass

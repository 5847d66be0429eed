"""Writing the set: whole files, only what changed, and nothing outside the folder."""

import os
from pathlib import Path

import pytest

from driftgauge.errors import ConfigError
from driftgauge.generator.write import differing, write

TEXTS = {"a/one.yml": "1\n", "two.md": "zwei ½\n"}


def found(folder: Path) -> dict[str, str]:
    """Return every file of a folder with its text."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in files}


def test_writes_what_is_missing_or_differs(tmp_path: Path) -> None:
    """Folders are made, other people's files stay, and a second time there is nothing to do."""
    (tmp_path / "two.md").write_text("two")
    (tmp_path / "mine.txt").write_text("mine")

    assert write(TEXTS, tmp_path) == [tmp_path / "a/one.yml", tmp_path / "two.md"]
    assert found(tmp_path) == {**TEXTS, "mine.txt": "mine"}
    assert write(TEXTS, tmp_path) == []


def test_differing_says_what_would_be_written(tmp_path: Path) -> None:
    """It names the same files and touches none."""
    write(TEXTS, tmp_path)
    (tmp_path / "two.md").write_text("two")

    assert differing(TEXTS, tmp_path) == [tmp_path / "two.md"]
    assert (tmp_path / "two.md").read_text() == "two"
    assert differing(TEXTS, tmp_path / "nowhere") == [tmp_path / "nowhere/a/one.yml", tmp_path / "nowhere/two.md"]


def test_files_can_be_read_by_others(tmp_path: Path) -> None:
    """Prometheus runs as another user: files have the mode that the user's umask gives."""
    write(TEXTS, tmp_path)
    umask = os.umask(0)
    os.umask(umask)

    assert (tmp_path / "two.md").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("relative", ["../out.md", "linked/out.md"])
def test_nothing_is_written_outside(tmp_path: Path, relative: str) -> None:
    """Neither dots nor a link lead out, and a refusal writes nothing at all."""
    folder, outside = tmp_path / "set", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "linked").symlink_to(outside)

    with pytest.raises(ConfigError, match="leads out of"):
        write({"two.md": "two", relative: "out"}, folder)
    assert found(tmp_path) == {}


def test_a_link_to_a_file_is_replaced(tmp_path: Path) -> None:
    """What a file's link pointed to keeps its text."""
    folder, outside = tmp_path / "set", tmp_path / "outside.md"
    folder.mkdir()
    outside.write_text("mine")
    (folder / "two.md").symlink_to(outside)

    write(TEXTS, folder)
    assert outside.read_text() == "mine"
    assert found(folder) == TEXTS


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The message names the file and what to do; no half-written file stays."""
    (tmp_path / "a").write_text("a file where a folder should be")

    with pytest.raises(ConfigError, match=r"--output: cannot write .*a/one\.yml.*give a folder you may write"):
        write(TEXTS, tmp_path)
    assert set(found(tmp_path)) == {"a"}

"""The demo's folder: emptied when it is ours, left alone when it is not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from driftgauge.demo.directory import MARKER, claimed
from driftgauge.errors import DriftgaugeError


def test_a_new_directory_is_made(tmp_path: Path) -> None:
    """A directory that does not exist is created, its parents too, and lent by its absolute path."""
    with claimed(tmp_path / "deep" / "demo") as path:
        assert path == (tmp_path / "deep" / "demo").resolve()
        assert [entry.name for entry in path.iterdir()] == [MARKER]


def test_our_own_directory_is_emptied(tmp_path: Path) -> None:
    """What an earlier demo left is deleted; what a link in it points to is not."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    with claimed(tmp_path / "demo") as path:
        (path / "artifacts" / "deep").mkdir(parents=True)
        (path / "artifacts" / "deep" / "file").write_text("x")
        (path / "mlflow.db").write_text("x")
        (path / "link").symlink_to(outside)
    with claimed(tmp_path / "demo") as path:
        assert [entry.name for entry in path.iterdir()] == [MARKER]
    assert (outside / "precious").exists()


def _foreign(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("years of work")


def _marker_is_a_directory(path: Path) -> None:
    (path / MARKER).mkdir(parents=True)
    (path / "thesis.tex").write_text("years of work")


@pytest.mark.parametrize("make", [_foreign, _marker_is_a_directory])
def test_a_foreign_directory_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A directory with anything in it that has no marker stays as it is, and the message says what to do."""
    make(tmp_path / "home")
    before = sorted((tmp_path / "home").iterdir())
    with pytest.raises(DriftgaugeError, match=r"not made by the demo.*--directory"), claimed(tmp_path / "home"):
        pass
    assert before == sorted((tmp_path / "home").iterdir())


def test_a_file_is_refused(tmp_path: Path) -> None:
    """A file in the place of the directory is named."""
    (tmp_path / "demo").write_text("x")
    with pytest.raises(DriftgaugeError, match=r"demo is no directory.*--directory"), claimed(tmp_path / "demo"):
        pass


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """An error of the system is shown with the path."""
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(DriftgaugeError, match=r"cannot use .*file.*Not a directory"),
        claimed(tmp_path / "file" / "demo"),
    ):
        pass


def test_two_demos_at_once(tmp_path: Path) -> None:
    """A second demo in the same directory is refused and deletes nothing; after the first has ended it may start."""
    with claimed(tmp_path / "demo") as path:
        (path / "mlflow.db").write_text("x")
        with pytest.raises(DriftgaugeError, match="another demo is running in"), claimed(tmp_path / "demo"):
            pass
        assert (path / "mlflow.db").exists()
    with claimed(tmp_path / "demo") as path:
        assert not (path / "mlflow.db").exists()

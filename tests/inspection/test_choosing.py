"""Which files are looked at."""

from collections.abc import Sequence
from pathlib import Path

from driftgauge.feed import Cursor, Feed, Opener, Piece
from driftgauge.inspection.choosing import ChosenFiles, NamedFiles, newest_runs, only_run
from driftgauge.source.survey import Run


def a_run(run_id: str, start: int) -> Run:
    """Return a run that was started then."""
    return Run(run_id, "0", "", "FINISHED", start, start, "", None)


class Listed:
    """A feed of these pieces."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces

    def look(self, cursor: Cursor, now: int) -> tuple[Sequence[Piece], Cursor]:  # noqa: ARG002 - a Feed's argument
        """Return them."""
        return self._pieces, cursor

    def opener(self, piece: Piece) -> Opener:
        """Nobody opens them."""
        raise NotImplementedError(piece)


def test_runs() -> None:
    """The newest, or the one that is asked for."""
    runs = {run.run_id: run for run in (a_run("a", 3), a_run("b", 1), a_run("c", 2))}

    assert newest_runs(2)(runs) == {"a", "c"}
    assert (only_run("b")(runs), only_run("x")(runs)) == ({"b"}, set())


def test_the_newest_files_of_each_role() -> None:
    """So many of each, fewer where they are large, and always the same ones."""
    small = [Piece("s", f"p{at}", "predictions", 1, at) for at in range(4)]
    large = [Piece("s", f"l{at}", "labels", 400 << 20, at) for at in range(3)]
    feed: Feed = Listed([*small, *large])
    chosen = ChosenFiles(feed, most=2)

    found = [piece.path for piece in chosen.look(Cursor(), 0)[0]]

    assert found == ["p2", "p3", "l2"]
    assert chosen.left == {"predictions": 2, "labels": 2}
    assert [piece.path for piece in chosen.look(Cursor({"x": 1}), 9)[0]] == found


def test_named_files(tmp_path: Path) -> None:
    """Only the files that are named, whatever lies beside them; they are opened where they lie."""
    (tmp_path / "p.csv").write_text("a\n1\n")
    (tmp_path / "other.csv").write_text("a\n1\n")
    feed = NamedFiles({"predictions": tmp_path / "p.csv"}, max_bytes=100)
    (piece,), _ = feed.look(Cursor(), 0)

    assert (piece.path, piece.role, piece.size) == ("p.csv", "predictions", 4)
    with feed.opener(piece)() as file:
        assert file.read() == b"a\n1\n"

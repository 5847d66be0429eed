"""Which files are looked at: those of a run, or the newest, for a few of them show what all are like."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from driftgauge.config import Config
from driftgauge.feed import Cursor, Feed, FileRole, Opener, Piece
from driftgauge.openers import local
from driftgauge.pipeline.feeds import Feeds
from driftgauge.source import Choice

MOST_RUNS: Final = 50
MOST_FILES: Final = 50
_BYTES: Final = 512 * 2**20


def newest_runs(count: int = MOST_RUNS) -> Choice:
    """Return the choice of the runs that were started last."""
    return lambda runs: set(sorted(runs, key=lambda run_id: runs[run_id].start)[-count:])


def only_run(run_id: str) -> Choice:
    """Return the choice of one run."""
    return lambda runs: runs.keys() & {run_id}


class Chosen(Feeds):
    """The feeds of a configuration, of which only some files are read, the same ones at each look.

    named: the only files that there are, whatever else lies beside them.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float],
        choose: Choice,
        files: int = MOST_FILES,
        named: "NamedFiles | None" = None,
    ) -> None:
        super().__init__(config, clock=clock, relist=True, choose=choose)
        self._files = files
        self._named = named
        self._chosen: dict[str, ChosenFiles] = {}

    def __getitem__(self, model: str) -> "ChosenFiles":
        """Return the feed of a model."""
        if model not in self._chosen:
            self._chosen[model] = ChosenFiles(self._named or super().__getitem__(model), most=self._files)
        return self._chosen[model]


class NamedFiles:
    """Files of this machine by their names; a `Feed`. Folders around them are not walked through."""

    def __init__(self, files: Mapping[FileRole, Path], *, max_bytes: int) -> None:
        self._files = files
        self._max_bytes = max_bytes

    def look(self, cursor: Cursor, now: int) -> tuple[Sequence[Piece], Cursor]:  # noqa: ARG002 - a Feed's argument
        """Return the files; see `Feed`."""
        return [self._piece(role, path, path.stat()) for role, path in self._files.items()], cursor

    def opener(self, piece: Piece) -> Opener:
        """Return how a file is opened; see `Feed`."""
        return local(Path(piece.source), piece.path, expected=0, limit=self._max_bytes)

    def _piece(self, role: FileRole, path: Path, status: os.stat_result) -> Piece:
        return Piece(str(path.parent), path.name, role, status.st_size, status.st_mtime_ns // 1000)


class ChosenFiles:
    """The newest files of each role, as they were at the first look; a `Feed`. left: how many others there are."""

    def __init__(self, feed: Feed, *, most: int) -> None:
        self._feed = feed
        self._most = most
        self._pieces: list[Piece] | None = None
        self.left: Mapping[str, int] = {}

    def look(self, cursor: Cursor, now: int) -> tuple[Sequence[Piece], Cursor]:
        """Return the chosen files; see `Feed`."""
        if self._pieces is None:
            found, _ = self._feed.look(cursor, now)
            self._pieces = []
            for role in ("predictions", "labels"):
                mine = [piece for piece in found if piece.role == role]
                of_role = sorted((piece for piece in mine if piece.unlisted is None), key=_age)
                kept = _within_bytes(of_role[-self._most :])
                self._pieces += [*kept, *(piece for piece in mine if piece.unlisted)]
                self.left = {**self.left, role: len(of_role) - len(kept)}
        return self._pieces, cursor

    def opener(self, piece: Piece) -> Opener:
        """Return how a file is opened; see `Feed`."""
        return self._feed.opener(piece)


def _age(piece: Piece) -> tuple[int, str]:
    return piece.time, piece.path


def _within_bytes(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the last of these files, as many as are not too much to read, but at least one."""
    kept: list[Piece] = []
    size = 0
    for piece in reversed(pieces):
        size += piece.size or 0
        if kept and size > _BYTES:
            break
        kept.append(piece)
    return kept[::-1]

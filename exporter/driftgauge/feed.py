"""Where rows come from: a feed finds files, in a place and a way of its own, and says how each is opened.

The pipeline knows pieces, openers and cursors only: neither runs nor folders, neither MLflow nor object stores. A feed
remembers nothing of what was read: that is the pipeline's, which stores it together with what the rows added.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, Protocol

FileRole = Literal["predictions", "labels"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of rows; all fields are JSON values.

    source, path: which file of the model it is, for ever; the path has parts separated by "/", never absolute, never
    with "..". size: bytes when it was listed, None when that is not known. time: µs since 1970, of rows without one.
    version: of rows without one, None when it is not known. run_id, experiment_id: for links to MLflow, else "".
    unlisted: the reason and the text that say why a folder (its path ends in "/") or file could not be looked at; then
    there is nothing to open.
    """

    source: str
    path: str
    role: FileRole
    size: int | None
    time: int
    version: str | None = None
    run_id: str = ""
    experiment_id: str = ""
    unlisted: tuple[str, str] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the other files of the model."""
        return self.source, self.path


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a feed has looked; what is in it is the feed's business.

    kept: JSON values by key, stored when everything that was found up to here is read. passing: what may be lost in
    a restart. left: how many places there was no time to look at; a look from here goes on with them.
    """

    kept: Mapping[str, Any] = field(default_factory=dict)
    passing: Mapping[str, Any] = field(default_factory=dict)
    left: int = 0


class Opener(Protocol):
    """How one file is opened in the process that reads it. Openers travel between processes by pickle."""

    @property
    def size(self) -> int:
        """Bytes of the file when it was found or downloaded."""
        ...

    def __call__(self) -> AbstractContextManager[BinaryIO]:
        """Return the open file at its start, to be closed by its reader.

        Raises SourceMissing when it has gone, and BatchError "too_large" or "incomplete".
        """
        ...

    def release(self) -> None:
        """Remove what was made for it, such as a download; called where it was made, after the file was read."""
        ...


class Feed(Protocol):
    """The files of one model. Both methods raise SourceUnavailable when the place cannot be asked: try later."""

    def look(self, cursor: Cursor, now: int) -> tuple[Sequence[Piece], Cursor]:
        """Return the files that can be new or have grown since `cursor`, in order, and the next cursor.

        Among them are files whose suffix is not read but that may have been meant as data (`patterns.candidates`), and
        what could not be looked at (`Piece.unlisted`).

        Files that are known with the same size may be among them. The next look gets the cursor that came with the
        pieces once they are all read, else the same as this one. now: of the refresh, in µs. Raises SourceMissing when
        the place does not exist.
        """
        ...

    def opener(self, piece: Piece) -> Opener:
        """Return how a piece is opened where it is read; one that is far away is downloaded now.

        Raises SourceMissing when it has gone, and BatchError "too_large", "incomplete" or "not_delivered".
        """
        ...

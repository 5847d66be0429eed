"""Files below a folder or an object-store prefix, as a feed.

A place is listed as a whole at each look, so there is nothing to remember of it: which files were read how far is the
pipeline's. Files of this machine are opened where they lie, objects are downloaded. This module alone knows fsspec.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import fsspec

from driftgauge.errors import BatchError, DriftgaugeError, FilesUnavailable, SourceMissing
from driftgauge.feed import Cursor, FileRole, Opener, Piece
from driftgauge.hiding import hidden, key
from driftgauge.openers import downloaded, local, refuse_size
from driftgauge.patterns import candidates, is_safe, matches
from driftgauge.scratch import Scratch

# So many files are listed within seconds; a place with more is meant to be divided.
MAX_FILES: Final = 100_000
# So many files of a model are named that are not read because of their names.
_MOST_UNSAFE: Final = 8
_CHUNK_BYTES: Final = 1 << 20
_MICROSECONDS: Final = 1_000_000
# By protocol. Nothing is kept between looks: what is new is the question. An object store gets seconds for each answer,
# and the next refresh is the better retry.
_OPTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "s3": {
        "use_listings_cache": False,
        "default_block_size": 8 << 20,
        "config_kwargs": {"connect_timeout": 10, "read_timeout": 20, "retries": {"max_attempts": 2}},
    },
}

# Path below a root, bytes if known, and µs since 1970 when it was changed last.
_Found = tuple[str, int | None, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Files of one role: those below the folder or prefix `url` that the glob selects."""

    role: FileRole
    url: str
    pattern: str


class FilesFeed:
    """The files of a model in one or two places; a `Feed`. spool: where downloads go. max_bytes: of each file."""

    def __init__(self, places: Sequence[Place], *, spool: Scratch, max_bytes: int) -> None:
        # Labels first: in a place that has both, a name that matches the labels is a label file.
        self._places = sorted(places, key=lambda place: place.role)
        self._roots = {place.url: _Root(place.url, place.role) for place in self._places}
        self._spool = spool
        self._max_bytes = max_bytes

    def look(self, cursor: Cursor, now: int) -> tuple[Sequence[Piece], Cursor]:  # noqa: ARG002 - a Feed's argument
        """Return all files, the oldest first; see `Feed`."""
        found: dict[tuple[str, str], Piece] = {}
        unsafe: dict[tuple[str, str], Piece] = {}
        for url, root in self._roots.items():
            places = [place for place in self._places if place.url == url]
            for path, size, time in root.files():
                place = next((place for place in places if matches(path, place.pattern)), None)
                if place and path.isprintable():
                    found[root.name, path] = Piece(root.name, path, place.role, size, time)
                elif place and len(unsafe) < _MOST_UNSAFE:
                    unsafe[root.name, path] = _named(root.name, path, place.role, time)
        found |= unsafe
        return sorted(found.values(), key=lambda piece: (piece.time, piece.path)), cursor

    def opener(self, piece: Piece) -> Opener:
        """Return how a file is opened; see `Feed`."""
        size = piece.size or 0
        refuse_size(piece.path, size=size, expected=0, limit=self._max_bytes)
        root = next((root for root in self._roots.values() if root.name == piece.source), None)
        if root is None or not is_safe(piece.path):
            raise SourceMissing(f'"{piece.path}" is in a place that is not configured any more')
        if root.folder is not None:
            return local(root.folder, piece.path, expected=size, limit=self._max_bytes)
        return downloaded(root.chunks(piece.path), self._spool, name=piece.path, expected=size, limit=self._max_bytes)


class _Root:
    """A folder or prefix: `name` is what pieces carry of it, `folder` its path on this machine, None elsewhere."""

    def __init__(self, url: str, role: FileRole) -> None:
        scheme, _, rest = url.partition(":")
        self._protocol = scheme.lower() if scheme.lower() in _OPTIONS else "file"
        self.folder: Final = _folder(url) if self._protocol == "file" else None
        self._path = str(self.folder) if self.folder else rest.strip("/")
        place = f"{self._protocol}://{self._path}"
        self.name: Final = key(place)
        self._shown = hidden(place)
        self._fix = f"correct models[].{role}.files"

    def files(self) -> list[_Found]:
        """Return each data file, and those that may have been meant as such; links are left out.

        Keys that are no paths are left out too; a path may have characters that do not print. Raises SourceMissing
        when the root does not exist, FilesUnavailable when it cannot be listed or has too many.
        """
        with self._translated():
            listed = list(islice(_walked(self.folder) if self.folder else self._objects(), MAX_FILES + 1))
        if len(listed) > MAX_FILES:
            raise FilesUnavailable(
                f"{self._shown} has more than {MAX_FILES:,} files: move old ones away, or {self._fix}"
            )
        wanted = candidates(path for path, _, _ in listed if is_safe(path) or not path.isprintable())
        return [found for found in listed if found[0] in wanted]

    def _objects(self) -> Iterator[_Found]:
        listed: Mapping[str, Mapping[str, Any]] = self._filesystem().find(self._path, detail=True)
        for name, details in listed.items():
            if details.get("type") == "file":
                path, size = name.removeprefix(f"{self._path}/"), details.get("size")
                yield path, None if size is None else int(size), _micros(details["LastModified"].timestamp())

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of an object; raises as `files`, and BatchError "not_delivered" for one object."""
        try:
            with self._translated(), self._filesystem().open(f"{self._path}/{path}", "rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        except FilesUnavailable as error:
            # Raises when it is not only this file.
            with self._translated():
                self._filesystem().find(self._path, maxdepth=1)
            raise BatchError("not_delivered", f'"{path}" is not delivered: {error}') from None

    def _filesystem(self) -> Any:
        return fsspec.filesystem(self._protocol, **_OPTIONS[self._protocol])

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn whatever a file system raises into SourceMissing or FilesUnavailable, without credentials."""
        try:
            yield
        except DriftgaugeError:
            raise
        except FileNotFoundError:
            raise SourceMissing(f"{self._shown} does not exist: create it, or {self._fix}") from None
        except ImportError:
            raise FilesUnavailable(f"{self._shown} needs s3fs: pip install 'driftgauge[s3]'") from None
        except Exception as error:  # noqa: BLE001 - each file system has exceptions of its own
            # Not chained, and by its kind only: nobody knows what a foreign text holds.
            happened, remedy = _said(error)
            raise FilesUnavailable(f"{self._shown} {happened}: {remedy}, or {self._fix}") from None


def _named(source: str, path: str, role: FileRole, time: int) -> Piece:
    """Return a file that is not read because of its name, which is shown without the characters that do not print."""
    text = f"{path!a} has characters that do not print: rename it"
    return Piece(source, ascii(path), role, None, time, unlisted=("unsafe_name", text))


def _said(error: Exception) -> tuple[str, str]:
    """Return what happened and what to do about it."""
    kind = type(error).__name__
    if isinstance(error, PermissionError) or "Credentials" in kind:
        return f"may not be read ({kind})", "give this process credentials that may list and read it"
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return f"does not answer in time ({kind})", "look at the network and the store; it is asked again later"
    return f"cannot be read ({kind})", "look at the network and the store; it is asked again later"


def _folder(url: str) -> Path:
    """Return the folder of this machine that a path or file: URL means."""
    scheme, _, rest = url.partition(":")
    return Path(unquote(rest.removeprefix("//")) if scheme.lower() == "file" else url).absolute()


def _walked(root: Path) -> Iterator[_Found]:
    """Yield the plain files below a folder. What goes meanwhile is left out, what may not be read raises OSError."""
    if not root.is_dir():
        raise FileNotFoundError
    for folder, _, names in os.walk(root, onerror=_unless_gone):
        for name in names:
            try:
                status = os.lstat(f"{folder}/{name}")
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield Path(folder, name).relative_to(root).as_posix(), status.st_size, _micros(status.st_mtime)


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _micros(seconds: float) -> int:
    return int(seconds * _MICROSECONDS)

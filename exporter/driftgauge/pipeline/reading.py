"""Artifacts, from their bytes to what they add: what a worker does, so nothing heavy is imported here."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain, islice
from typing import BinaryIO, Final, Literal, TypeVar

from driftgauge.batch import decode
from driftgauge.columns import Columns
from driftgauge.errors import BatchError, SourceMissing
from driftgauge.pipeline.delta import Delta, Origin, Terms, fold_labels, fold_predictions, fold_together
from driftgauge.pipeline.growth import grown_content, reading_at, taking_at
from driftgauge.schema import UNKNOWN_VERSION, Kind
from driftgauge.signals import Fitted
from driftgauge.source import Artifact

T = TypeVar("T")

FileRole = Literal["predictions", "labels"]

# Chunk deltas are combined this many at a time, so that a long file costs the memory of a few chunks.
_COMBINED: Final = 6
# Files with no more rows are folded together. Counting so few takes less time than the calls that it takes.
_FEW_ROWS: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """How to read one artifact: `skip` rows were read before, when it held `content` ("" if never).

    kinds: None while there is no reference.
    """

    artifact: Artifact
    role: FileRole
    terms: Terms
    kinds: Mapping[str, Kind] | None
    max_bytes: int
    skip: int = 0
    content: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Small:
    """A file of few bytes, and how to read it."""

    what: Job
    data: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """How many rows were read of a file, and what it held then."""

    rows: int
    content: str


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What files add together, and what came of each, in order: an error says why it adds nothing."""

    delta: Delta
    files: tuple[Read | BatchError | SourceMissing, ...]


def fold_file(file: BinaryIO, what: Job) -> Reading:
    """Decode and fold a downloaded file.

    Raises BatchError when it has no rows at all or cannot be read as a whole: nothing of it counts then.
    """
    what = _with_known_signals(what)
    read, size = reading_at(file)
    with ThreadPoolExecutor(1, thread_name_prefix="growth") as thread:
        # Beside decoding: to tell whether a large file has grown takes a tenth of the time that its rows take.
        content = thread.submit(grown_content, read, size, what.artifact.path, what.content)
        try:
            delta = _folded(_ahead(_chunks(file, what)), what)
        finally:
            # A file that was replaced may be none that can be decoded, and this says more.
            known = content.result()
    return Reading(delta, (Read(delta.rows_read, known),))


def fold_small(files: Sequence[Small]) -> Reading:
    """Decode and fold files of one model, with the same terms, as `fold_file` does; those of few rows in one pass."""
    parts: list[Delta] = []
    # By the columns that they have: a column that is missing in a file is not one that it has without values.
    together: dict[tuple[tuple[str, ...], ...], list[tuple[Columns, Origin]]] = {}
    found: list[Read | BatchError] = []
    for file in files:
        what = _with_known_signals(file.what)
        try:
            content = grown_content(*taking_at(file.data), what.artifact.path, what.content)
            chunks = _chunks(BytesIO(file.data), what)
            begun = [rows for rows in (next(chunks, None), next(chunks, None)) if rows is not None]
            if len(begun) == 1 and len(begun[0]) <= _FEW_ROWS and what.role == "predictions":
                together.setdefault(begun[0].names, []).append((begun[0], _origin(what)))
                found.append(Read(begun[0].rows_read, content))
            else:
                delta = _folded(chain(begun, chunks), what)
                parts.append(delta)
                found.append(Read(delta.rows_read, content))
        except BatchError as error:
            found.append(error)
    parts += [fold_together(alike, _with_known_signals(files[0].what).terms) for alike in together.values()]
    return Reading(Delta.combine(parts), tuple(found))


# The signals of the last file.
_known: list[Mapping[str, Fitted]] = []


def _with_known_signals(what: Job) -> Job:
    """Return the job with the signals of the file before if they are equal, so that their tables are made once."""
    fitted = what.terms.fitted
    known = _known[0] if _known else fitted
    if {name: one.fingerprint for name, one in known.items()} != {
        name: one.fingerprint for name, one in fitted.items()
    }:
        known = fitted
    # Looked at once: without workers, several threads read files.
    _known[:] = [known]
    return replace(what, terms=replace(what.terms, fitted=known))


def _chunks(file: BinaryIO, what: Job) -> Iterator[Columns]:
    """Return the file's new rows."""
    artifact = what.artifact
    return decode(
        file,
        name=artifact.path,
        role=what.role,
        model=what.terms.model,
        default_time=artifact.run_start * 1000,
        default_version=artifact.version or UNKNOWN_VERSION,
        kinds=what.kinds,
        skip=what.skip,
        max_bytes=what.max_bytes,
    )


def _folded(chunks: Iterable[Columns], what: Job) -> Delta:
    parts: list[Delta] = []
    for rows in chunks:
        if what.role == "labels":
            parts.append(fold_labels(rows, what.terms))
        else:
            parts.append(fold_predictions(rows, what.terms, origin=_origin(what)))
        if len(parts) == _COMBINED:
            parts = [Delta.combine(parts)]
    if not parts and not what.skip:
        raise BatchError("empty_file", "The file has no rows; it was probably logged before any were written to it.")
    return Delta.combine(parts)


def _origin(what: Job) -> Origin:
    return what.artifact.run_id, what.artifact.experiment_id


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, none of which is None; while one is in use, a thread makes the next."""
    # Most files are small, and a thread costs more than to decode one.
    early = deque(islice(items, 2))
    several = len(early) > 1
    while early:
        yield early.popleft()
    if not several:
        return
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item

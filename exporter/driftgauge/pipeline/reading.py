"""Files, from their bytes to what they add: what a worker does, so nothing heavy is imported here."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import chain, islice
from typing import BinaryIO, Final, NamedTuple, TypeVar

import numpy as np

from driftgauge.batch import decode
from driftgauge.columns import Columns, Note, Where
from driftgauge.errors import BatchError, SourceMissing
from driftgauge.feed import Opener, Piece
from driftgauge.openers import InMemory
from driftgauge.pipeline.delta import Delta, Signals, Terms
from driftgauge.pipeline.growth import grown_content, reading_at, refuse_rewritten, taking_at
from driftgauge.pipeline.labels import fold_share
from driftgauge.pipeline.panes import usable
from driftgauge.pipeline.rows import fold_together
from driftgauge.pipeline.seen import Seen
from driftgauge.pipeline.shares import Share
from driftgauge.schema import UNKNOWN_VERSION, ReadAs

T = TypeVar("T")

# Chunk deltas are combined this many at a time, so that a long file costs the memory of a few chunks.
_COMBINED: Final = 6
# Files with no more rows are folded together. Counting so few takes less time than the calls that it takes.
_FEW_ROWS: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """How to read one file: `skip` rows were read before, when its content was `content` ("" if never).

    terms: without signals, which are shared. kinds: None while there is no reference. before: which rows have counted
    in an earlier reading (`Seen` as text), "" where there was none.
    """

    piece: Piece
    terms: Terms
    kinds: Mapping[str, ReadAs] | None
    max_bytes: int
    skip: int = 0
    content: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """A file that can be opened, and how to read it. content: its bytes are recognised by it, "" while unknown."""

    job: Job
    opener: Opener
    content: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """How many rows of a file were read, its content at that time, and what to log about it.

    seen: which of these rows count, as text. identified: whether rows say which they are, by an id or a time, so that
    another file of the same bytes has the same rows.
    """

    rows: int
    content: str
    notes: tuple[Note, ...] = ()
    seen: str = ""
    identified: bool = False


class Known(NamedTuple):
    """A file by source and path, and how many rows it has, None while it is being read."""

    key: tuple[str, str]
    rows: int | None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A file that was not read, for it has the bytes of another one."""

    of: Known
    content: str


# What came of a file; an error says why it adds nothing.
Outcome = Read | Duplicate | BatchError | SourceMissing


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What files add together, and what came of each, in order."""

    delta: Delta
    files: tuple[Outcome, ...]


@dataclass(slots=True)
class _Remarks:
    """What is found out about a file while it is decoded; see `Read`."""

    notes: list[Note] = field(default_factory=list)
    identified: bool = False


def fold_files(fitted: Signals, files: Sequence[Fetched]) -> Reading:
    """Decode and fold files of one model, with the same terms; small ones of few rows in one pass.

    A file that has no rows at all, or cannot be read as a whole, adds nothing: its outcome says why.
    """
    parts: list[Delta] = []
    # By the columns that they have: a column that is missing in a file is not one that it has without values.
    together: dict[tuple[tuple[str, ...], ...], list[Share]] = {}
    outcomes: list[Outcome] = []
    for file in files:
        job = replace(file.job, terms=replace(file.job.terms, fitted=fitted))
        remarks = _Remarks()
        try:
            if isinstance(file.opener, InMemory):
                found, seen, content = _read_small(file.opener.data, job, remarks)
            else:
                found, seen, content = _fold_large(file.opener, job, remarks)
        except (BatchError, SourceMissing) as error:
            outcomes.append(error)
            continue
        outcomes.append(Read(seen.rows, content, tuple(remarks.notes), seen.to_text(), remarks.identified))
        if isinstance(found, Share):
            together.setdefault(found.usable.rows.names, []).append(found)
        else:
            parts.append(found)
    terms = replace(files[0].job.terms, fitted=fitted)
    parts += [fold_together(alike, terms) for alike in together.values()]
    return Reading(Delta.combine(parts), tuple(outcomes))


def _read_small(data: bytes, job: Job, remarks: _Remarks) -> tuple[Share | Delta, Seen, str]:
    """Return the rows of a file if they are few, else what they add; which count; and how its bytes are recognised."""
    content = grown_content(*taking_at(data), job.piece.path, job.content)
    chunks = _chunks(BytesIO(data), job, remarks)
    begun = list(islice(chunks, 2))
    if len(begun) == 1 and len(begun[0]) <= _FEW_ROWS and job.piece.role == "predictions":
        (share,) = _shares(begun, job)
        return share, _seen(share, job), content
    return *_folded(chain(begun, chunks), job), content


def _fold_large(opener: Opener, job: Job, remarks: _Remarks) -> tuple[Delta, Seen, str]:
    """Return what a file adds, which rows count, and by what its bytes can be recognised later."""
    with opener() as file, ThreadPoolExecutor(1, thread_name_prefix="growth") as thread:
        before = os.fstat(file.fileno())
        # While it is decoded: checking whether a large file has grown takes a tenth of the time of decoding it.
        read, size = reading_at(file)
        content = thread.submit(
            grown_content, read, size, job.piece.path, job.content, whole=job.terms.model.deduplicate
        )
        try:
            delta, seen = _folded(_ahead(_chunks(file, job, remarks)), job)
        finally:
            # A file that was replaced may be none that can be decoded, and this says more.
            known = content.result()
        refuse_rewritten(file, job.piece.path, known, before=before)
    return delta, seen, known


def _chunks(file: BinaryIO, job: Job, remarks: _Remarks) -> Iterator[Columns]:
    """Yield the file's new rows, and add to `remarks` what is to be said of them."""
    piece = job.piece
    decoded = decode(
        file,
        name=piece.path,
        role=piece.role,
        model=job.terms.model,
        default_time=piece.time,
        default_version=piece.version or UNKNOWN_VERSION,
        kinds=job.kinds,
        skip=job.skip,
        max_bytes=job.max_bytes,
        latest=job.terms.now + job.terms.ahead,
    )
    identity, start = _identity(piece), job.skip
    for rows in decoded:
        remarks.notes.extend(rows.notes)
        remarks.identified = remarks.identified or _is_identified(rows, piece.time)
        gaps = rows.gaps and replace(rows.gaps, where=_placed(rows.gaps.where, identity, start))
        yield replace(rows, where=_placed(rows.where, identity, start), gaps=gaps)
        start += rows.rows_read


def _identity(piece: Piece) -> int:
    """Return a number of the file that is the same in every process."""
    text = f"{piece.role}\0{piece.source}\0{piece.path}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)


def _placed(where: Where | None, file: int, start: int) -> Where | None:
    """Return places in a block as places in a file, of which it begins at row `start`."""
    return where and Where(np.full_like(where.file, file), where.place + start, where.number)


def _is_identified(rows: Columns, default_time: int) -> bool:
    return rows.key.null_count < len(rows) or bool((rows.time != default_time).any())


def _folded(chunks: Iterable[Columns], job: Job) -> tuple[Delta, Seen]:
    parts: list[Delta] = []
    seen = Seen()
    for share in _shares(chunks, job):
        parts.append(fold_share(share) if job.piece.role == "labels" else fold_together([share], job.terms))
        seen = seen.then(_seen(share, job))
        if len(parts) == _COMBINED:
            parts = [Delta.combine(parts)]
    if not parts and not job.skip:
        raise BatchError("empty_file", "The file has no rows; it was probably logged before any were written to it.")
    return Delta.combine(parts), seen


def _shares(chunks: Iterable[Columns], job: Job) -> Iterator[Share]:
    """Yield what is usable of each chunk of a file, with what of its rows has counted before."""
    before, start = Seen.from_text(job.before) if job.before else None, 0
    for rows in chunks:
        known = before.part(start, rows.rows_read) if before else None
        yield Share(usable(rows, job.terms), (job.piece.run_id, job.piece.experiment_id), known)
        start += rows.rows_read


def _seen(share: Share, job: Job) -> Seen:
    if job.piece.role == "labels":
        return share.refused
    return share.seen(direct=job.terms.model.labels is None)


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

"""Which files of a model are to be read, and what is put on record of each."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Final, Self

from driftgauge.feed import Piece
from driftgauge.patterns import is_data_file
from driftgauge.pipeline.delta import Terms
from driftgauge.pipeline.reading import Duplicate, Job, Known, Read
from driftgauge.pipeline.seen import Seen
from driftgauge.schema import ReadAs
from driftgauge.store import FileRecord
from driftgauge.windows import MICROSECONDS

_FIRST_RETRY: Final = 60 * MICROSECONDS
_LAST_RETRY: Final = 6 * 3600 * MICROSECONDS
# The reason on record of a file whose suffix is not read.
NOT_READ: Final = "not_read"

# What is on record of files, by source and path.
Records = Mapping[tuple[str, str], FileRecord]
_NONE: Final[Records] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A file to read, and what is on record of it: in this reading of the model, and in the `earlier` one."""

    piece: Piece
    record: FileRecord | None
    earlier: FileRecord | None = None

    @property
    def skip(self) -> int:
        """How many of its rows were read before."""
        return self.record.rows_read if self.record else 0

    def job(self, terms: Terms, kinds: Mapping[str, ReadAs] | None, *, max_bytes: int) -> Job:
        """Return how its new rows are read."""
        # Without the role.
        content = self.record.content.rpartition(":")[0] if self.record else ""
        # A file that goes on where its record ends has counted up to there only.
        before = self.earlier.seen if self.earlier and not self.skip else ""
        # What a name means now is not what it meant then.
        names = {**terms.names, **Seen.from_text(before).names} if before else terms.names
        return Job(self.piece, replace(terms, fitted={}, names=names), kinds, max_bytes, self.skip, content, before)

    def is_due(self, now: int) -> bool:
        """Whether the file is new, has changed in size, or failed long enough ago (`now` in µs)."""
        record, size = self.record, self.piece.size
        if record is None or (size is not None and record.size != size):
            return True
        return now >= record.retry_at if record.failures else size is None

    @property
    def failed_before(self) -> bool:
        """Whether this very file failed before, so that nothing new is to be said when it fails again."""
        return self.record is not None and self.record.failures > 0 and self.record.size == self.piece.size

    @property
    def counted_as_failed(self) -> bool:
        """Whether the file has counted among those set aside in the earlier reading, and in this one not yet."""
        return self.record is None and self.known.set_aside

    @property
    def known(self) -> Seen:
        """What has counted of the file so far, in whichever reading."""
        record = self.record or self.earlier
        return Seen.from_text(record.seen) if record else Seen()

    def is_news(self, found: Read) -> bool:
        """Whether rows were read that no reading had."""
        return self.skip + found.rows > (self.earlier.rows_read if self.earlier else 0)

    def read(self, found: Read, now: int) -> FileRecord:
        """Return the record after more rows were read."""
        piece, rows = self.piece, self.skip + found.rows
        seen = Seen.from_text(found.seen)
        known = self.known
        if self.skip:
            first = replace(known.part(0, self.skip), set_aside=known.set_aside, names=known.names)
            seen = first.then(seen)
        else:
            seen = known.also(seen)
        read_at = now if self.is_news(found) or not self.earlier else self.earlier.read_at
        return FileRecord(
            piece.source,
            piece.path,
            piece.size,
            rows,
            content=_with_role(found.content, piece),
            seen=seen.to_text(),
            read_at=read_at,
        )

    def passed_over(self, found: Duplicate, rows: int, now: int) -> FileRecord:
        """Return the record of a file that has the bytes of another one: as many rows, none of which counts."""
        return self.read(Read(rows, found.content, seen=Seen(rows).to_text()), now)

    def failed(self, reason: str, now: int) -> FileRecord:
        """Return the record after an attempt failed: the next comes after 1 min, 2 min, … 6 h."""
        failures = self.record.failures + 1 if self.record and self.failed_before else 1
        return FileRecord(
            self.piece.source,
            self.piece.path,
            self.piece.size,
            self.skip,
            failures=failures,
            retry_at=now + min(_FIRST_RETRY * 2 ** min(failures - 1, 20), _LAST_RETRY),
            reason=reason,
            origin=json.dumps(asdict(self.piece)),
            content=self.record.content if self.record else "",
            seen=replace(self.known, set_aside=True).to_text(),
            read_at=self.record.read_at if self.record else 0,
        )


class Contents:
    """Which file of a model had which bytes first; those of predictions and of labels are apart."""

    def __init__(self, first: Mapping[str, Known]) -> None:
        self._first = dict(first)

    @classmethod
    def of(cls, records: Records, later: Iterable[FileRecord] = ()) -> Self:
        """Return those of the files on record that have rows; later: what is not among the records yet."""
        found: dict[str, Known] = {}
        for record in (*records.values(), *later):
            if record.rows_read:
                found.setdefault(record.content, Known(record.key, record.rows_read))
        return cls(found)

    def copy(self) -> Self:
        """Return them, to be added to apart."""
        return type(self)(self._first)

    def first(self, piece: Piece, content: str) -> Known | None:
        """Return another file with these bytes; if there is none, this is the first."""
        found = self._first.setdefault(_with_role(content, piece), Known(piece.key, None))
        return None if found.key == piece.key else found


def due(pieces: Iterable[Piece], records: Records, now: int, *, earlier: Records = _NONE) -> list[Work]:
    """Return which of a model's files are to be read at `now` (µs), in order; earlier: records of another reading."""
    work = {
        piece.key: Work(piece, _read_before(records.get(piece.key)), _read_before(earlier.get(piece.key)))
        for piece in pieces
        if piece.unlisted is None and is_data_file(piece.path)
    }
    # A file that failed is tried again even when its feed does not list it any more.
    for key, record in records.items():
        if record.failures and key not in work:
            work[key] = Work(Piece(**json.loads(record.origin)), record, earlier.get(key))
    found = [item for item in work.values() if item.is_due(now)]
    # Predictions first: most labels then meet a prediction that is already there.
    return sorted(found, key=lambda item: item.piece.role == "labels")


def overlooked(pieces: Iterable[Piece], records: Mapping[tuple[str, str], FileRecord]) -> list[Piece]:
    """Return the files whose suffix is not read, and that are not on record as such yet."""
    found = (piece for piece in pieces if piece.unlisted is None and not is_data_file(piece.path))
    return [piece for piece in found if piece.key not in records]


def unlisted(pieces: Iterable[Piece], records: Mapping[tuple[str, str], FileRecord]) -> list[Piece]:
    """Return what could not be looked at, and is not on record for the same reason yet."""
    found = []
    for piece in pieces:
        record = records.get(piece.key)
        if piece.unlisted and (record is None or record.reason != piece.unlisted[0]):
            found.append(piece)
    return found


def on_record(piece: Piece) -> FileRecord:
    """Return the record of a file whose suffix is not read, or of what could not be looked at."""
    return FileRecord(piece.source, piece.path, piece.size, 0, reason=piece.unlisted[0] if piece.unlisted else NOT_READ)


def _with_role(content: str, piece: Piece) -> str:
    return f"{content}:{piece.role}"


def _read_before(record: FileRecord | None) -> FileRecord | None:
    # A later driftgauge may read suffixes that this one does not.
    return None if record is None or record.reason == NOT_READ else record

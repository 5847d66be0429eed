"""What one commit takes: for each file the record of how far it was read, and what its rows add."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from driftgauge.aggregates.totals import Totals
from driftgauge.errors import BatchError
from driftgauge.feed import Piece
from driftgauge.pipeline.delta import Delta
from driftgauge.pipeline.memory import Memory
from driftgauge.pipeline.pace import Pace
from driftgauge.pipeline.reading import Duplicate, Outcome, Read
from driftgauge.pipeline.saying import say_duplicate, say_not_read, say_notes, say_set_aside
from driftgauge.pipeline.work import Contents, Work, on_record
from driftgauge.store import FileRecord


@dataclass(slots=True)
class Step:
    """Files of a model that are not committed yet: their records, and what they add."""

    memory: Memory
    pace: Pace
    records: list[FileRecord] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether it is to be committed before more is read."""
        is_large = sum(delta.rows_read for delta in self.deltas) >= self.pace.step_rows
        return is_large or len(self.records) >= self.pace.step_files

    def clear(self) -> None:
        """Begin the next one."""
        self.records, self.deltas = [], []

    def take(self, item: Work, outcome: Outcome, contents: Contents, now: int) -> None:
        """Add a file that was read, that failed or that was left out; contents: which file had which bytes first."""
        self._record(item, outcome, now)
        self._compare(item, outcome, contents, now)

    def overlook(self, pieces: Iterable[Piece], now: int) -> None:
        """Add files whose suffix is not read, and count each once."""
        for piece in pieces:
            say_not_read(self.memory, piece, now)
            self.records.append(on_record(piece))
            if piece.key not in self.memory.earlier:
                self._count(Totals(unread=1))

    def miss(self, pieces: Iterable[Piece], now: int) -> None:
        """Set aside what could not be looked at, and count each once."""
        for piece in pieces:
            if piece.unlisted is None:
                continue
            error = BatchError(*piece.unlisted)
            say_set_aside(self.memory, piece, error.reason, error, now)
            self.records.append(on_record(piece))
            if piece.key not in self.memory.earlier:
                self._count(Totals(failures={error.reason: 1}))

    def _count(self, totals: Totals) -> None:
        self.deltas.append(Delta(totals=totals))

    def _record(self, item: Work, outcome: Outcome, now: int) -> None:
        if isinstance(outcome, Duplicate):
            key, rows = outcome.of
            first = next((record for record in self.records if record.key == key), None) or self.memory.files[key]
            if rows is not None or not first.failures:
                self.records.append(item.passed_over(outcome, first.rows_read if rows is None else rows, now))
                return
            outcome = BatchError(first.reason, f'"{item.piece.path}" has the bytes of "{key[1]}", which cannot be read')
        if isinstance(outcome, Read):
            self.records.append(item.read(outcome, now))
            if outcome.rows and item.is_news(outcome):
                self._count(Totals(batches=1, last_batch=now))
            say_notes(self.memory, outcome.notes, now, piece=item.piece)
            return
        reason = outcome.reason if isinstance(outcome, BatchError) else "missing"
        self.records.append(item.failed(reason, now))
        if item.failed_before:
            return
        say_set_aside(self.memory, item.piece, reason, outcome, now)
        if not item.counted_as_failed:
            self._count(Totals(failures={reason: 1}))

    def _compare(self, item: Work, outcome: Outcome, contents: Contents, now: int) -> None:
        """Say of a file that it has the bytes of another one, and count it.

        Files without rows, and those whose rows have neither ids nor times, are often the same and mean something else.
        """
        first = None
        if isinstance(outcome, Duplicate):
            first = outcome.of.key
        elif isinstance(outcome, Read) and outcome.rows and not item.skip:
            found = contents.first(item.piece, outcome.content)
            first = found.key if found and outcome.identified else None
        if first is None:
            return
        if item.earlier is None:
            self._count(Totals(duplicates=1))
        say_duplicate(self.memory, item.piece, "/".join(first), now, left_out=isinstance(outcome, Duplicate))

"""The thread that writes the buffered rows to the spool, as files of a bounded size.

Rows that cannot be written because the disk is full or gone stay in memory and are tried again; the buffer fills to its
limit meanwhile.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any, BinaryIO, Final, Protocol

import pyarrow as pa
import pyarrow.parquet

from driftgauge.client.buffer import Buffer
from driftgauge.client.commands import CommandQueue
from driftgauge.client.counters import Counters
from driftgauge.client.lanes import Destination, Kind
from driftgauge.client.notices import Notices, described
from driftgauge.client.options import Options
from driftgauge.client.privacy import Privacy
from driftgauge.client.process import FORK_GUARD
from driftgauge.client.records import LabelBatch, labels_table, predictions_table
from driftgauge.client.sampling import is_chosen, threshold
from driftgauge.client.spool import Spool

# How often (s) the buffer is read: a busy process has this many wake-ups, however much it logs.
TICK: Final = 0.25


@dataclass(slots=True)
class Draft:
    """The rows of the next file of one kind; `since` is when the first was taken from the buffer (monotonic s)."""

    items: list[Any] = field(default_factory=list)
    rows: int = 0
    since: float = 0.0

    def add(self, item: Any, rows: int) -> None:
        """Add one row or batch."""
        if not self.items:
            self.since = time.monotonic()
        self.items.append(item)
        self.rows += rows


@dataclass(frozen=True, slots=True, eq=False)
class PendingFile:
    """A table to be written as one file."""

    kind: Kind
    table: Any


class OnWritten(Protocol):
    """Called after a file was written."""

    def __call__(self, *, last: bool) -> None:
        """Handle a written file; with `last`, the end of writing."""


class Writer:
    """Moves rows from `buffer` to `spool`; calls `on_written` after each file, and after the last one."""

    def __init__(
        self,
        options: Options,
        *,
        server: str,
        buffer: Buffer,
        spool: Spool,
        counters: Counters,
        notices: Notices,
        on_written: OnWritten,
    ) -> None:
        self._options = options
        self._server = server
        self._buffer = buffer
        self._spool = spool
        self._counters = counters
        self._notices = notices
        self._on_written = on_written
        self._privacy = Privacy.of(options.redact, options.hash, options.key)
        self._below = threshold(options.sample_rate)
        self._drafts: dict[Kind, Draft] = {"predictions": Draft(), "labels": Draft()}
        self._pending: deque[PendingFile] = deque()
        self.commands = CommandQueue()

    def run(self) -> None:
        """Work until a command to stop."""
        with FORK_GUARD, suppress(Exception):
            # pyarrow imports pandas, if it is installed, when it makes its first array.
            pa.array([None])
        stop = False
        while not stop:
            command = self.commands.next(TICK)
            stop = command is not None and command.stop
            try:
                done = self._work(everything=command is not None)
            except Exception as error:  # noqa: BLE001 - the thread must live, and tries again
                self._notices.begin("write", f"cannot write what was logged: {described(error)}")
                done = False
            if stop:
                self._give_up()
                self._on_written(last=True)
            if command is not None:
                command.answer(done=done)

    def _work(self, *, everything: bool) -> bool:
        """Write what is due, or everything that was logged by now; false when something could not be written."""
        if not self._write():
            return False
        for _ in range(len(self._buffer.items)):
            self._take()
            if self._pending and not self._write():
                return False
        if self._buffer.rows < self._buffer.capacity // 2:
            self._notices.end("buffer_full", "no more rows are dropped, the buffer has room")
        for kind, draft in self._drafts.items():
            if draft.rows and (everything or time.monotonic() - draft.since >= self._options.max_file_age):
                self._close(kind)
        return self._write()

    def _take(self) -> None:
        item = self._buffer.take()
        kind: Kind = "labels" if isinstance(item, LabelBatch) else "predictions"
        draft = self._drafts[kind]
        draft.add(item, _rows([item]))
        if draft.rows >= self._options.max_file_rows:
            self._close(kind)

    def _close(self, kind: Kind) -> None:
        draft, self._drafts[kind] = self._drafts[kind], Draft()
        for items, whole in self._tables(kind, draft.items):
            table = self._sampled(whole, items)
            self._counters.add("labels_logged" if kind == "labels" else "logged", table.num_rows)
            self._counters.add("sampled_out", _rows(items) - table.num_rows)
            self._pending += [PendingFile(kind, part) for part in self._parts(table)]

    def _tables(self, kind: Kind, items: list[Any]) -> Iterator[tuple[list[Any], Any]]:
        """Yield items with their table: all of them at once, or in parts without those that make no table."""
        try:
            table = self._table(kind, items)
        except Exception as error:  # noqa: BLE001 - an unusable row must not make others fail
            if len(items) > 1:
                middle = len(items) // 2
                yield from self._tables(kind, items[:middle])
                yield from self._tables(kind, items[middle:])
            else:
                self._counters.drop("unwritable", _rows(items))
                self._notices.begin("unwritable", f"rows make no table and are dropped: {described(error)}")
        else:
            yield items, table

    def _table(self, kind: Kind, items: list[Any]) -> Any:
        if kind == "labels":
            return labels_table(items, self._privacy, time.time())
        return predictions_table(items, self._options.model_version, self._privacy, time.time())

    def _sampled(self, table: Any, items: list[Any]) -> Any:
        """Return the sampled rows of a table: batches are sampled here, single rows were sampled by `log`."""
        if self._below is None:
            return table
        below = self._below
        verdicts = ([True] if _is_row(item) else [is_chosen(key, below) for key in item.request_ids] for item in items)
        return table.filter(pa.array(list(chain.from_iterable(verdicts))))

    def _parts(self, table: Any) -> Iterator[Any]:
        """Yield the table in parts of at most `max_file_rows` and, down to single rows, `max_file_bytes`."""
        most = self._options.max_file_rows
        for start in range(0, table.num_rows, most):
            yield from _halves(table.slice(start, most), self._options.max_file_bytes)

    def _write(self) -> bool:
        while self._pending:
            pending = self._pending[0]
            try:
                file = self._spool.add(
                    pending.kind, self._destination(pending.kind), pending.table.num_rows, self._bytes(pending)
                )
            except OSError as error:
                self._notices.begin(
                    "spool",
                    f"cannot write to the spool {self._options.folder} ({error.strerror}): rows wait in memory; "
                    "free some space or set spool_dir to a writable folder",
                )
                return False
            self._notices.end("spool", f"the spool {self._options.folder} can be written again")
            self._pending.popleft()
            if file is not None:
                self._counters.add("spooled", file.rows)
                self._on_written(last=False)
        return True

    def _bytes(self, pending: PendingFile) -> Callable[[BinaryIO], object]:
        noted = {"sample_rate": repr(self._options.sample_rate)}
        table = pending.table.replace_schema_metadata(noted)
        return lambda file: pyarrow.parquet.write_table(table, file)

    def _destination(self, kind: Kind) -> Destination:
        options = self._options
        return Destination(
            experiment=options.labels if kind == "labels" else options.experiment,
            server=self._server,
            model_version=options.model_version,
            sample_rate=options.sample_rate,
            day=f"{datetime.now(UTC):%Y-%m-%d}",
        )

    def _give_up(self) -> None:
        """Count the rows that could not be written before the end."""
        left = sum(pending.table.num_rows for pending in self._pending) + sum(d.rows for d in self._drafts.values())
        self._counters.drop("unwritable", left + self._buffer.rows)


def _is_row(item: Any) -> bool:
    return type(item) is tuple


def _rows(items: list[Any]) -> int:
    return sum(1 if _is_row(item) else item.rows for item in items)


def _halves(table: Any, most_bytes: int) -> Iterator[Any]:
    if table.num_rows < 2 or table.nbytes <= most_bytes:
        yield table
    else:
        middle = table.num_rows // 2
        yield from _halves(table.slice(0, middle), most_bytes)
        yield from _halves(table.slice(middle), most_bytes)

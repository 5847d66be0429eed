"""The order of one refresh of one model.

Look for files → compile the reference if it changed → fetch, decode and fold files in parallel → join, add and commit
step by step → expire.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import structlog

from driftgauge.aggregates.totals import Totals
from driftgauge.columns import Note
from driftgauge.config import Config
from driftgauge.errors import ReferenceUnusable, RefreshUnfinished, SourceMissing, SourceUnavailable
from driftgauge.feed import Cursor, Feed, Piece
from driftgauge.pipeline import again
from driftgauge.pipeline.again import Renewed
from driftgauge.pipeline.commit import Finish, commit, forget, is_anything_old
from driftgauge.pipeline.delta import Delta, Terms
from driftgauge.pipeline.doubts import say_doubts
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.fetching import Readers
from driftgauge.pipeline.heap import trim
from driftgauge.pipeline.journal import Journal
from driftgauge.pipeline.memory import Memory
from driftgauge.pipeline.monitoring import renew_monitoring
from driftgauge.pipeline.pace import Pace
from driftgauge.pipeline.renewal import renew_reference
from driftgauge.pipeline.saying import say_notes
from driftgauge.pipeline.step import Step
from driftgauge.pipeline.turns import Turn
from driftgauge.pipeline.versions import Versions, identify
from driftgauge.pipeline.work import Contents, Work, due, overlooked, unlisted
from driftgauge.snapshot import ModelState
from driftgauge.source import RATE_LIMITED
from driftgauge.store import Store, Transaction
from driftgauge.store.ledger import write_cursor, write_journal
from driftgauge.windows import AHEAD, MICROSECONDS

# How long (s) at least a refresh goes on with a model whose server limits requests.
_SHORTEST_TURN: Final = 30.0
_log = structlog.get_logger("driftgauge.pipeline")


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """What the refreshes of all models share.

    executor: what decodes and folds files.
    give_up_if_stopping: called between files; raises Stopped once the refresh is to be given up.
    patience: for how long (s) a refresh goes on with a model that is read again, or read from a server that limits
    requests. slack: how far (s) rows may be ahead of the clock, beyond what is usual. pace: how much goes together.
    """

    config: Config
    feeds: Feeds
    store: Store
    versions: Versions
    executor: Executor
    give_up_if_stopping: Callable[[], None]
    patience: float
    slack: Callable[[], float]
    pace: Pace


@dataclass(frozen=True, slots=True)
class _Noted:
    """The counters and the journal of a model when its refresh began."""

    totals: Totals
    journal: Journal


class ModelRefresh:
    """One refresh of one model, as of `now` (µs)."""

    def __init__(self, means: Means, memory: Memory, *, now: int, readers: Readers, turn: Turn) -> None:
        self._means = means
        self._config = means.config
        self._store = means.store
        self._versions = means.versions
        self._memory = memory
        self._now = now
        self._readers = readers
        self._turn = turn

    def run(self) -> None:
        """Read what is new and forget what is old.

        Raises SourceError, ConfigError, ReferenceUnusable, RefreshUnfinished or StateError for what the model lacks
        after that, and Stopped.
        """
        memory, versions, now = self._memory, self._versions, self._now
        self._renew_monitoring()
        # What had grown before is in the last snapshot.
        memory.state, memory.repeated = replace(memory.state, grown=()), Totals()
        if memory.stale:
            self._begin_again(memory.stale)
        feed = self._means.feeds[memory.state.config.name]
        try:
            pieces, cursor = feed.look(memory.cursor, now)
        except SourceMissing:
            # The reference may be there before the first file is.
            self._renew_reference()
            raise
        is_read_again = memory.served is not None
        reference_error = self._renew_reference()
        versions.renew_names(memory)
        versions.find(memory, versions.unknown(memory, memory.state.totals, now), now)
        if memory.stale:
            self._begin_again(memory.stale)
            versions.find(memory, versions.unknown(memory, memory.state.totals, now), now)
        if memory.served is not None and not is_read_again:
            # All of the files, not only those that can be new.
            pieces, cursor = feed.look(memory.cursor, now)
        is_complete = self._take_all(feed, pieces, cursor)
        if is_complete and not memory.cursor.left and memory.served is not None:
            again.finish(self._store, memory, self._config, now=now)
        versions.forget(memory)
        identify(memory, self._means.feeds, now)
        if reference_error is not None:
            raise reference_error
        if memory.cursor.left or not (is_complete or memory.served is not None):
            raise self._unfinished()

    def _begin_again(self, why: str, renewed: Renewed | None = None) -> None:
        again.begin(self._store, self._memory, self._config, now=self._now, why=why, renewed=renewed)

    def _renew_monitoring(self) -> None:
        name = self._memory.state.config.name
        model = next(each for each in self._config.models if each.name == name)
        source, executor = self._means.feeds.source, self._means.executor
        renew_monitoring(self._memory, model, source, self._store, self._config, executor=executor)

    def _renew_reference(self) -> ReferenceUnusable | None:
        def read_again(renewed: Renewed) -> None:
            self._begin_again("its reference changed", renewed)

        return renew_reference(
            self._memory,
            self._means.feeds.source,
            self._store,
            self._config.limits,
            executor=self._means.executor,
            now=self._now,
            read_again=read_again,
        )

    def _take_all(self, feed: Feed, pieces: Sequence[Piece], cursor: Cursor) -> bool:
        """Take in what a look has found, and go on looking while there is something left and time.

        Return whether everything of the last look was read.
        """
        memory, end = self._memory, time.monotonic() + max(self._means.patience, _SHORTEST_TURN)
        is_complete = self._take_in(feed, pieces, cursor, end=end)
        try:
            while is_complete and memory.cursor.left and time.monotonic() < end:
                pieces, cursor = feed.look(memory.cursor, self._now)
                is_complete = self._take_in(feed, pieces, cursor, end=end)
        except SourceUnavailable as error:
            # What is left comes with the next refresh.
            if error.reason != RATE_LIMITED:
                raise
        return is_complete

    def _take_in(self, feed: Feed, pieces: Sequence[Piece], cursor: Cursor, *, end: float) -> bool:
        """Read and commit what a look has found; return whether that was all of it. end: see `_read`."""
        memory, now = self._memory, self._now
        memory.repeated = Totals()
        noted = _Noted(memory.state.totals, memory.journal)
        unread, missed = overlooked(pieces, memory.files), unlisted(pieces, memory.files)
        work = due(pieces, memory.files, now, earlier=memory.earlier)
        step, is_complete = self._read(feed, work, end=end)
        terms = self._terms()
        step.overlook(unread, now)
        step.miss(missed, now)
        self._conclude(step, cursor if is_complete else memory.cursor, terms, noted)
        return is_complete

    def _read(self, feed: Feed, work: Sequence[Work], *, end: float) -> tuple[Step, bool]:
        """Read files and commit them step by step; return the last step, which is not committed, and whether it is all.

        It may not be while a model is read again, or from a server that limits requests and longer than until `end`:
        then a part of the files is left for the next refresh, so that the other models are not held up.
        """
        memory = self._memory
        step, left = Step(memory, self._means.pace), deque(work)
        patience = time.monotonic() + self._means.patience if memory.served is not None else inf

        def is_late() -> bool:
            time_now = time.monotonic()
            return time_now > patience or (time_now > end and self._means.feeds.rate(memory.state.config) < inf)

        try:
            while left:
                versions = self._read_on(feed, left, step, is_late=is_late)
                self._versions.find(memory, versions, self._now)
                if not versions and is_late():
                    break
        except SourceUnavailable as error:
            # MLflow went away in the middle: what it had given by then counts.
            is_news = bool(step.records)
            self._commit(step, self._terms())
            if is_news and error.reason == RATE_LIMITED:
                raise self._unfinished() from None
            raise
        return step, not left

    def _read_on(self, feed: Feed, left: deque[Work], step: Step, *, is_late: Callable[[], bool]) -> list[str]:
        """Read files until it is late, or until there are rows of versions that may have their own reference.

        Returns these versions; the file that has them is left.
        """
        memory, now, terms = self._memory, self._now, self._terms()
        max_bytes = self._config.limits.max_artifact_bytes
        jobs = [item.job(terms, memory.kinds, max_bytes=max_bytes) for item in left]
        contents = Contents.of(memory.files, step.records)
        signals = memory.shared_signals(self._means.executor)
        with closing(self._readers.read(feed, jobs, signals, contents=contents)) as readings:
            for reading in readings:
                self._means.give_up_if_stopping()
                self._turn.goes_on()
                if versions := self._versions.unknown(memory, reading.delta.totals, now):
                    return versions
                step.deltas.append(reading.delta)
                for outcome in reading.files:
                    step.take(left.popleft(), outcome, contents, now)
                # While the next one is read, memory is needed for that.
                del reading
                if step.is_full:
                    self._commit(step, terms)
                    self._turn.makes_room()
                if is_late():
                    break
        return []

    def _commit(self, step: Step, terms: Terms, finish: Finish | None = None) -> None:
        """Commit a step, if it has anything, and clear it."""
        if not step.records:
            return
        memory, pace = self._memory, self._means.pace
        records, delta = step.records, Delta.combine(step.deltas)
        step.clear()
        memory.repeated = Totals.combine([memory.repeated, delta.repeated])
        memory.state, notes = commit(
            self._store,
            memory.state,
            delta,
            records=records,
            known=memory.files,
            terms=terms,
            finish=finish,
            few_cells=pace.few_cells,
        )
        rows = delta.rows_read
        # So that it can be returned to the operating system.
        del delta
        if finish is None:
            say_notes(memory, notes, terms.now)
            say_doubts(memory, memory.state, terms.now)
        memory.files |= {(record.source, record.path): record for record in records}
        # A smaller step leaves too little behind to be worth the time.
        is_large = rows >= pace.step_rows
        self._store.settle(after_large=is_large)
        if is_large:
            trim()
        name, files, waiting = memory.state.config.name, len(records), memory.state.joining.predictions
        _log.info("batches committed", model=name, files=files, rows=rows, waiting=waiting)

    def _conclude(self, step: Step, cursor: Cursor, terms: Terms, noted: _Noted) -> None:
        """Commit the last step; with it remember how far the feed has looked, and forget what is old.

        Only when all is read: until every file is consumed or on record, the feed must find it again.
        """
        memory = self._memory
        known = memory.cursor.kept

        def finish(tx: Transaction, state: ModelState, notes: Sequence[Note] = ()) -> ModelState:
            say_notes(memory, notes, terms.now)
            if cursor.kept is not known:
                write_cursor(tx, cursor.kept, known=known)
            if is_anything_old(state, terms):
                state = forget(tx, state, terms)
            # Before the journal is stored: a process that starts anew has no other way to know.
            say_doubts(memory, state, terms.now)
            read = Totals.combine([state.totals, memory.repeated])
            memory.journal = memory.journal.counting(noted.totals, read, terms.now)
            if memory.journal is not noted.journal:
                write_journal(tx, memory.journal.to_json())
            return state

        # A transaction takes milliseconds, and of most models there is nothing to be said at most refreshes.
        if step.records:
            self._commit(step, terms, finish)
        elif cursor.kept is not known or is_anything_old(memory.state, terms):
            model, is_again = memory.state.config, memory.served is not None
            with self._store.transaction(model.name, model.task, again=is_again) as tx:
                state = finish(tx, memory.state)
            memory.state = state
        memory.cursor = cursor

    def _terms(self) -> Terms:
        ahead = AHEAD + int(self._means.slack() * MICROSECONDS)
        return replace(self._memory.terms(self._config, self._now), ahead=ahead)

    def _unfinished(self) -> RefreshUnfinished:
        left, rate = self._memory.cursor.left, self._means.feeds.rate(self._memory.state.config)
        return RefreshUnfinished(
            f"MLflow allows fewer requests than this refresh takes (429): {f'{left:,} runs' if left else 'some files'} "
            f"come with the next ones, at about {rate:.2g} requests per second; to have them sooner, raise the limit "
            "of requests for driftgauge at the gateway"
        )

"""The order of one refresh.

For each model: look for files → compile the reference if it changed → fetch, decode and fold files in parallel → join,
add and commit step by step → expire. A model that fails keeps what was committed, says why, and does not stop the
others; when MLflow as a whole does not answer, no model that reads from it is tried.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from random import Random
from typing import Final, TypeVar

import structlog

from driftgauge.aggregates.totals import Totals
from driftgauge.columns import Note
from driftgauge.config import Config
from driftgauge.errors import (
    ReferenceUnusable,
    RefreshUnfinished,
    SourceMissing,
    SourceUnavailable,
    Stopped,
)
from driftgauge.feed import Cursor, Feed, Piece
from driftgauge.pipeline import again
from driftgauge.pipeline.again import Renewed
from driftgauge.pipeline.attempt import attempt
from driftgauge.pipeline.commit import Finish, commit, forget, is_anything_old
from driftgauge.pipeline.delta import Delta, Terms
from driftgauge.pipeline.doubts import say_doubts
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.fetching import Readers
from driftgauge.pipeline.heap import trim
from driftgauge.pipeline.journal import Journal
from driftgauge.pipeline.memory import Failure, Memory
from driftgauge.pipeline.pace import USUAL, Pace
from driftgauge.pipeline.renewal import renew_reference
from driftgauge.pipeline.restoring import restore
from driftgauge.pipeline.saying import say_notes, say_what_is_left_out
from driftgauge.pipeline.step import Step
from driftgauge.pipeline.turns import Turn, Turns
from driftgauge.pipeline.versions import Versions, identify
from driftgauge.pipeline.work import Contents, Work, due, overlooked, unlisted
from driftgauge.snapshot import ModelState
from driftgauge.source import RATE_LIMITED
from driftgauge.store import Store, Transaction
from driftgauge.store.ledger import write_cursor, write_journal
from driftgauge.windows import AHEAD, MICROSECONDS

# Models are refreshed side by side; commits take turns. How many work, and how many are begun: the rest of these hang.
_MODELS_AT_ONCE: Final = 4
# How long (s) at least a refresh goes on with a model whose server limits requests.
_SHORTEST_TURN: Final = 30.0
MODELS_BEGUN: Final = 32

T = TypeVar("T")
# What is done with a model after it was refreshed, as of when (µs), given why that failed if it did.
Then = Callable[[Memory, int, Failure | None], T]


@dataclass(frozen=True, slots=True)
class Report:
    """How a refresh went. failures: model -> (reason, message), of models that could not be refreshed in full.

    mlflow_up: whether MLflow answered, None if nothing is read from it. mlflow_down: (reason, message) if it did not.
    """

    mlflow_up: bool | None
    failures: Mapping[str, Failure]
    mlflow_down: Failure | None = None


@dataclass(frozen=True, slots=True)
class _Noted:
    """The counters and the journal of a model when its refresh began."""

    totals: Totals
    journal: Journal


@dataclass(frozen=True, slots=True)
class _Going:
    """One refresh of a model that is under way: as of `now` (µs)."""

    now: int
    readers: Readers
    turn: Turn


class Pipeline:
    """Refreshes the models of one configuration from their feeds into one store; one thread at a time for each model.

    executor: what decodes and folds files.
    random: spreads the retries of models that fail.
    stopping: asked between files; once it says yes, the refresh is given up with `Stopped`.
    patience: for how long (s) a refresh goes on with a model that is read again, or read from a server that limits
    requests. slack: how far (s) rows may be ahead of the clock, beyond what is usual. pace: how much goes together.
    """

    def __init__(  # noqa: PLR0913 - all but the first three by keyword
        self,
        config: Config,
        feeds: Feeds,
        store: Store,
        *,
        executor: Executor,
        random: Random | None = None,
        stopping: Callable[[], bool] = lambda: False,
        patience: float = inf,
        slack: Callable[[], float] = lambda: 0.0,
        pace: Pace = USUAL,
    ) -> None:
        self._config = config
        self._patience = patience
        self._slack = slack
        self._pace = pace
        # Of each model that is read from a server that limits requests.
        self._turn = max(patience, _SHORTEST_TURN)
        self._feeds = feeds
        self._store = store
        self.executor = executor
        self._random = random or Random()  # noqa: S311 - spreads retries, guards nothing
        self._stopping = stopping
        self._turns = Turns(_MODELS_AT_ONCE)
        self._versions = Versions(feeds.source, store, config.limits, executor=executor)
        self._log = structlog.get_logger("driftgauge.pipeline")
        for model in config.models:
            say_what_is_left_out(model, config.limits)
        self._models = {
            model.name: restore(store, model, windows=config.windows, limits=config.limits) for model in config.models
        }

    def give_up_if_stopping(self) -> None:
        """Raise Stopped if so asked."""
        if self._stopping():
            raise Stopped("stopped in the middle of a refresh")

    def memory(self, model: str) -> Memory:
        """Return what is known of a model; another thread may be refreshing it."""
        return self._models[model]

    @property
    def states(self) -> list[ModelState]:
        """What is shown of every model, in the order of the configuration."""
        return [memory.shown for memory in self._models.values()]

    @property
    def pending(self) -> int:
        """How many predictions wait for a label."""
        return sum(state.joining.predictions for state in self.states)

    @property
    def pending_labels(self) -> int:
        """How many labels wait for their prediction."""
        return sum(state.joining.waiting for state in self.states)

    @property
    def mlflow_up(self) -> bool | None:
        """Whether MLflow answered when it was last asked, None if nothing is read from it."""
        return self._feeds.mlflow_up

    @property
    def mlflow_down(self) -> Failure | None:
        """Why (reason, message) MLflow did not answer when it was last asked."""
        down = self._feeds.mlflow_down
        return (down.reason, str(down)) if down else None

    def refresh(self, now: int) -> Report:
        """Read what is new of all models and forget what is old, as of `now` (µs)."""
        return self.report(self.each(now, lambda _, __, failure: failure))

    def report(self, failures: Mapping[str, Failure | None]) -> Report:
        """Return how a refresh went, given why models failed, by name."""
        found = {name: failure for name, failure in failures.items() if failure}
        return Report(self.mlflow_up, found, self.mlflow_down)

    def each(self, now: int, then: Then[T]) -> dict[str, T]:
        """Refresh all models as of `now` (µs), side by side; return what comes `then`, by name. See `model`."""
        with ThreadPoolExecutor(MODELS_BEGUN, thread_name_prefix="model") as threads:
            found = {name: threads.submit(self.model, name, self.turn(), now, then) for name in self._models}
        return {name: future.result() for name, future in found.items()}

    def turn(self) -> Turn:
        """Wait until another model may be begun."""
        return self._turns.take()

    def model(self, name: str, turn: Turn, now: int, then: Then[T]) -> T:
        """Read what is new of one model and forget what is old, as of `now` (µs); ends the turn.

        Returns what comes `then` in the same turn, given the model, that time and why it failed if it did.
        Raises Stopped if so asked.
        """
        try:
            memory = self._models[name]
            self.give_up_if_stopping()
            failure = memory.failure
            if memory.is_due(now):
                wait = self._config.refresh_interval * self._random.uniform(0.8, 1.2)
                with Readers(self.executor, self._pace) as readers:
                    going = _Going(now, readers, turn)
                    failure = attempt(memory, partial(self._refresh_model, memory, going), now, wait=wait)
            turn.goes_on()
            return then(memory, now, failure)
        finally:
            turn.end()

    def _refresh_model(self, memory: Memory, going: _Going) -> None:
        now = going.now
        # What had grown before is in the last snapshot.
        memory.state, memory.repeated = replace(memory.state, grown=()), Totals()
        if memory.stale:
            self._begin_again(memory, now, why=memory.stale)
        feed = self._feeds[memory.state.config.name]
        try:
            pieces, cursor = feed.look(memory.cursor, now)
        except SourceMissing:
            # The reference may be there before the first file is.
            self._renew_reference(memory, now)
            raise
        is_read_again = memory.served is not None
        reference_error = self._renew_reference(memory, now)
        self._versions.renew_names(memory)
        self._versions.find(memory, self._versions.unknown(memory, memory.state.totals, now), now)
        if memory.stale:
            self._begin_again(memory, now, why=memory.stale)
            self._versions.find(memory, self._versions.unknown(memory, memory.state.totals, now), now)
        if memory.served is not None and not is_read_again:
            # All of the files, not only those that can be new.
            pieces, cursor = feed.look(memory.cursor, now)
        is_complete = self._take_all(memory, feed, pieces, cursor, going)
        if is_complete and not memory.cursor.left and memory.served is not None:
            again.finish(self._store, memory, self._config, now=now)
        self._versions.forget(memory)
        identify(memory, self._feeds, now)
        if reference_error is not None:
            raise reference_error
        if memory.cursor.left or not (is_complete or memory.served is not None):
            raise self._unfinished(memory)

    def _take_all(self, memory: Memory, feed: Feed, pieces: Sequence[Piece], cursor: Cursor, going: _Going) -> bool:
        """Take in what a look has found, and go on looking while there is something left and time.

        Return whether everything of the last look was read.
        """
        end = time.monotonic() + self._turn
        is_complete = self._take_in(memory, feed, pieces, cursor, going, end=end)
        try:
            while is_complete and memory.cursor.left and time.monotonic() < end:
                pieces, cursor = feed.look(memory.cursor, going.now)
                is_complete = self._take_in(memory, feed, pieces, cursor, going, end=end)
        except SourceUnavailable as error:
            # What is left comes with the next refresh.
            if error.reason != RATE_LIMITED:
                raise
        return is_complete

    def _take_in(
        self, memory: Memory, feed: Feed, pieces: Sequence[Piece], cursor: Cursor, going: _Going, *, end: float
    ) -> bool:
        """Read and commit what a look has found; return whether that was all of it. end: see `_read`."""
        memory.repeated, now = Totals(), going.now
        before, journal = memory.state.totals, memory.journal
        unread, missed = overlooked(pieces, memory.files), unlisted(pieces, memory.files)
        work = due(pieces, memory.files, now, earlier=memory.earlier)
        step, is_complete = self._read(memory, feed, work, going, end=end)
        terms = self._terms(memory, now)
        step.overlook(unread, now)
        step.miss(missed, now)
        self._conclude(memory, step, cursor if is_complete else memory.cursor, terms, _Noted(before, journal))
        return is_complete

    def _unfinished(self, memory: Memory) -> RefreshUnfinished:
        left, pace = memory.cursor.left, self._feeds.pace(memory.state.config)
        return RefreshUnfinished(
            f"MLflow allows fewer requests than this refresh takes (429): {f'{left:,} runs' if left else 'some files'} "
            f"come with the next ones, at about {pace:.2g} requests per second; to have them sooner, raise the limit "
            "of requests for driftgauge at the gateway"
        )

    def _terms(self, memory: Memory, now: int) -> Terms:
        return replace(memory.terms(self._config, now), ahead=AHEAD + int(self._slack() * MICROSECONDS))

    def _begin_again(self, memory: Memory, now: int, *, why: str, renewed: Renewed | None = None) -> None:
        again.begin(self._store, memory, self._config, now=now, why=why, renewed=renewed)

    def _renew_reference(self, memory: Memory, now: int) -> ReferenceUnusable | None:
        source, limits = self._feeds.source, self._config.limits

        def read_again(renewed: Renewed) -> None:
            self._begin_again(memory, now, why="its reference changed", renewed=renewed)

        return renew_reference(
            memory, source, self._store, limits, executor=self.executor, now=now, read_again=read_again
        )

    def _read(
        self, memory: Memory, feed: Feed, work: Sequence[Work], going: _Going, *, end: float
    ) -> tuple[Step, bool]:
        """Read files and commit them step by step; return the last step, which is not committed, and whether it is all.

        It may not be while a model is read again, or from a server that limits requests and longer than until `end`:
        then a part of the files is left for the next refresh, so that the other models are not held up.
        """
        step, left = Step(memory, self._pace), deque(work)
        patience = time.monotonic() + self._patience if memory.served is not None else inf

        def is_late() -> bool:
            time_now = time.monotonic()
            return time_now > patience or (time_now > end and self._feeds.pace(memory.state.config) < inf)

        try:
            while left:
                versions = self._read_on(memory, feed, left, step, going, is_late=is_late)
                self._versions.find(memory, versions, going.now)
                if not versions and is_late():
                    break
        except SourceUnavailable as error:
            # MLflow went away in the middle: what it had given by then counts.
            is_news = bool(step.records)
            self._commit(memory, step, self._terms(memory, going.now))
            if is_news and error.reason == RATE_LIMITED:
                raise self._unfinished(memory) from None
            raise
        return step, not left

    def _read_on(
        self,
        memory: Memory,
        feed: Feed,
        left: deque[Work],
        step: Step,
        going: _Going,
        *,
        is_late: Callable[[], bool],
    ) -> list[str]:
        """Read files until it is late, or until there are rows of versions that may have their own reference.

        Returns these versions; the file that has them is left.
        """
        now, terms = going.now, self._terms(memory, going.now)
        max_bytes = self._config.limits.max_artifact_bytes
        jobs = [item.job(terms, memory.kinds, max_bytes=max_bytes) for item in left]
        contents = Contents.of(memory.files, step.records)
        signals = memory.shared_signals(self.executor)
        with closing(going.readers.read(feed, jobs, signals, contents=contents)) as readings:
            for reading in readings:
                self.give_up_if_stopping()
                going.turn.goes_on()
                if versions := self._versions.unknown(memory, reading.delta.totals, now):
                    return versions
                step.deltas.append(reading.delta)
                for outcome in reading.files:
                    step.take(left.popleft(), outcome, contents, now)
                if step.is_full:
                    self._commit(memory, step, terms)
                    step.clear()
                    going.turn.makes_room()
                if is_late():
                    break
        return []

    def _commit(self, memory: Memory, step: Step, terms: Terms, finish: Finish | None = None) -> None:
        if not step.records:
            return
        delta = Delta.combine(step.deltas)
        memory.repeated = Totals.combine([memory.repeated, delta.repeated])
        memory.state, notes = commit(
            self._store,
            memory.state,
            delta,
            records=step.records,
            known=memory.files,
            terms=terms,
            finish=finish,
            few_cells=self._pace.few_cells,
        )
        if finish is None:
            say_notes(memory, notes, terms.now)
        memory.files |= {(record.source, record.path): record for record in step.records}
        # A smaller step leaves too little behind to be worth the time.
        is_large = delta.rows_read >= self._pace.step_rows
        self._store.settle(after_large=is_large)
        if is_large:
            trim()
        say_doubts(memory, terms.now)
        name, files, waiting = memory.state.config.name, len(step.records), memory.state.joining.predictions
        self._log.info("batches committed", model=name, files=files, rows=delta.rows_read, waiting=waiting)

    def _conclude(self, memory: Memory, step: Step, cursor: Cursor, terms: Terms, noted: _Noted) -> None:
        """Commit the last step; with it remember how far the feed has looked, and forget what is old.

        Only when all is read: until every file is consumed or on record, the feed must find it again.
        """
        known = memory.cursor.kept

        def finish(tx: Transaction, state: ModelState, notes: Sequence[Note] = ()) -> ModelState:
            say_notes(memory, notes, terms.now)
            if cursor.kept is not known:
                write_cursor(tx, cursor.kept, known=known)
            if is_anything_old(state, terms):
                state = forget(tx, state, terms)
            read = Totals.combine([state.totals, memory.repeated])
            memory.journal = memory.journal.counting(noted.totals, read, terms.now)
            if memory.journal is not noted.journal:
                write_journal(tx, memory.journal.to_json())
            return state

        # A transaction takes milliseconds, and of most models there is nothing to be said at most refreshes.
        if step.records:
            self._commit(memory, step, terms, finish)
        elif cursor.kept is not known or is_anything_old(memory.state, terms):
            model, is_again = memory.state.config, memory.served is not None
            with self._store.transaction(model.name, model.task, again=is_again) as tx:
                state = finish(tx, memory.state)
            memory.state = state
        memory.cursor = cursor

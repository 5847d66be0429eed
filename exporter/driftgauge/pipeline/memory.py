"""What a pipeline knows of one model between refreshes, and how it gets that back after a restart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from driftgauge.config import Config, Limits, ModelConfig, Window
from driftgauge.feed import Cursor
from driftgauge.pipeline import baseline
from driftgauge.pipeline.delta import Signals, Terms
from driftgauge.pipeline.executor import Executor, Shared
from driftgauge.pipeline.journal import Journal
from driftgauge.reference import Compiled
from driftgauge.segments import ALL_ROWS, Segment, Segments
from driftgauge.signals import Basis, current, fit_all
from driftgauge.snapshot import ModelState, Slice, SnapshotCache
from driftgauge.store import FileRecord, Store, Transaction
from driftgauge.store.ledger import read_cursor, read_files, read_journal
from driftgauge.store.panes import Stored, delete_panes, read, write_segments, write_windows
from driftgauge.windows import MICROSECONDS, Tiers

_log = structlog.get_logger("driftgauge.pipeline")

# `reason` and message of a refresh that failed.
Failure = tuple[str, str]

_LONGEST_PAUSE: Final = 300.0
# Failures in which MLflow was asked in vain: asking again at every refresh would only add to its load.
_ASKING_TOO_OFTEN: Final = frozenset({"mlflow_unavailable", "files_unavailable", "missing", "reference"})


@dataclass(slots=True)
class Memory:
    """What is known of one model. A field is replaced only after the store has it.

    files: what was read, by (source, path). cursor: how far the feed has looked.
    waiting: predictions without label.
    fitted: the signals by which rows are folded, by segment; shared: the same for tasks, once they have needed it.
    failure: why the last refresh failed, None if it did not; attempts: how many failed in a row.
    said: what was logged of batches by this process. journal: what was said of them at all.
    retry_at: µs, before which a model that failed is not tried again. cache: what its snapshots computed.
    """

    state: ModelState
    reference_identity: str
    files: dict[tuple[str, str], FileRecord]
    cursor: Cursor
    waiting: int
    said: set[tuple[str, str, str]] = field(default_factory=set)
    journal: Journal = field(default_factory=Journal)
    fitted: Signals = field(default_factory=dict)
    shared: Shared[Signals] | None = None
    failure: Failure | None = None
    attempts: int = 0
    retry_at: int = 0
    cache: SnapshotCache = field(default_factory=SnapshotCache)

    def is_due(self, now: int) -> bool:
        """Whether the model is to be refreshed at `now` (µs); after a failure it rests for a while."""
        return self.failure is None or now >= self.retry_at

    def postpone(self, failure: Failure | None, now: int, *, wait: float) -> None:
        """Remember how a refresh went. After a failure the next waits `wait` s, and twice as long after each more."""
        self.failure = failure
        self.attempts = self.attempts + 1 if failure and failure[0] in _ASKING_TOO_OFTEN else 0
        pause = min(wait * 2 ** min(self.attempts - 1, 16), max(_LONGEST_PAUSE, wait)) if self.attempts else 0.0
        self.retry_at = now + int(pause * MICROSECONDS)

    def terms(self, config: Config, now: int) -> Terms:
        """Return by what the rows of a refresh at `now` (µs) are folded."""
        segments = tuple(each.segment for each in self.state.slices)
        return Terms(self.state.config, config.windows, self.fitted, now, segments)

    def shared_signals(self, executor: Executor) -> Shared[Signals]:
        """Return the fitted signals for tasks of the executor, shared when they are first needed."""
        if self.shared is None:
            self.shared = executor.share(self.fitted)
        return self.shared

    def adopt(self, references: Mapping[str, Compiled], identity: str, *, limits: Limits) -> None:
        """Compare with another reference and its slices from now on. Shared signals are to be released before."""
        state = _compared_with(self.state, references)
        self.fitted, self.shared = _fitted(state, limits), None
        self.state, self.reference_identity = _with_signals(state, self.fitted), identity


def restore(store: Store, model: ModelConfig, *, windows: Sequence[Window], limits: Limits) -> Memory:
    """Return what the store has of a model; a new model is empty."""
    if model.reference is None:
        remedy = "set reference.uri of the model to compare with"
        _log.info("no reference, so no drift", model=model.name, remedy=remedy)
    segments = Segments.of(model, limits)
    if segments.dropped:
        why = "segments beyond limits.max_segments are left out"
        _log.warning(why, model=model.name, segments=list(segments.dropped))
    with store.transaction(model.name, model.task) as tx:
        stored = _for_segments(tx, _for_windows(tx, read(tx), windows, model.name), segments.kept, model.name)
        files = read_files(tx)
        cursor = Cursor(read_cursor(tx))
        journal = Journal.from_json(read_journal(tx))
    compared = model.reference is not None
    state = ModelState(
        config=model,
        totals=stored.totals,
        predictions=stored.predictions,
        outcomes=stored.outcomes,
        slices=tuple(map(Slice, segments.kept)),
    )
    state = _compared_with(state, stored.references if compared else {})
    identity = stored.reference_identity if compared else ""
    fitted = _fitted(state, limits)
    state = _with_signals(state, fitted)
    return Memory(state, identity, files, cursor, stored.pending, fitted=fitted, journal=journal)


def _for_windows(tx: Transaction, stored: Stored, windows: Sequence[Window], model: str) -> Stored:
    """Return what is stored without the panes that cannot be counted in these windows, and say what has changed."""
    names = tuple(window.name for window in windows)
    if stored.windows == names:
        return stored
    write_windows(tx, names)
    tiers = Tiers.of(windows)
    left = [key for key in (*stored.predictions, *stored.outcomes) if not tiers.fits(key)]
    delete_panes(tx, "predictions", left)
    delete_panes(tx, "outcomes", left)
    if stored.windows:
        for name in sorted(set(stored.windows) - set(names)):
            _log.warning("window removed: what only it counted is deleted, all else is kept", model=model, window=name)
        for name in sorted(set(names) - set(stored.windows)):
            _log.info("window added: it begins with what the others hold and fills up", model=model, window=name)
    return replace(
        stored,
        predictions={key: pane for key, pane in stored.predictions.items() if tiers.fits(key)},
        outcomes={key: pane for key, pane in stored.outcomes.items() if tiers.fits(key)},
    )


def _for_segments(tx: Transaction, stored: Stored, segments: Sequence[Segment], model: str) -> Stored:
    """Return what is stored without the panes of segments that are gone or mean something else now, and say so."""
    names = {segment.identity: segment.name for segment in segments}
    if stored.segments == names.keys():
        return stored
    write_segments(tx, list(names))
    kept = {ALL_ROWS, *(name for identity, name in names.items() if identity in stored.segments)}
    left = {kind: [key for key in panes if key.segment not in kept] for kind, panes in stored.panes.items()}
    for kind, keys in left.items():
        delete_panes(tx, kind, keys)
    # A new model has nothing to report.
    if stored.windows:
        _log.warning(
            "segments changed: what was counted for those deleted is gone, and those begun fill from now on",
            model=model,
            deleted=sorted({key.segment for keys in left.values() for key in keys}),
            begun=[name for name in names.values() if name not in kept],
        )
    return replace(
        stored,
        predictions={key: pane for key, pane in stored.predictions.items() if key.segment in kept},
        outcomes={key: pane for key, pane in stored.outcomes.items() if key.segment in kept},
    )


def _compared_with(state: ModelState, references: Mapping[str, Compiled]) -> ModelState:
    """Return the state with the reference, its slices and their baselines, as far as there are any."""

    def baseline_of(found: Compiled | None) -> Mapping[str, float]:
        return baseline.effective(found.metrics if found else {}, state.config)

    whole = references.get(ALL_ROWS)
    slices = [(each.segment, references.get(each.segment.identity)) for each in state.slices]
    return replace(
        state,
        reference=whole.reference if whole else None,
        baseline=baseline_of(whole),
        slices=tuple(
            Slice(segment, found.reference if found else None, baseline_of(found)) for segment, found in slices
        ),
    )


def _fitted(state: ModelState, limits: Limits) -> Signals:
    references = {ALL_ROWS: state.reference} | {each.segment.name: each.reference for each in state.slices}
    return {name: fit_all(Basis(state.config, limits, reference)) for name, reference in references.items()}


def _with_signals(state: ModelState, fitted: Signals) -> ModelState:
    """Drop from panes what other signals folded than these: that does not add to what these fold."""
    return replace(
        state,
        predictions={key: current(pane, fitted[key.segment]) for key, pane in state.predictions.items()},
        outcomes={key: current(pane, fitted[key.segment]) for key, pane in state.outcomes.items()},
    )

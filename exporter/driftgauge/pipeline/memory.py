"""What a pipeline knows of one model between refreshes; `restoring` gets it back after a restart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from driftgauge.aggregates.totals import Totals
from driftgauge.config import Config, Limits, Window
from driftgauge.feed import Cursor
from driftgauge.hiding import hidden, hidden_known
from driftgauge.pipeline.betting import with_current
from driftgauge.pipeline.delta import Signals, Terms
from driftgauge.pipeline.executor import Executor, Shared
from driftgauge.pipeline.journal import Journal, Remark
from driftgauge.pipeline.monitored import Monitored
from driftgauge.pipeline.standards import (
    LOOKED_AT,
    compared_with,
    fitted_signals,
    is_stale,
    with_own,
    with_signals,
)
from driftgauge.reference import Compiled
from driftgauge.schema import ReadAs
from driftgauge.segments import ALL_ROWS, Segments
from driftgauge.snapshot import ModelState, Slice, SnapshotCache
from driftgauge.store import FileRecord
from driftgauge.windows import MICROSECONDS

# `reason` and message of a refresh that failed.
Failure = tuple[str, str]

_LONGEST_PAUSE: Final = 300.0
# The reason of a refresh that got part of the way, since a server limits requests: it goes on with the next.
UNFINISHED: Final = "unfinished"
# That, mistakes of ours and the state. After all others a server was asked in vain: asking again at every refresh would
# only add to its load.
_AT_EACH_REFRESH: Final = frozenset({"internal", "other", "state", UNFINISHED})


@dataclass(slots=True)
class Memory:
    """What is known of one model. A field is replaced only after the store has it.

    files: what was read, by (source, path). cursor: how far the feed has looked.
    fitted: the signals by which rows are folded, by segment; shared: the same for tasks, once they have needed it.
    failure: why the last refresh failed, None if it did not; attempts: how many failed in a row.
    said: what was logged of batches by this process. journal: what was said of them at all.
    windows: those that can be shown. stale: why the model is to be read again, "" if it is not.
    served: while it is read again, the state that is shown, None otherwise. earlier: the files that this was made of,
    without those that are too old to be read again: with no rows from after `back_to` (µs).
    repeated: what a refresh has read of rows that had counted.
    own_identities: what the references of single versions were compiled from. ask_at: by version, when it is asked (µs)
    whether it has one. names: of versions in rows, the numbers that they mean.
    monitored: which monitoring configuration is in force.
    retry_at: µs, before which a model that failed is not tried again. cache: what its snapshots computed.
    """

    state: ModelState
    reference_identity: str
    files: dict[tuple[str, str], FileRecord]
    cursor: Cursor
    said: set[tuple[str, str, str]] = field(default_factory=set)
    journal: Journal = field(default_factory=Journal)
    fitted: Signals = field(default_factory=dict)
    shared: Shared[Signals] | None = None
    failure: Failure | None = None
    attempts: int = 0
    retry_at: int = 0
    cache: SnapshotCache = field(default_factory=SnapshotCache)
    windows: tuple[Window, ...] = ()
    stale: str = ""
    served: ModelState | None = None
    earlier: Mapping[tuple[str, str], FileRecord] = field(default_factory=dict)
    back_to: int = 0
    repeated: Totals = field(default_factory=Totals)
    own_identities: dict[str, str] = field(default_factory=dict)
    ask_at: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    monitored: Monitored = field(default_factory=Monitored)

    @property
    def shown(self) -> ModelState:
        """What is published of the model."""
        return self.served or self.state

    @property
    def is_empty(self) -> bool:
        """Whether nothing was read yet."""
        return not (self.files or self.cursor.kept or self.state.totals.versions)

    @property
    def progress(self) -> tuple[int, int] | None:
        """How many files were read again, and of how many; None when none are."""
        if self.served is None:
            return None
        return len(self.earlier.keys() & self.files.keys()), len(self.earlier)

    @property
    def kinds(self) -> dict[str, ReadAs] | None:
        """How files must deliver each feature; as text where one reference has a category. None without a reference."""
        references = [own.reference for own in self.state.own.values()]
        if self.state.reference is not None:
            references.insert(0, self.state.reference)
        found: dict[str, ReadAs] = {}
        for reference in references:
            for name, kind in reference.kinds.items():
                found[name] = kind if kind == "categorical" else found.get(name, kind)
        return found if references else None

    def says(self, remark: Remark) -> bool:
        """Put a remark into the journal; return whether it is also to be logged: once in each process.

        The journal is stored and shown, so nothing secret gets there.
        """
        remark = replace(
            remark,
            subject=hidden_known(remark.subject),
            example=hidden_known(remark.example),
            text=hidden(remark.text),
            file=hidden(remark.file),
        )
        self.journal = self.journal.saying(remark)
        is_new = remark.key not in self.said
        self.said.add(remark.key)
        return is_new

    def become(self, other: "Memory") -> None:
        """Go on with another reading of the model."""
        kept = self.failure, self.attempts, self.retry_at, self.cache, self.names, self.monitored
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))
        self.failure, self.attempts, self.retry_at, self.cache, self.names, self.monitored = kept

    def is_due(self, now: int) -> bool:
        """Whether the model is to be refreshed at `now` (µs); after a failure it rests for a while."""
        return self.failure is None or now >= self.retry_at

    def postpone(self, failure: Failure | None, now: int, *, wait: float) -> None:
        """Remember how a refresh went. After a failure the next waits `wait` s, and twice as long after each more."""
        self.failure = failure
        self.attempts = self.attempts + 1 if failure and failure[0] not in _AT_EACH_REFRESH else 0
        pause = min(wait * 2 ** min(self.attempts - 1, 16), max(_LONGEST_PAUSE, wait)) if self.attempts else 0.0
        self.retry_at = now + int(pause * MICROSECONDS)

    def terms(self, config: Config, now: int) -> Terms:
        """Return by what the rows of a refresh at `now` (µs) are folded."""
        segments = tuple(each.segment for each in self.state.slices)
        return Terms(self.state.config, config.windows, self.fitted, now, segments, self.names)

    def shared_signals(self, executor: Executor) -> Shared[Signals]:
        """Return the fitted signals for tasks of the executor, shared when they are first needed."""
        if self.shared is None:
            self.shared = executor.share(self.fitted)
        return self.shared

    def would_be_stale(self, references: Mapping[str, Compiled], *, limits: Limits) -> bool:
        """Whether there are rows that were not compared with this reference and its slices."""
        state, before = self._compared_with(references, limits), self.state.reference
        read_otherwise = before and state.reference and state.predictions and before.kinds != state.reference.kinds
        has_rows = self.state.predictions or self.state.outcomes or self.state.joining.predictions
        segmented = [[each.segment.identity for each in of.slices] for of in (self.state, state)]
        others = bool(has_rows) and segmented[0] != segmented[1]
        return bool(read_otherwise) or others or is_stale(state, fitted_signals(state, limits), limits)

    def _compared_with(self, references: Mapping[str, Compiled], limits: Limits) -> ModelState:
        """Return the state with another reference, and with the segments that this one stands for."""
        meant = Segments.of(self.state.config, limits, references[ALL_ROWS].reference).kept
        return compared_with(replace(self.state, slices=tuple(map(Slice, meant))), references)

    def adopt_own(self, version: str, references: Mapping[str, Compiled], identity: str, *, limits: Limits) -> bool:
        """Compare a version with a reference of its own from now on, unless it has rows that were not; return whether.

        Shared signals are to be released before.
        """
        state = with_own(self.state, version, references)
        fitted = fitted_signals(state, limits)
        if is_stale(state, fitted, limits):
            return False
        self.fitted, self.shared = fitted, None
        self.state, self.own_identities[version] = with_current(with_signals(state, fitted)), identity
        return True

    def newest(self, limits: Limits, *, after: Totals | None = None) -> list[str]:
        """Return the versions that may have references of their own: with the newest predictions, after more rows.

        That are more than are published: versions that take turns are not to be read again at each turn.
        """
        return Totals.combine([self.state.totals, after or Totals()]).newest(LOOKED_AT * limits.max_versions)

    def drop_own(self, versions: Iterable[str], *, limits: Limits) -> None:
        """Forget the references of versions. Shared signals are to be released before."""
        gone = set(versions)
        own = {version: found for version, found in self.state.own.items() if version not in gone}
        state = replace(self.state, own=own)
        self.fitted, self.shared = fitted_signals(state, limits), None
        self.state = with_current(with_signals(state, self.fitted))
        for version in gone:
            self.own_identities.pop(version, None)
            self.ask_at.pop(version, None)

    def adopt(self, references: Mapping[str, Compiled], identity: str, *, limits: Limits) -> None:
        """Compare with another reference and its slices from now on. Shared signals are to be released before."""
        state = self._compared_with(references, limits)
        self.fitted, self.shared = fitted_signals(state, limits), None
        self.state = with_current(with_signals(state, self.fitted))
        self.reference_identity = identity

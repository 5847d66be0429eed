"""What some rows add to counters, to panes, and to the tables of predictions and labels that wait to be joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.columns import BoolArray, Columns, FloatArray, IntArray, TextArray
from driftgauge.config import ModelConfig, Window
from driftgauge.families import LABEL_DELAY_BUCKETS, LATENCY_BUCKETS
from driftgauge.segments import ALL_ROWS, Segment, listed, listed_members
from driftgauge.signals import Fitted, Rows, fold
from driftgauge.store.join import class_scores, staged_labels, staged_predictions
from driftgauge.windows import MICROSECONDS, PaneKey, Tiers, is_future

# Where rows were read: run id and experiment id.
Origin = tuple[str, str]
# By segment, and under `ALL_ROWS`: the fitted signals by name.
Signals = Mapping[str, Mapping[str, Fitted]]
# Distinct texts and, for each row (n,), the position of its text among them.
Coded = tuple[list[str], IntArray]

# A version has panes of its own; something that is new in every row is no version. Of one chunk of a file the most
# frequent versions count, of a model those with the newest predictions.
VERSION_LIMIT: Final = 100


@dataclass(frozen=True, eq=False)
class Terms:
    """By what rows are folded: the fitted signals of all rows and of each of the `segments`, and `now` in µs."""

    model: ModelConfig
    windows: Sequence[Window]
    fitted: Signals
    now: int
    segments: tuple[Segment, ...] = ()

    @cached_property
    def tiers(self) -> Tiers:
        """The panes of these windows."""
        return Tiers.of(self.windows)

    def members(self, rows: Columns) -> list[BoolArray]:
        """Return for each segment which rows (n,) are in it."""
        return [segment.members(rows) for segment in self.segments]

    @property
    def by_label_time(self) -> bool:
        """Whether outcomes count when their label came, rather than when the prediction was made."""
        return self.model.labels is None or self.model.labels.window_by == "label_time"


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """Additions, and the tables of keyed predictions and labels still to be joined."""

    totals: Totals = field(default_factory=Totals)
    predictions: Mapping[PaneKey, Pane] = field(default_factory=dict)
    outcomes: Mapping[PaneKey, Pane] = field(default_factory=dict)
    waiting: tuple[pa.Table, ...] = ()
    labels: tuple[pa.Table, ...] = ()
    rows_read: int = 0

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add deltas; tables keep the order of the parts."""
        return cls(
            totals=Totals.combine([part.totals for part in parts]),
            predictions=merged([part.predictions for part in parts]),
            outcomes=merged([part.outcomes for part in parts]),
            waiting=tuple(table for part in parts for table in part.waiting),
            labels=tuple(table for part in parts for table in part.labels),
            rows_read=sum(part.rows_read for part in parts),
        )


def merged(parts: Sequence[Mapping[PaneKey, Pane]]) -> dict[PaneKey, Pane]:
    """Combine panes key by key."""
    found: dict[PaneKey, list[Pane]] = {}
    for part in parts:
        for key, pane in part.items():
            found.setdefault(key, []).append(pane)
    return {key: Pane.combine(panes) for key, panes in found.items()}


def fold_predictions(rows: Columns, terms: Terms, *, origin: Origin) -> Delta:
    """Fold prediction rows that were read from `origin`."""
    return fold_together([(rows, origin)], terms)


def fold_together(files: Sequence[tuple[Columns, Origin]], terms: Terms) -> Delta:
    """Fold prediction rows of at least one file, of the same columns and each with its origin.

    All are counted in one pass, which for files of few rows is several times cheaper than `fold_predictions` of each.
    """
    usable = [_usable(rows, terms) for rows, _ in files]
    rows = Columns.concat([kept for kept, _, _ in usable])
    versions = usable[0][1] if len(usable) == 1 else coded(rows.version)
    origins = [(len(kept), origin) for (kept, _, _), (_, origin) in zip(usable, files, strict=True)]
    members = terms.members(rows)
    counted = Delta(
        totals=Totals(versions=_version_totals(rows, versions, origins)),
        predictions=_panes(rows, rows.time, terms, members, of="predictions", versions=versions),
        rows_read=sum(read.rows_read for read, _ in files),
    )
    rejected = [Delta(totals=Totals(rejected=reasons)) for _, _, reasons in usable if reasons]
    return Delta.combine([counted, *rejected, _labelled(rows, terms, members)])


def _labelled(rows: Columns, terms: Terms, members: Sequence[BoolArray]) -> Delta:
    """Fold the labels that came with predictions, and stage what waits to be joined; members: (n,) by segment."""
    labelled = pc.is_valid(rows.label).to_numpy(zero_copy_only=False)
    joined = np.zeros(len(rows), np.bool_)
    if terms.model.labels:
        joined = pc.is_valid(rows.key).to_numpy(zero_copy_only=False)
    if not (labelled.any() or joined.any()):
        return Delta()
    is_direct, is_waiting = labelled & ~joined, joined & ~rows.failed
    direct, waiting = rows.take(is_direct), rows.take(is_waiting)
    lists = listed(terms.segments, [mask[is_waiting] for mask in members], rows=len(waiting))
    with_label = rows.take(joined & ~rows.failed & labelled)
    last_label = int(rows.time[labelled].max()) if labelled.any() else None
    versions = {name: VersionTotals(labels=len(at)) for name, at in _by_version(coded(direct.version))}
    return Delta(
        totals=Totals(versions=versions, last_label=last_label),
        outcomes=_panes(direct, direct.time, terms, [mask[is_direct] for mask in members], of="labelled"),
        waiting=(staged_predictions(waiting, lists),) if len(waiting) else (),
        labels=(staged_labels(with_label.key, with_label.time, with_label.label),) if len(with_label) else (),
    )


def fold_labels(rows: Columns, terms: Terms) -> Delta:
    """Take label rows to be joined."""
    kept, _, rejected = _usable(rows, terms)
    last = int(kept.time.max()) if len(kept) else None
    return Delta(
        totals=Totals(rejected=rejected, last_label=last),
        labels=(staged_labels(kept.key, kept.time, kept.label),) if len(kept) else (),
        rows_read=rows.rows_read,
    )


def fold_joined(fresh: pa.Table, terms: Terms) -> Delta:
    """Fold predictions that got their first label (rows as `store.join` returns them)."""
    if not len(fresh):
        return Delta()
    rows, label_time, members = _as_columns(fresh, terms)
    delays = (label_time - rows.time) / MICROSECONDS
    versions = {}
    for version, at in _by_version(coded(rows.version)):
        delay = Buckets.fold(np.maximum(delays[at], 0.0), LABEL_DELAY_BUCKETS)
        versions[version] = VersionTotals(labels=len(at), label_delay=delay)
    return Delta(totals=Totals(versions=versions), outcomes=_joined_panes(rows, label_time, terms, members))


def refold(labelled: pa.Table, terms: Terms) -> dict[PaneKey, Pane]:
    """Fold labelled predictions that were counted before, to replace their panes."""
    if not len(labelled):
        return {}
    rows, label_time, members = _as_columns(labelled, terms)
    return _joined_panes(rows, label_time, terms, members)


def _joined_panes(
    rows: Columns, label_time: IntArray, terms: Terms, members: Sequence[BoolArray]
) -> dict[PaneKey, Pane]:
    """Fold predictions with labels from files of their own, whose times are (n,), into panes that can be rebuilt."""
    panes = _panes(rows, label_time if terms.by_label_time else rows.time, terms, members, of="labelled")
    return {replace(key, rebuilt=True): pane for key, pane in panes.items()}


def _panes(
    rows: Columns,
    time: IntArray,
    terms: Terms,
    members: Sequence[BoolArray],
    *,
    of: Rows,
    versions: Coded | None = None,
) -> dict[PaneKey, Pane]:
    """Fold all rows, and those of each segment, into the panes of the times (n,) at which they count.

    members: (n,) by segment. versions: those of the rows, if they are known.
    """
    groups = dict(terms.tiers.groups(*(versions or coded(rows.version)), time, terms.now))
    found = dict(zip(groups, fold(rows, list(groups.values()), terms.fitted[ALL_ROWS], of), strict=True))
    for segment, chosen in zip(terms.segments, members, strict=True):
        within = {key: some for key, at in groups.items() if len(some := at[chosen[at]])}
        panes = fold(rows, list(within.values()), terms.fitted[segment.name], of)
        found |= {replace(key, segment=segment.name): pane for key, pane in zip(within, panes, strict=True)}
    return found


def _version_totals(rows: Columns, versions: Coded, origins: Sequence[tuple[int, Origin]]) -> dict[str, VersionTotals]:
    """Count the rows of each version; origins: where runs of consecutive rows were read, with their lengths."""
    file = np.repeat(np.arange(len(origins)), [count for count, _ in origins])
    found = {}
    for version, at in _by_version(versions):
        time = rows.time[at]
        last = time.max()
        found[version] = VersionTotals(
            predictions=len(at),
            failed=int(rows.failed[at].sum()),
            latency=Buckets.fold(rows.latency[at], LATENCY_BUCKETS),
            last_prediction=int(last),
            origin=max(origins[n][1] for n in set(file[at[time == last]].tolist())),
        )
    return found


def _by_version(versions: Coded) -> list[tuple[str, IntArray]]:
    names, codes = versions
    if len(names) == 1:
        return [(names[0], np.arange(len(codes)))]
    return [(name, np.flatnonzero(codes == code)) for code, name in enumerate(names)]


def coded(text: TextArray) -> Coded:
    """Return the distinct texts and, for each row (n,), the position of its text among them."""
    flat = _flat(text)
    # Mostly they are all the same, which takes a fifth of the time to see.
    if len(flat) and not flat.null_count and pc.all(pc.equal(flat, flat[0])).as_py():
        return [flat[0].as_py()], np.zeros(len(flat), np.int64)
    encoded = flat.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _usable(rows: Columns, terms: Terms) -> tuple[Columns, Coded, dict[str, int]]:
    """Return the rows that count, their versions, and how many of the file were rejected by reason."""
    rejected = dict(rows.rejected)
    future = is_future(rows.time, terms.now)
    if future.any():
        rejected["future_timestamp"] = int(future.sum())
        rows = rows.take(~future)
    versions = coded(rows.version)
    names, codes = versions
    if len(names) > VERSION_LIMIT:
        counts = np.bincount(codes)
        ranked = sorted(range(len(names)), key=lambda code: (-counts[code], names[code]))
        kept = np.isin(codes, ranked[:VERSION_LIMIT])
        rejected["too_many_versions"] = int(np.count_nonzero(~kept))
        rows = rows.take(kept)
        versions = coded(rows.version)
    return rows, versions, rejected


def _as_columns(table: pa.Table, terms: Terms) -> tuple[Columns, IntArray, list[BoolArray]]:
    """Return joined rows as `Columns`, with the times (n,) of their labels and, by segment, which rows are in it."""
    table = table.combine_chunks()
    names = table["classes"].to_pylist()
    rows = Columns(
        time=table["time"].to_numpy(),
        version=_flat(table["version"]),
        key=pa.nulls(len(table), pa.string()),
        predicted=_flat(table["predicted"]),
        label=_flat(table["label"]),
        score=_flat(table["score"]).to_numpy(zero_copy_only=False).astype(np.float64),
        latency=np.full(len(table), np.nan),
        failed=np.zeros(len(table), np.bool_),
        class_scores=_stored_scores(names, table["class_scores"].to_pylist()),
    )
    return rows, table["label_time"].to_numpy(), listed_members(terms.segments, _flat(table["segments"]))


def _flat(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _stored_scores(classes: Sequence[str], scores: Sequence[Sequence[float] | None]) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    for row, (names, values) in enumerate(zip(classes, scores, strict=True)):
        for name, value in zip(class_scores(names), values or (), strict=True):
            column = found.setdefault(name, np.full(len(classes), np.nan))
            column[row] = np.nan if value is None else value
    return found

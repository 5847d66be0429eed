"""What some rows add: to counters, to panes, and to the tables where predictions and labels wait for each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import PredictionPane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.columns import Columns, FloatArray, IntArray, TextArray
from driftgauge.config import ModelConfig, Window
from driftgauge.families import LABEL_DELAY_BUCKETS, LATENCY_BUCKETS
from driftgauge.grid import Layout
from driftgauge.store.join import class_scores, staged_labels, staged_predictions
from driftgauge.windows import MICROSECONDS, PaneKey, Tiers, is_future

A = TypeVar("A")

# Distinct texts and, for each row (n,), the position of its text among them.
Coded = tuple[list[str], IntArray]

# A version has panes of its own; something that is new in every row is no version. Of one chunk of a file the most
# frequent versions count, of a model those with the newest predictions.
VERSION_LIMIT: Final = 100


@dataclass(frozen=True, eq=False)
class Terms:
    """By what rows are folded. `now` in µs; `layout` is None while the model has no reference."""

    model: ModelConfig
    windows: Sequence[Window]
    layout: Layout | None
    category_limit: int
    now: int

    @cached_property
    def tiers(self) -> Tiers:
        """The panes of these windows."""
        return Tiers.of(self.windows)

    @property
    def by_label_time(self) -> bool:
        """Whether outcomes count when their label came, rather than when the prediction was made."""
        return self.model.labels is None or self.model.labels.window_by == "label_time"


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """Additions, and the tables of keyed predictions and labels still to be joined."""

    totals: Totals = field(default_factory=Totals)
    predictions: Mapping[PaneKey, PredictionPane] = field(default_factory=dict)
    outcomes: Mapping[PaneKey, Outcomes] = field(default_factory=dict)
    waiting: tuple[pa.Table, ...] = ()
    labels: tuple[pa.Table, ...] = ()
    rows_read: int = 0

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add deltas; tables keep the order of the parts."""
        return cls(
            totals=Totals.combine([part.totals for part in parts]),
            predictions=merged([part.predictions for part in parts], PredictionPane),
            outcomes=merged([part.outcomes for part in parts], Outcomes),
            waiting=tuple(table for part in parts for table in part.waiting),
            labels=tuple(table for part in parts for table in part.labels),
            rows_read=sum(part.rows_read for part in parts),
        )


def merged(parts: Sequence[Mapping[PaneKey, A]], aggregate: Any) -> dict[PaneKey, A]:
    """Combine panes key by key; `aggregate` is their class."""
    found: dict[PaneKey, list[A]] = {}
    for part in parts:
        for key, pane in part.items():
            found.setdefault(key, []).append(pane)
    return {key: panes[0] if len(panes) == 1 else aggregate.combine(panes) for key, panes in found.items()}


def fold_predictions(rows: Columns, terms: Terms, *, origin: tuple[str, str]) -> Delta:
    """Fold prediction rows that were read from the run and experiment `origin`."""
    kept, versions, rejected = _usable(rows, terms)
    labelled = pc.is_valid(kept.label).to_numpy(zero_copy_only=False)
    keyed = pc.is_valid(kept.key).to_numpy(zero_copy_only=False)
    joined = keyed if terms.model.labels else np.zeros(len(kept), np.bool_)
    direct = kept.take(labelled & ~joined)
    waiting = kept.take(joined & ~kept.failed)
    with_label = kept.take(joined & ~kept.failed & labelled)
    last_label = int(kept.time[labelled].max()) if labelled.any() else None
    totals = [
        Totals(versions=_version_totals(kept, versions, origin), rejected=rejected, last_label=last_label),
        Totals(versions={name: VersionTotals(labels=len(at)) for name, at in _by_version(coded(direct.version))}),
    ]
    return Delta(
        totals=Totals.combine(totals),
        predictions=_prediction_panes(kept, versions, terms),
        outcomes=outcome_panes(direct, direct.time, terms, rebuilt=False),
        waiting=(staged_predictions(waiting),) if len(waiting) else (),
        labels=(staged_labels(with_label.key, with_label.time, with_label.label),) if len(with_label) else (),
        rows_read=rows.rows_read,
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
    rows, label_time = _as_columns(fresh)
    delays = (label_time - rows.time) / MICROSECONDS
    versions = {}
    for version, at in _by_version(coded(rows.version)):
        delay = Buckets.fold(np.maximum(delays[at], 0.0), LABEL_DELAY_BUCKETS)
        versions[version] = VersionTotals(labels=len(at), label_delay=delay)
    counted = label_time if terms.by_label_time else rows.time
    return Delta(totals=Totals(versions=versions), outcomes=outcome_panes(rows, counted, terms, rebuilt=True))


def refold(labelled: pa.Table, terms: Terms) -> dict[PaneKey, Outcomes]:
    """Fold labelled predictions that were counted before, to replace their panes."""
    if not len(labelled):
        return {}
    rows, label_time = _as_columns(labelled)
    return outcome_panes(rows, label_time if terms.by_label_time else rows.time, terms, rebuilt=True)


def outcome_panes(rows: Columns, time: IntArray, terms: Terms, *, rebuilt: bool) -> dict[PaneKey, Outcomes]:
    """Fold labelled rows into the panes of the times (n,) at which they count."""
    panes = {}
    for key, at in terms.tiers.groups(*coded(rows.version), time, terms.now):
        part = rows.take(at)
        panes[replace(key, rebuilt=rebuilt)] = Outcomes.fold(
            label=part.label, predicted=part.predicted, score=part.score, class_scores=part.class_scores
        )
    return panes


def _prediction_panes(rows: Columns, versions: Coded, terms: Terms) -> dict[PaneKey, PredictionPane]:
    groups = dict(terms.tiers.groups(*versions, rows.time, terms.now))
    at = list(groups.values())
    panes = PredictionPane.fold_groups(rows, at, terms.layout, category_limit=terms.category_limit)
    return dict(zip(groups, panes, strict=True))


def _version_totals(rows: Columns, versions: Coded, origin: tuple[str, str]) -> dict[str, VersionTotals]:
    return {
        version: VersionTotals(
            predictions=len(at),
            failed=int(rows.failed[at].sum()),
            latency=Buckets.fold(rows.latency[at], LATENCY_BUCKETS),
            last_prediction=int(rows.time[at].max()),
            origin=origin,
        )
        for version, at in _by_version(versions)
    }


def _by_version(versions: Coded) -> list[tuple[str, IntArray]]:
    names, codes = versions
    if len(names) == 1:
        return [(names[0], np.arange(len(codes)))]
    return [(name, np.flatnonzero(codes == code)) for code, name in enumerate(names)]


def coded(text: TextArray) -> Coded:
    """Return the distinct texts and, for each row (n,), the position of its text among them."""
    encoded = _flat(text).dictionary_encode()
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


def _as_columns(table: pa.Table) -> tuple[Columns, IntArray]:
    """Return joined rows as `Columns`, with the times (n,) of their labels."""
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
    return rows, table["label_time"].to_numpy()


def _flat(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _stored_scores(classes: Sequence[str], scores: Sequence[Sequence[float] | None]) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    for row, (names, values) in enumerate(zip(classes, scores, strict=True)):
        for name, value in zip(class_scores(names), values or (), strict=True):
            column = found.setdefault(name, np.full(len(classes), np.nan))
            column[row] = np.nan if value is None else value
    return found

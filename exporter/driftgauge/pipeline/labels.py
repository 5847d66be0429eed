"""Labels, from wherever they come: with their predictions, or in files of their own to be joined in the store."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.columns import BoolArray, Codes, Columns, FloatArray, IntArray
from driftgauge.estimate.coding import nothing_kept
from driftgauge.families import LABEL_DELAY_BUCKETS
from driftgauge.pipeline.delta import Delta, Terms
from driftgauge.pipeline.panes import Usable, by_version, coded, one_array, panes_of, usable
from driftgauge.pipeline.shares import Share
from driftgauge.segments import listed, listed_members
from driftgauge.staging import class_scores, staged_labels, staged_predictions
from driftgauge.windows import MICROSECONDS, PaneKey

# Of such rows not even the key is known.
_UNREADABLE: Final = ("invalid_json", "not_an_object", "invalid_row")


def fold_labelled(
    rows: Columns, terms: Terms, members: Sequence[BoolArray], *, gaps: Sequence[Columns] = (), torn: Sequence[int] = ()
) -> Delta:
    """Fold the labels that came with predictions, and stage what waits to be joined; members: (n,) by segment.

    gaps: rejected rows. torn: files with rows whose key is not known.
    """
    labelled, joined = pc.is_valid(rows.label).to_numpy(zero_copy_only=False), _is_joined(rows, terms)
    if not (labelled.any() or joined.any() or gaps or torn):
        return Delta()
    counts_now, is_waiting = labelled & ~joined, joined & ~rows.failed
    unanswered = [*gaps, rows.take(joined & rows.failed)]
    direct, waiting = rows.take(counts_now), rows.take(is_waiting)
    lists = listed(terms.segments, [mask[is_waiting] for mask in members], rows=len(waiting))
    with_label = rows.take(joined & ~rows.failed & labelled)
    last_label = int(rows.time[labelled].max()) if labelled.any() else None
    versions = {name: VersionTotals(labels=len(at)) for name, at in by_version(coded(direct.version))}
    return Delta(
        totals=Totals(last_label=last_label),
        answers=Totals(versions=versions),
        outcomes=panes_of(direct, direct.time, terms, [mask[counts_now] for mask in members], of="labelled"),
        waiting=(
            *((staged_predictions(waiting, lists, _kept(waiting, terms)),) if len(waiting) else ()),
            *(staged_predictions(some, gaps=True) for some in unanswered if len(some)),
        ),
        labels=(staged_labels(with_label, own=True),) if len(with_label) else (),
        torn=tuple(torn),
    )


def _kept(rows: Columns, terms: Terms) -> Codes | None:
    """Return what is kept of the features of rows that wait for labels, each as its version's reference codes it."""
    versions = [(terms.coding(version), at) for version, at in by_version(coded(rows.version))]
    if not any(coding for coding, _ in versions):
        return None
    parts = [
        (coding.kept(rows if len(versions) == 1 else rows.take(at)) if coding else nothing_kept(len(at)))
        for coding, at in versions
    ]
    order = np.argsort(np.concatenate([at for _, at in versions]), kind="stable")
    found = Codes.concat(parts)
    return found if len(parts) == 1 else Codes(found.coding.take(order), found.values.take(order))


def is_direct(rows: Columns, terms: Terms) -> BoolArray:
    """Return which rows (n,) have a label that counts as it came, without a join."""
    labelled: BoolArray = pc.is_valid(rows.label).to_numpy(zero_copy_only=False)
    return labelled & ~_is_joined(rows, terms)


def _is_joined(rows: Columns, terms: Terms) -> BoolArray:
    """Return which rows (n,) meet their label in the store."""
    if not terms.model.labels:
        return np.zeros(len(rows), np.bool_)
    keyed: BoolArray = pc.is_valid(rows.key).to_numpy(zero_copy_only=False)
    return keyed


def torn_file(usable: Usable) -> tuple[int, ...]:
    """Return the file of some rows if others of it could not be read, so that the order of these says nothing."""
    places = [part.where for part in (usable.rows, usable.rows.gaps) if part and part.where and len(part)]
    unreadable = any(reason in usable.rejected for reason in _UNREADABLE)
    return (int(places[0].file[0]),) if places and unreadable else ()


def fold_labels(rows: Columns, terms: Terms) -> Delta:
    """Take label rows to be joined."""
    return fold_share(Share(usable(rows, terms)))


def fold_share(share: Share) -> Delta:
    """Take the usable rows of a label file to be joined."""
    kept = share.usable.rows
    last = int(kept.time.max()) if len(kept) else None
    return Delta(
        totals=Totals(rejected=share.rejected, last_label=last),
        labels=(
            *((staged_labels(kept),) if len(kept) else ()),
            *((staged_labels(kept.gaps, gaps=True),) if kept.gaps else ()),
        ),
        torn=torn_file(share.usable),
        rows_read=share.usable.rows_read,
        repeated=share.repeated,
    )


def fold_joined(fresh: pa.Table, terms: Terms) -> Delta:
    """Fold predictions that got their first label (rows as `store.join` returns them)."""
    if not len(fresh):
        return Delta()
    rows, label_time, members = _as_columns(fresh, terms)
    delays = (label_time - rows.time) / MICROSECONDS
    versions = {}
    for version, at in by_version(coded(rows.version)):
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
    panes = panes_of(rows, label_time if terms.by_label_time else rows.time, terms, members, of="labelled")
    return {replace(key, rebuilt=True): pane for key, pane in panes.items()}


def _as_columns(table: pa.Table, terms: Terms) -> tuple[Columns, IntArray, list[BoolArray]]:
    """Return joined rows as `Columns`, with the times (n,) of their labels and, by segment, which rows are in it."""
    table = table.combine_chunks()
    names = table["classes"].to_pylist()
    rows = Columns(
        time=table["time"].to_numpy(),
        version=one_array(table["version"]),
        key=pa.nulls(len(table), pa.string()),
        predicted=one_array(table["predicted"]),
        label=one_array(table["label"]),
        score=one_array(table["score"]).to_numpy(zero_copy_only=False).astype(np.float64),
        latency=np.full(len(table), np.nan),
        failed=np.zeros(len(table), np.bool_),
        class_scores=_stored_scores(names, table["class_scores"].to_pylist()),
        codes=Codes(one_array(table["coding"]), one_array(table["codes"])),
    )
    return rows, table["label_time"].to_numpy(), listed_members(terms.segments, one_array(table["segments"]))


def _stored_scores(classes: Sequence[str], scores: Sequence[Sequence[float] | None]) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    for row, (names, values) in enumerate(zip(classes, scores, strict=True)):
        for name, value in zip(class_scores(names), values or (), strict=True):
            column = found.setdefault(name, np.full(len(classes), np.nan))
            column[row] = np.nan if value is None else value
    return found

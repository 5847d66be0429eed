"""A step of a refresh made durable: rows, join, panes, counters and cursor in one transaction, or none of them.

The state in memory is replaced only after the transaction has ended well, so that it never runs ahead of the file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

import pyarrow as pa

from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import PredictionPane
from driftgauge.aggregates.totals import Totals
from driftgauge.pipeline.delta import VERSION_LIMIT, Delta, Terms, as_text, fold_joined, merged, refold
from driftgauge.snapshot import ModelState
from driftgauge.store import FileRecord, Joined, Store, Transaction
from driftgauge.store.join import expire, join, labelled_between, last_expiry, pending
from driftgauge.store.ledger import write_files
from driftgauge.store.panes import (
    delete_before,
    delete_joined_outcomes,
    delete_versions,
    write_outcomes,
    write_predictions,
    write_totals,
)
from driftgauge.windows import MICROSECONDS, PaneKey, expired, first_second, groups, pane_length

_EXPIRY_INTERVAL: Final = 3600 * MICROSECONDS

P = TypeVar("P")
# Version, window and start of the panes that differ only in when they become visible.
Place = tuple[str, str, int]


def commit(
    store: Store, state: ModelState, delta: Delta, *, records: Iterable[FileRecord], terms: Terms
) -> tuple[ModelState, int]:
    """Add a delta and the cursor that goes with it; return the new state and how many predictions wait for labels."""
    with store.transaction(state.config.name, state.config.task) as tx:
        joined = _join(tx, delta, terms)
        addition = fold_joined(joined.fresh, terms) if joined else Delta()
        late = Totals(rejected={"label_after_horizon": joined.late} if joined and joined.late else {})
        totals = Totals.combine([state.totals, delta.totals, addition.totals, late])
        recounted, places = _recounted(tx, joined, terms)
        # A recounted pane was read back after the join, so it has what this step adds to it already.
        added = _outside(places, merged([delta.outcomes, addition.outcomes], Outcomes))
        kept = _outside(places, state.outcomes)
        outcomes = merged([_only(kept, added), added], Outcomes) | recounted
        predictions = merged([_only(state.predictions, delta.predictions), delta.predictions], PredictionPane)
        write_predictions(tx, predictions)
        delete_joined_outcomes(tx, places)
        write_outcomes(tx, outcomes)
        write_totals(tx, totals)
        write_files(tx, records)
        waiting = pending(tx)
    state = replace(
        state,
        totals=totals,
        predictions={**state.predictions, **predictions},
        outcomes={**kept, **outcomes},
    )
    return state, waiting


def forget(store: Store, state: ModelState, terms: Terms) -> tuple[ModelState, int]:
    """Drop panes that no window can count again, versions beyond the limit and, once an hour, rows past their horizon.

    Returns the new state and how many predictions wait for labels.
    """
    old = {window.name: window for window in terms.windows}
    versions = state.totals.newest(VERSION_LIMIT)
    gone = state.totals.versions.keys() - set(versions)
    totals = replace(state.totals, versions={name: state.totals.versions[name] for name in versions})

    def lasts(key: PaneKey) -> bool:
        return key.version in versions and not expired(old[key.window], key, terms.now)

    predictions = {key: pane for key, pane in state.predictions.items() if lasts(key)}
    outcomes = {key: pane for key, pane in state.outcomes.items() if lasts(key)}
    with store.transaction(state.config.name, state.config.task) as tx:
        if len(predictions) < len(state.predictions) or len(outcomes) < len(state.outcomes):
            for window in terms.windows:
                delete_before(tx, window.name, first_second(window, terms.now))
        if gone:
            delete_versions(tx, gone)
            write_totals(tx, totals)
        labels = state.config.labels
        if labels and terms.now - last_expiry(tx) >= _EXPIRY_INTERVAL:
            orphans = expire(
                tx,
                now=terms.now,
                horizon=int(labels.horizon * MICROSECONDS),
                keep=max(window.seconds + pane_length(window) for window in terms.windows) * MICROSECONDS,
                by_label_time=terms.by_label_time,
            )
            if orphans:
                totals = Totals.combine([totals, Totals(rejected={"label_without_prediction": orphans})])
                write_totals(tx, totals)
        waiting = pending(tx)
    return replace(state, predictions=predictions, outcomes=outcomes, totals=totals), waiting


def _join(tx: Transaction, delta: Delta, terms: Terms) -> Joined | None:
    labels = terms.model.labels
    if labels is None or not (delta.waiting or delta.labels):
        return None
    return join(tx, delta.waiting, delta.labels, horizon=int(labels.horizon * MICROSECONDS))


def _recounted(tx: Transaction, joined: Joined | None, terms: Terms) -> tuple[dict[PaneKey, Outcomes], set[Place]]:
    """Count the panes that corrected labels leave or enter again, from the stored rows; return them and where."""
    labels = terms.model.labels
    if labels is None or joined is None or not len(joined.corrected):
        return {}, set()
    places = _touched(joined.corrected, terms)
    panes: dict[PaneKey, Outcomes] = {}
    for window in terms.windows:
        for version, _, start in sorted(place for place in places if place[1] == window.name):
            rows = labelled_between(
                tx,
                version=version,
                start=start * MICROSECONDS,
                end=(start + pane_length(window)) * MICROSECONDS,
                by_label_time=terms.by_label_time,
                horizon=int(labels.horizon * MICROSECONDS),
            )
            panes |= refold(rows, replace(terms, windows=[window]))
    return panes, places


def _touched(corrected: pa.Table, terms: Terms) -> set[Place]:
    names = ("old_time", "new_time") if terms.by_label_time else ("time",)
    version = as_text(corrected["version"])
    return {
        _place(key)
        for name in names
        for window in terms.windows
        for key, _ in groups(version, corrected[name].to_numpy(), window, terms.now)
    }


def _place(key: PaneKey) -> Place:
    return key.version, key.window, key.start


def _outside(places: set[Place], panes: Mapping[PaneKey, Outcomes]) -> dict[PaneKey, Outcomes]:
    return {key: pane for key, pane in panes.items() if not (key.rebuilt and _place(key) in places)}


def _only(panes: Mapping[PaneKey, P], keys: Iterable[PaneKey]) -> dict[PaneKey, P]:
    return {key: panes[key] for key in keys if key in panes}

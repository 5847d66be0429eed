"""A step of a refresh made durable: rows, join, panes, counters and cursor in one transaction, or none of them.

The state in memory is replaced only after the transaction has ended well, so that it never runs ahead of the file.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals
from driftgauge.columns import Note
from driftgauge.pipeline.betting import bet_on
from driftgauge.pipeline.delta import Delta, Terms, merged
from driftgauge.pipeline.labels import fold_joined
from driftgauge.pipeline.pace import USUAL
from driftgauge.pipeline.panes import VERSION_LIMIT
from driftgauge.pipeline.recount import NOTHING, recount
from driftgauge.pipeline.unjoined import unjoined
from driftgauge.snapshot import Grown, ModelState
from driftgauge.store import FileRecord, Joined, Store, Transaction
from driftgauge.store.evidence import write_evidence
from driftgauge.store.expiry import expire, last_expiry
from driftgauge.store.join import join, kept
from driftgauge.store.ledger import write_files
from driftgauge.store.panes import (
    delete_panes,
    delete_versions,
    packed_ahead,
    write_panes,
    write_totals,
)
from driftgauge.store.readings import write_apart
from driftgauge.windows import MICROSECONDS, PaneKey

_EXPIRY_INTERVAL: Final = 3600 * MICROSECONDS
# What a step of more cells adds is not kept until the next snapshot, which adds up its panes again.
_MANY_CELLS: Final = 500_000
# Joined two at a time, parts are written more often; small ones that are left apart take little memory.
_PARTS_JOINED: Final = 8

# Writes what belongs to the state of a model, of which the notes are to be said, and returns the state after that.
Finish = Callable[[Transaction, ModelState, Sequence[Note]], ModelState]


def commit(
    store: Store,
    state: ModelState,
    delta: Delta,
    *,
    records: Sequence[FileRecord],
    known: Container[tuple[str, str]],
    terms: Terms,
    finish: Finish | None = None,
    few_cells: int = USUAL.few_cells,
) -> tuple[ModelState, tuple[Note, ...]]:
    """Add a delta and the cursor that goes with it; return the new state and what is to be said of labels.

    known: the files, by (source, path), of which there are records already. finish: what else is to be
    written with it. few_cells: see `Pace`.
    """
    # Only one transaction runs at a time, so this is done before it begins.
    predictions, joined_parts, sums_of = _in_parts(state.predictions, delta.predictions, few_cells)
    ahead = packed_ahead(predictions)
    with store.transaction(state.config.name, state.config.task, again=state.apart is not None) as tx:
        joined = _join(tx, delta, terms)
        addition = fold_joined(joined.fresh, terms) if joined else Delta()
        state = _counted(state, delta.totals, [delta.answers, addition.totals, _rejected(joined)])
        recounted = recount(tx, joined.corrected, state.outcomes, terms) if joined else NOTHING
        # A recounted pane was read back after the join, so it has what this step adds to it already.
        added = recounted.outside(merged([delta.outcomes, addition.outcomes]))
        outcomes = {**merged([_only(state.outcomes, added), added]), **recounted.panes}
        delete_panes(tx, "predictions", joined_parts)
        # All that were there before and are to be replaced are among them.
        write_panes(tx, "predictions", predictions, known=(), ahead=ahead)
        delete_panes(tx, "outcomes", recounted.replaced - outcomes.keys())
        write_panes(tx, "outcomes", outcomes, known=state.outcomes)
        _write_counters(tx, state)
        state = _bet(tx, state, delta, addition)
        write_files(tx, records, known=known)
        state = replace(
            state,
            predictions={**_without(state.predictions, joined_parts), **predictions},
            outcomes={**_without(state.outcomes, recounted.replaced), **outcomes},
            grown=_grown(state, delta, predictions, sums_of),
        )
        state, notes = _after_join(tx, state, joined)
        return finish(tx, state, notes) if finish else state, notes


def _counted(state: ModelState, rows: Totals, labels: Sequence[Totals]) -> ModelState:
    """Add to the counters; those of labels, whose rows are not known, are kept apart until a reading is served."""
    if state.apart is None:
        return replace(state, totals=Totals.combine([state.totals, rows, *labels]))
    return replace(state, totals=Totals.combine([state.totals, rows]), apart=Totals.combine([state.apart, *labels]))


def _bet(tx: Transaction, state: ModelState, delta: Delta, addition: Delta) -> ModelState:
    """Return the state with the evidence of what a step adds, which is written; addition: what its join has."""
    evidence = bet_on(state, delta, addition.outcomes)
    write_evidence(tx, evidence)
    return replace(state, evidence={**state.evidence, **evidence})


def _rejected(joined: Joined | None) -> Totals:
    return Totals(rejected=joined.rejected if joined else {})


def _write_counters(tx: Transaction, state: ModelState) -> None:
    write_totals(tx, state.totals)
    if state.apart is not None:
        write_apart(tx, state.apart)


def _grown(
    state: ModelState,
    delta: Delta,
    panes: Mapping[PaneKey, Pane],
    sums_of: Mapping[PaneKey, Sequence[Pane]],
) -> tuple[Grown, ...]:
    """Return of what the panes are the sums that this step has joined, unless that is not worth the memory.

    So it is in a large step, and in the second one of a refresh, as when there is much to catch up with.
    """
    if state.grown or sum(pane.size for pane in delta.predictions.values()) > _MANY_CELLS:
        return ()
    return tuple(Grown(panes[key], tuple(parts)) for key, parts in sums_of.items())


def is_anything_old(state: ModelState, terms: Terms) -> bool:
    """Return whether `forget` may find something: of a model with labels, only the store knows what is old."""
    panes = (*state.predictions, *state.outcomes)
    return (
        state.config.labels is not None
        or len(state.totals.versions) > VERSION_LIMIT
        or bool(terms.tiers.outgrown(panes, terms.now))
    )


def forget(tx: Transaction, state: ModelState, terms: Terms) -> ModelState:
    """Join panes that no window needs separately any more, and drop those that are too old.

    Too old are panes that no window can count again, versions beyond the limit and, looked for once an hour, rows past
    their horizon. Returns the new state.
    """
    versions = state.totals.newest(VERSION_LIMIT)
    gone = state.totals.versions.keys() - set(versions)
    if gone:
        state = replace(
            state,
            totals=replace(state.totals, versions={name: state.totals.versions[name] for name in versions}),
            predictions=_of(versions, state.predictions),
            outcomes=_of(versions, state.outcomes),
            evidence={name: found for name, found in state.evidence.items() if name in versions},
        )
    predictions, left_predictions = _joined_up(state.predictions, terms)
    outcomes, left_outcomes = _joined_up(state.outcomes, terms)
    delete_panes(tx, "predictions", left_predictions)
    delete_panes(tx, "outcomes", left_outcomes)
    write_panes(tx, "predictions", predictions, known=state.predictions)
    write_panes(tx, "outcomes", outcomes, known=state.outcomes)
    if gone:
        delete_versions(tx, gone)
        write_totals(tx, state.totals)
    labels = state.config.labels
    if labels and terms.now - last_expiry(tx) >= _EXPIRY_INTERVAL:
        orphans = expire(
            tx,
            now=terms.now,
            horizon=int(labels.horizon * MICROSECONDS),
            keep=terms.tiers.longest * MICROSECONDS,
            by_label_time=terms.by_label_time,
            tolerance=int(labels.tolerance * MICROSECONDS),
        )
        if orphans:
            state = _counted(state, Totals(), [Totals(rejected={"label_without_prediction": orphans})])
            _write_counters(tx, state)
        state = replace(state, joining=kept(tx))
    return replace(
        state,
        predictions={**_without(state.predictions, left_predictions), **predictions},
        outcomes={**_without(state.outcomes, left_outcomes), **outcomes},
    )


def _in_parts(
    panes: Mapping[PaneKey, Pane], added: Mapping[PaneKey, Pane], few_cells: int
) -> tuple[dict[PaneKey, Pane], set[PaneKey], dict[PaneKey, list[Pane]]]:
    """Add each pane as the newest part of one there is.

    Older parts are joined to it as long as they are at most twice as large, small ones once there are `_PARTS_JOINED`.
    So each part but the newest few is less than half of the one before, there are few of them, and what is written
    follows the rows that are new. Returns the parts that are new, those joined to them, and what each new part is the
    sum of, if of several.
    """
    found: dict[PaneKey, Pane] = {}
    gone: set[PaneKey] = set()
    sums_of: dict[PaneKey, list[Pane]] = {}
    for key, pane in added.items():
        parts = [replace(key, part=0)]
        while parts[-1] in panes:
            parts.append(replace(key, part=len(parts)))
        newest, size = parts.pop(), pane.size
        joined: list[PaneKey] = []
        while parts and panes[parts[-1]].size <= 2 * size:
            joined.append(parts.pop())
            size += panes[joined[-1]].size
        if not joined or (len(joined) < _PARTS_JOINED - 1 and size <= few_cells):
            found[newest] = pane
            continue
        gone.update(joined)
        sums_of[joined[-1]] = [pane, *(panes[part] for part in joined)]
        found[joined[-1]] = Pane.combine(sums_of[joined[-1]])
    return found, gone, sums_of


def _joined_up(panes: Mapping[PaneKey, Pane], terms: Terms) -> tuple[dict[PaneKey, Pane], set[PaneKey]]:
    """Join panes that no window needs separately; return those that others were joined to, and which ones have gone."""
    outgrown = terms.tiers.outgrown(panes, terms.now)
    parts: dict[PaneKey, list[Pane]] = {}
    for key, target in sorted(outgrown.items()):
        if target is not None:
            parts.setdefault(target, list(_only(panes, [target]).values())).append(panes[key])
    return {key: Pane.combine(found) for key, found in parts.items()}, set(outgrown)


def _join(tx: Transaction, delta: Delta, terms: Terms) -> Joined | None:
    labels = terms.model.labels
    if labels is None or not (delta.waiting or delta.labels):
        return None
    horizon, tolerance = (int(seconds * MICROSECONDS) for seconds in (labels.horizon, labels.tolerance))
    return join(tx, delta.waiting, delta.labels, horizon=horizon, torn=delta.torn, tolerance=tolerance)


def _after_join(tx: Transaction, state: ModelState, joined: Joined | None) -> tuple[ModelState, tuple[Note, ...]]:
    """Count again what waits for its other half, and return what is to be said of labels."""
    if joined is None:
        return state, ()
    state = replace(state, joining=kept(tx))
    return state, unjoined(tx, state, joined)


def _of(versions: Container[str], panes: Mapping[PaneKey, Pane]) -> dict[PaneKey, Pane]:
    return {key: pane for key, pane in panes.items() if key.version in versions}


def _only(panes: Mapping[PaneKey, Pane], keys: Iterable[PaneKey]) -> dict[PaneKey, Pane]:
    return {key: panes[key] for key in keys if key in panes}


def _without(panes: Mapping[PaneKey, Pane], keys: Container[PaneKey]) -> dict[PaneKey, Pane]:
    return {key: pane for key, pane in panes.items() if key not in keys}

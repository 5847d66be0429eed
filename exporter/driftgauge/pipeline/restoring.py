"""What the store has of a model, as its memory; of a new model its shape is written down first."""

from collections.abc import Container, Mapping, Sequence

from driftgauge.aggregates.pane import Pane
from driftgauge.config import Limits, ModelConfig, Window
from driftgauge.feed import Cursor
from driftgauge.pipeline.betting import with_current
from driftgauge.pipeline.journal import Journal
from driftgauge.pipeline.memory import Memory
from driftgauge.pipeline.settings import settings_of
from driftgauge.pipeline.standards import (
    compared_with,
    fitted_signals,
    is_stale,
    with_own,
    with_signals,
)
from driftgauge.reference import Reference
from driftgauge.segments import ALL_ROWS, Segments
from driftgauge.snapshot import Joining, ModelState, Slice
from driftgauge.store import Reading, Store, Transaction
from driftgauge.store.evidence import read_evidence
from driftgauge.store.join import kept
from driftgauge.store.ledger import read_cursor, read_files, read_journal
from driftgauge.store.panes import read, write_segments, write_windows
from driftgauge.store.readings import drop, read_apart, write_settings
from driftgauge.windows import PaneKey, Tiers


def restore(store: Store, model: ModelConfig, *, windows: Sequence[Window], limits: Limits) -> Memory:
    """Return what the store has of a model; a new model is empty.

    A reading that was being built under other settings than these is given up.
    """
    settings = settings_of(model, windows, limits)
    readings = store.readings(model.name)
    if not readings:
        return _new(store, model, windows, limits)
    served, *building = readings
    is_current = (served.task, served.settings) == (model.task, settings)
    for each in building:
        if (each.task, each.settings) != (model.task, settings):
            with store.transaction(model.name, each.task, again=True) as tx:
                drop(tx)
            building = []
    earlier = _loaded(store, model, windows, limits, served)
    if not building:
        if not is_current and earlier.is_empty and served.task == model.task:
            return _new(store, model, windows, limits)
        if not is_current:
            earlier.stale = "its configuration changed" if served.settings else "a reset was asked for"
        return earlier
    found = _loaded(store, model, windows, limits, building[0])
    found.served, found.windows, found.back_to = earlier.state, earlier.windows, building[0].back_to
    found.earlier = {
        key: record
        for key, record in earlier.files.items()
        if not record.rows_read or record.failures or record.read_at >= building[0].back_to
    }
    return found


def _new(store: Store, model: ModelConfig, windows: Sequence[Window], limits: Limits) -> Memory:
    """Remember by what a reading is shaped that has read nothing yet."""
    with store.transaction(model.name, model.task) as tx:
        shape(tx, model, windows, limits)
    return _loaded(store, model, windows, limits, store.readings(model.name)[0])


def shape(
    tx: Transaction,
    model: ModelConfig,
    windows: Sequence[Window],
    limits: Limits,
    reference: Reference | None = None,
) -> None:
    """Write down by what the transaction's reading is shaped; reference: with which it begins."""
    write_settings(tx, settings_of(model, windows, limits))
    write_windows(tx, [window.seconds for window in windows])
    write_segments(tx, [segment.identity for segment in Segments.of(model, limits, reference).kept])


def _loaded(store: Store, model: ModelConfig, windows: Sequence[Window], limits: Limits, reading: Reading) -> Memory:
    """Return a reading as far as this configuration can show it.

    Values of another task cannot be shown at all, nor can windows and segments that it was not made for.
    """
    with store.transaction(model.name, reading.task, again=reading.again) as tx:
        stored, apart = read(tx), read_apart(tx)
        files, cursor = read_files(tx), Cursor(read_cursor(tx))
        journal = Journal.from_json(read_journal(tx))
        evidence = read_evidence(tx)
        joining = kept(tx) if model.labels else Joining()
    is_shown = reading.task == model.task
    whole = stored.references.get(ALL_ROWS) if model.reference is not None else None
    meant = Segments.of(model, limits, whole.reference if whole else None).kept
    segments = [segment for segment in meant if segment.identity in stored.segments]
    names = {ALL_ROWS, *(segment.name for segment in segments)}
    state = ModelState(
        config=model,
        totals=stored.totals,
        predictions=_of(names, stored.predictions) if is_shown else {},
        outcomes=_of(names, stored.outcomes) if is_shown else {},
        slices=tuple(map(Slice, segments)),
        apart=apart,
        joining=joining,
        evidence=evidence if is_shown else {},
    )
    compared = model.reference is not None
    state = compared_with(state, stored.references if compared else {})
    for version, (references, _) in stored.own.items() if compared else ():
        state = with_own(state, version, references)
    fitted = fitted_signals(state, limits)
    return Memory(
        with_current(with_signals(state, fitted)),
        stored.reference_identity if compared else "",
        files,
        cursor,
        windows=_shown_of(stored.windows, windows) if is_shown else (),
        fitted=fitted,
        journal=journal,
        stale="its signals changed" if is_stale(state, fitted, limits) else "",
        own_identities={version: identity for version, (_, identity) in stored.own.items()} if compared else {},
    )


def _shown_of(lengths: Sequence[int], windows: Sequence[Window]) -> tuple[Window, ...]:
    """Return the windows that panes can show which were made for windows of these lengths (s)."""
    made = Tiers.of([Window(f"{length}s", length) for length in lengths]).panes
    wanted = Tiers.of(windows).panes
    return tuple(window for window in windows if made.get(window.seconds) == wanted[window.seconds])


def _of(segments: Container[str], panes: Mapping[PaneKey, Pane]) -> dict[PaneKey, Pane]:
    return {key: pane for key, pane in panes.items() if key.segment in segments}

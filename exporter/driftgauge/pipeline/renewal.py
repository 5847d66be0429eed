"""A reference that means something else now is compiled, stored, and compared with from then on."""

from collections.abc import Callable, Iterable

import structlog

from driftgauge.columns import Note
from driftgauge.config import Limits
from driftgauge.errors import BatchError, DriftgaugeError, ReferenceUnusable, SourceMissing, SourceUnavailable
from driftgauge.pipeline import baseline
from driftgauge.pipeline.again import Renewed
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.journal import Remark
from driftgauge.pipeline.memory import Memory
from driftgauge.pipeline.saying import say_dropped_segments, say_looked_up, say_not_looked_up
from driftgauge.reference import Reference
from driftgauge.segments import ALL_ROWS, Segments, asked_of_reference
from driftgauge.snapshot import ModelState
from driftgauge.source import Source
from driftgauge.store import Store
from driftgauge.store.ledger import write_journal
from driftgauge.store.panes import write_reference, write_segments

_log = structlog.get_logger("driftgauge.pipeline")


def renew_reference(
    memory: Memory,
    source: Source,
    store: Store,
    limits: Limits,
    *,
    executor: Executor,
    now: int,
    read_again: Callable[[Renewed], None],
) -> ReferenceUnusable | None:
    """Compile the reference, and its slices, if it or its settings changed; return why that could not be done.

    now: µs, for what is said of it. read_again: is called when there are rows that were not compared with it. While the
    registry or the store does not answer, the reference that is known stays; that is said once.
    """
    model = memory.state.config
    if model.reference is None:
        return None
    uri = model.reference.uri
    try:
        identity = baseline.identity(source, model, uri, limits)
        # A reading ends with the reference that it began with; after that comes the next.
        if identity == memory.reference_identity or (memory.served is not None and memory.state.predictions):
            say_looked_up(memory, "reference")
            return None
        found = baseline.load(source, model, uri, limits, executor=executor)
        say_looked_up(memory, "reference")
    except (SourceMissing, SourceUnavailable, BatchError, ReferenceUnusable) as error:
        return _failed(memory, uri, error, now)
    if memory.shared is not None:
        executor.release(memory.shared)
        memory.shared = None
    if memory.would_be_stale(found, limits=limits):
        read_again((found, identity))
    else:
        meant = Segments.of(model, limits, found[ALL_ROWS].reference).kept
        with store.transaction(model.name, model.task, again=memory.served is not None) as tx:
            write_reference(tx, found, identity)
            write_segments(tx, [segment.identity for segment in meant])
        memory.adopt(found, identity, limits=limits)
    if found[ALL_ROWS].notes:
        _say(memory, store, found[ALL_ROWS].notes, uri, now)
    _say_what_there_is(memory.state, found[ALL_ROWS].reference, uri, limits)
    return None


def _failed(memory: Memory, uri: str, error: DriftgaugeError, now: int) -> ReferenceUnusable | None:
    """Return why there is no reference; None while the last one stays, which is said once."""
    if not isinstance(error, SourceUnavailable) or memory.state.reference is None:
        return ReferenceUnusable(f"reference {uri}: {error}")
    say_not_looked_up(memory, "reference", "reference not looked up: the last one stays", error, now)
    return None


def _say(memory: Memory, store: Store, notes: Iterable[Note], uri: str, now: int) -> None:
    """Log what of a reference may not mean what it seems to, once for each column, and note it for the landing page."""
    for note in notes:
        remark = Remark("doubt", note.reason, note.column, note.example, note.text, uri, first=now, last=now)
        if memory.says(remark):
            _log.warning(
                "reference read with doubt", model=memory.state.config.name, uri=uri, reason=note.reason,
                column=note.column, example=note.example, hint=note.text,
            )  # fmt: skip
    model = memory.state.config
    with store.transaction(model.name, model.task, again=memory.served is not None) as tx:
        write_journal(tx, memory.journal.to_json())


def _say_what_there_is(state: ModelState, compiled: Reference, uri: str, limits: Limits) -> None:
    log = _log.bind(model=state.config.name)
    log.info("reference compiled", uri=uri, rows=compiled.rows, features=len(compiled.features))
    if compiled.dropped:
        log.warning("reference features beyond limits.max_features", left=compiled.dropped)
    unlearned = _unlearned(compiled)
    for signal, reason in unlearned.items():
        log.info("signal left out", signal=signal, reason=reason)
    for signal, found in compiled.learned.items():
        if "warning" in found:
            log.warning("reference learned with doubt", signal=signal, hint=found["warning"])
    for each in state.slices:
        for signal, reason in _unlearned(each.reference).items():
            if signal not in unlearned:
                log.info("signal left out", segment=each.segment.name, signal=signal, reason=reason)
    _say_segments(state, compiled, limits)


def _say_segments(state: ModelState, compiled: Reference, limits: Limits) -> None:
    log = _log.bind(model=state.config.name)
    if asked_of_reference(state.config):
        say_dropped_segments(state.config, limits, compiled)
    if nothing := [name for name, values in compiled.segment_values.items() if not values]:
        remedy = "name features that the reference has, with values of drift.min_samples rows and more"
        log.warning("segments without a value in the reference", segments=nothing, remedy=remedy)
    if few := [each.segment.name for each in state.slices if each.reference is None]:
        log.warning("segments without drift: fewer than 2 rows of the reference are in them", segments=few)


def _unlearned(reference: Reference | None) -> dict[str, str]:
    """Return why signals could not be learned from a reference, by their names."""
    learned = reference.learned if reference else {}
    return {signal: found["reason"] for signal, found in learned.items() if "reason" in found}

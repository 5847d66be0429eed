"""A reference that means something else now is compiled, stored, and compared with from then on."""

import structlog

from driftgauge.config import Limits
from driftgauge.errors import BatchError, ReferenceUnusable, SourceMissing, SourceUnavailable
from driftgauge.pipeline import baseline
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.memory import Memory
from driftgauge.reference import Reference
from driftgauge.segments import ALL_ROWS
from driftgauge.snapshot import ModelState
from driftgauge.source import Source
from driftgauge.store import Store
from driftgauge.store.panes import write_reference

_log = structlog.get_logger("driftgauge.pipeline")


def renew_reference(
    memory: Memory, source: Source, store: Store, limits: Limits, *, executor: Executor
) -> ReferenceUnusable | None:
    """Compile the reference, and its slices, if it or its settings changed; return why that could not be done."""
    model = memory.state.config
    if model.reference is None:
        return None
    uri = model.reference.uri
    try:
        identity = baseline.identity(source, model, uri, limits)
        if identity == memory.reference_identity:
            return None
        found = baseline.load(source, model, uri, limits, executor=executor)
    except (SourceMissing, SourceUnavailable, BatchError, ReferenceUnusable) as error:
        return ReferenceUnusable(f"reference {uri}: {error}")
    with store.transaction(model.name, model.task) as tx:
        write_reference(tx, found, identity)
    compiled, known = found[ALL_ROWS].reference, memory.state.reference
    # Other segments alone change nothing for all rows.
    if known and known.layout.fingerprint != compiled.layout.fingerprint:
        _log.warning(
            "reference changed: drift is counted again from now on, all else is kept", model=model.name, uri=uri
        )
    if memory.shared is not None:
        executor.release(memory.shared)
    memory.adopt(found, identity, limits=limits)
    _say_what_there_is(memory.state, compiled, uri)
    return None


def _say_what_there_is(state: ModelState, compiled: Reference, uri: str) -> None:
    log = _log.bind(model=state.config.name)
    log.info("reference compiled", uri=uri, rows=compiled.rows, features=len(compiled.kinds))
    if compiled.dropped:
        log.warning("reference features beyond limits.max_features", left=compiled.dropped)
    unlearned = _unlearned(compiled)
    for signal, reason in unlearned.items():
        log.info("signal left out", signal=signal, reason=reason)
    for each in state.slices:
        for signal, reason in _unlearned(each.reference).items():
            if signal not in unlearned:
                log.info("signal left out", segment=each.segment.name, signal=signal, reason=reason)
    if few := [each.segment.name for each in state.slices if each.reference is None]:
        log.warning("segments without drift: fewer than 2 rows of the reference are in them", segments=few)


def _unlearned(reference: Reference | None) -> dict[str, str]:
    """Return why signals could not be learned from a reference, by their names."""
    learned = reference.learned if reference else {}
    return {signal: found["reason"] for signal, found in learned.items() if "reason" in found}

"""A model that is read again: what its settings or its reference now make of rows that can still lie in a window.

The rows go into a reading of their own, next to the one that is served, and take its place as a whole. Until then
nothing is added to the one that is served. Counters go on: of a row only what it had not counted as yet is added
(`seen`). Of labels, and of what a join rejects, the rows are not known, so these are counted apart and compared with
what the earlier reading had of the same time.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import structlog

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.config import Config
from driftgauge.families import LABEL_DELAY_BUCKETS
from driftgauge.pipeline.memory import Memory
from driftgauge.pipeline.restoring import restore, shape
from driftgauge.pipeline.seen import ACCEPTED, LABELLED, Seen
from driftgauge.reference import Compiled
from driftgauge.segments import ALL_ROWS
from driftgauge.store import Store, readings
from driftgauge.store.panes import write_reference, write_totals
from driftgauge.windows import AHEAD, MICROSECONDS, Tiers

_log = structlog.get_logger("driftgauge.pipeline")
# More than the clocks of a zone can be apart: a row that was refused as one from the future may be none now.
_DAY: Final = 86_400 * MICROSECONDS

# A compiled reference with its slices, and its identity.
Renewed = tuple[Mapping[str, Compiled], str]


def begin(store: Store, memory: Memory, config: Config, *, now: int, why: str, renewed: Renewed | None = None) -> None:
    """Begin a new reading of the model, in which only files too old for any window count as read.

    why: for the log. renewed: the reference to begin with, in place of the one there is.
    """
    served, model = memory.served or memory.state, memory.state.config
    back = Tiers.of(config.windows).longest * MICROSECONDS + AHEAD + _DAY
    if model.labels:
        back += int(model.labels.horizon * MICROSECONDS)
    with store.transaction(model.name, model.task, again=True) as tx:
        readings.begin(tx, totals=_untimed(served.totals), back_to=now - back)
        reference = renewed[0][ALL_ROWS].reference if renewed else memory.state.reference
        shape(tx, model, config.windows, config.limits, reference)
        if renewed:
            write_reference(tx, *renewed)
    memory.become(restore(store, model, windows=config.windows, limits=config.limits))
    _log.warning(
        "model is read again: until that is done it shows what it had, and nothing new",
        model=model.name, because=why, files=len(memory.earlier),
    )  # fmt: skip


def finish(store: Store, memory: Memory, config: Config, *, now: int) -> None:
    """Serve the new reading in place of the earlier one."""
    state, served = memory.state, memory.served
    if state.apart is None or served is None:
        raise ValueError("this reading is served already")
    labels = state.config.labels
    since = now - int(labels.horizon * MICROSECONDS) if labels else now
    direct = sum(Seen.from_text(record.seen).count(LABELLED) for record in memory.earlier.values())
    with store.transaction(state.config.name, state.config.task, again=True) as tx:
        before, after = readings.labelled(tx, since=since)
        labelled = _labels_added(state.apart, served.totals, before, after, direct=direct)
        totals = Totals.combine([_rejected(state.totals, state.apart), labelled])
        totals = _timed(totals, served.totals, back_to=memory.back_to)
        write_totals(tx, totals)
        readings.promote(tx)
    gone = [
        path
        for (source, path), record in memory.earlier.items()
        if (source, path) not in memory.files and Seen.from_text(record.seen).count(ACCEPTED)
    ]
    memory.state, memory.served, memory.earlier = replace(state, totals=totals, apart=None), None, {}
    memory.windows = config.windows
    log = _log.bind(model=state.config.name)
    log.info("model was read again: its windows are those of the new reading", files=len(memory.files))
    if gone:
        log.warning(
            "files that counted are gone: their rows are no longer in windows", files=len(gone), example=gone[0],
            remedy="put them back and `driftgauge reset` the model, if they still matter",
        )  # fmt: skip


def _untimed(totals: Totals) -> Totals:
    """Return counters without the times of latest rows, which may have been read wrongly."""
    versions = {name: replace(found, last_prediction=None, origin=None) for name, found in totals.versions.items()}
    return replace(totals, versions=versions, last_label=None, last_batch=None)


def _timed(totals: Totals, before: Totals, *, back_to: int) -> Totals:
    """Return counters with the times from before where rows are too old to be read again.

    A version without any time is one whose rows are now those of another.
    """
    versions = {}
    for name, found in totals.versions.items():
        known = before.versions.get(name, found)
        is_old = found.last_prediction is None and (known.last_prediction or 0) < back_to
        versions[name] = replace(found, last_prediction=known.last_prediction, origin=known.origin) if is_old else found
    last_label = before.last_label if totals.last_label is None else totals.last_label
    last_batch = before.last_batch if totals.last_batch is None else totals.last_batch
    return replace(totals, versions=versions, last_label=last_label, last_batch=last_batch)


def _rejected(totals: Totals, apart: Totals) -> Totals:
    """Raise what was rejected in joins to what this reading has rejected, where that is more."""
    raised = {reason: max(count, totals.rejected.get(reason, 0)) for reason, count in apart.rejected.items()}
    return replace(totals, rejected={**totals.rejected, **raised})


def _labels_added(
    apart: Totals, published: Totals, before: Mapping[str, int], after: Mapping[str, int], *, direct: int
) -> Totals:
    """Return the labels that had not counted.

    before, after: predictions with a label of a label file, by version, in the earlier reading and in this one.
    direct: labels that came with predictions in the files of the earlier one.
    """
    if not any(found.labels for found in published.versions.values()):
        return Totals(versions=apart.versions)
    came = {name: found.labels - found.label_delay.total for name, found in apart.versions.items()}
    now = {name: came.get(name, 0) + after.get(name, 0) for name in came.keys() | after.keys()}
    more = {name: max(0, count - before.get(name, 0)) for name, count in sorted(now.items())}
    left = max(0, sum(now.values()) - sum(before.values()) - direct)
    added = {}
    for name, count in more.items():
        labels = min(count, left)
        left -= labels
        # Delays of first labels are known of all of them or of none.
        is_first = not before.get(name) and name in apart.versions
        delay = apart.versions[name].label_delay if is_first else Buckets.empty(LABEL_DELAY_BUCKETS)
        added[name] = VersionTotals(labels=labels, label_delay=delay)
    return Totals(versions=added)

"""What is said of a model as a whole: predictions, labels and reference that do not speak of the same."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import structlog

from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.moments import Moment, Moments
from driftgauge.aggregates.outcomes import MAX_CLASSES, Outcomes
from driftgauge.aggregates.pane import Pane
from driftgauge.columns import Note
from driftgauge.grid import CLASS, OUTPUT, CategoryGrid
from driftgauge.performance import no_class_in_common
from driftgauge.pipeline.journal import Remark
from driftgauge.pipeline.memory import Memory
from driftgauge.reference import Reference
from driftgauge.segments import ALL_ROWS
from driftgauge.snapshot import ModelState
from driftgauge.windows import PaneKey

_log = structlog.get_logger("driftgauge.pipeline")

_MANY_ROWS: Final = 20


def say_doubts(memory: Memory, state: ModelState, now: int) -> None:
    """Log what is doubtful of a model in a state that is to be its own, once each, and note it for the landing page."""
    for note in _of_versions(state):
        remark = Remark("doubt", note.reason, note.column, note.example, note.text, "", first=now, last=now)
        if remark.key not in memory.said:
            # A process that starts anew says it again, of nothing new.
            memory.says(replace(remark, count=int(remark.key not in memory.journal.remarks)))
            _log.warning(
                "model read with doubt", model=state.config.name, reason=note.reason,
                column=note.column, example=note.example, hint=note.text,
            )  # fmt: skip


def _of_versions(state: ModelState) -> Iterator[Note]:
    for version in state.totals.versions:
        of_version = state.of(version)
        yield from _of_labels(_panes(state.outcomes, version))
        if of_version.reference is not None and state.config.task != "regression":
            yield from _of_outputs(_panes(state.predictions, version), of_version.reference)


def _panes(panes: Mapping[PaneKey, Pane], version: str) -> Iterator[Pane]:
    return (pane for key, pane in panes.items() if (key.version, key.segment) == (version, ALL_ROWS))


def _of_labels(panes: Iterable[Pane]) -> Iterator[Note]:
    confusion: dict[tuple[str, str], int] = {}
    for pane in panes:
        outcomes = pane.find("outcomes", Outcomes)
        if outcomes and outcomes.beyond:
            yield _too_many_classes(outcomes)
            return
        for pair, count in (outcomes.confusion if outcomes else {}).items():
            if pair[0] == pair[1]:
                return
            confusion[pair] = confusion.get(pair, 0) + count
    apart = no_class_in_common(confusion)
    if apart:
        label, predicted = apart
        yield Note(
            "no_class_in_common",
            "label",
            label,
            f'labels such as "{label}" and predictions such as "{predicted}" share no class, so there are no scores of '
            "performance; write the same classes on both sides",
        )


def _too_many_classes(outcomes: Outcomes) -> Note:
    example = next((f"{true}, {predicted}" for true, predicted in outcomes.confusion), "")
    return Note(
        "too_many_classes",
        "prediction",
        example,
        f"labels and predictions have more than {MAX_CLASSES:,} classes, so there are no figures of single classes nor "
        "averages over them; if these are ids, map the column that has the class",
    )


def _of_outputs(panes: Iterable[Pane], reference: Reference) -> Iterator[Note]:
    if OUTPUT not in reference.layout.grids:
        return
    scores = classes = 0
    strangers: dict[str, int] = {}
    known = isinstance(reference.layout.grids[OUTPUT], CategoryGrid)
    name = OUTPUT if known else CLASS
    for pane in panes:
        moments, counted = pane.find("moments", Moments), pane.find("distribution", Distribution)
        if moments is None or counted is None:
            continue
        output = moments.columns.get(OUTPUT, Moment())
        scores, classes = scores + output.count, classes + output.others
        if _counts(counted, reference, OUTPUT):
            return
        unseen = counted.unseen.get(name)
        _add(strangers, unseen.named if unseen else {})
    profile = reference.profiles[name]
    strange = sum(strangers.values())
    if known and scores and not classes:
        yield _note("", "live rows have scores, and the reference has classes only")
    elif not known and classes and not profile.rows:
        yield _note("", "live rows have classes, and the reference has scores only")
    elif len(strangers) > 1 and strange >= _MANY_ROWS and strange == classes:
        example = min(strangers)
        yield _note(example, f'live rows have classes such as "{example}" that the reference does not have')


def _note(example: str, what: str) -> Note:
    text = f"{what}, so there is no drift of the output; log the same in both"
    return Note("output_not_in_reference", "prediction", example, text)


def _counts(counted: Distribution, reference: Reference, name: str) -> bool:
    start = reference.layout.offsets[name]
    return bool(counted.dense(start, start + reference.layout.grids[name].cells)[0].any())


def _add(total: dict[str, int], part: Mapping[str, int]) -> None:
    for name, count in part.items():
        total[name] = total.get(name, 0) + count

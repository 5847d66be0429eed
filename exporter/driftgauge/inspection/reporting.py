"""From what was looked at to `Findings`."""

from collections.abc import Callable, Sequence
from typing import Final

from driftgauge.batch.explanation import UNUSED
from driftgauge.hiding import hidden
from driftgauge.inspection.comparing import compare
from driftgauge.inspection.drafting import hints
from driftgauge.inspection.facts import ColumnFacts, Facts
from driftgauge.inspection.findings import ColumnFinding, FilesFinding, Findings, RejectedFinding
from driftgauge.inspection.inspecting import Inspector, Looked, ReferenceLook
from driftgauge.inspection.joining import meet
from driftgauge.inspection.publishing import Given, iso, publication
from driftgauge.samples import Sample, Samples

_NOTHING: Final = Facts()


def findings(inspector: Inspector, *, task_why: str, draft: Callable[[Sequence[str]], str] | None) -> Findings:
    """Look at a model and return all that is found. Raises SourceError.

    draft: makes the text to paste with these lines as comments; without it they are among the remedies.
    """
    reference = inspector.reference()
    looked = inspector.files(reference.kinds)
    predictions, labels = looked.facts.get("predictions", _NOTHING), looked.facts.get("labels")
    samples, at, said = inspector.samples(looked)
    given = Given(
        model=inspector.model,
        predictions=predictions,
        labels=labels,
        samples=samples,
        reference=reference.facts,
        problem=reference.problem,
        unlearned=reference.unlearned,
        min_samples=inspector.model.drift.min_samples,
    )
    joined = sum(int(each.value) for each in samples.get("model_labels_total", ()) if isinstance(each, Sample))
    open_questions = hints(predictions, labels)
    live = (
        compare(predictions, reference.facts, hidden(inspector.reference_uri)) if reference.facts is not None else None
    )
    return Findings(
        model=inspector.model.name,
        task=inspector.model.task,
        task_why=task_why,
        files=tuple(_files(role, looked, samples) for role in looked.facts),
        labels=meet(predictions, labels, joined=joined, complete=not any(looked.left.values())) if labels else None,
        reference=None if reference.problem else live,
        reference_problem=reference.problem,
        publication=publication(given, at=at, said=said),
        remedies=(*_remedies(predictions, labels, reference, inspector), *(() if draft else open_questions)),
        config=draft(open_questions) if draft else "",
    )


def _files(role: str, looked: Looked, samples: Samples) -> FilesFinding:
    facts = looked.facts[role]
    columns = [(column.use.role != UNUSED, _column(column)) for column in facts.columns.values()]
    rejected = [RejectedFinding(reason, found.rows, found.examples) for reason, found in facts.rejected.items()]
    if role == "predictions":
        rejected += _rejected_later(facts, looked, samples)
    return FilesFinding(
        role=role,
        files=looked.names[role],
        left=looked.left.get(role, 0),
        rows=facts.rows,
        usable=facts.usable,
        oldest=iso(facts.oldest),
        newest=iso(facts.newest),
        columns=tuple(found for is_used, found in columns if is_used),
        unused=tuple(found for is_used, found in columns if not is_used),
        rejected=tuple(rejected),
        doubts=tuple(f'"{note.column}" (like {note.example}): {note.text}' for note in facts.notes),
        problems={path: f"{reason}: {text}" for path, (reason, text) in facts.problems.items()},
    )


def _column(facts: ColumnFacts) -> ColumnFinding:
    use = facts.use
    missing = 1 - facts.present / facts.rows if facts.rows else 0.0
    return ColumnFinding(use.path, use.role, use.why, use.unit, facts.kind, missing, facts.example)


def _rejected_later(facts: Facts, looked: Looked, samples: Samples) -> Sequence[RejectedFinding]:
    """Return rows that only a refresh rejects, because of their time or of what is known of their key."""
    decoded = {reason for each in looked.facts.values() for reason in each.rejected}
    return [
        RejectedFinding(each.labels[1], int(each.value), ())
        for each in samples.get("model_rows_rejected_total", ())
        if isinstance(each, Sample) and each.labels[1] not in decoded and facts.rows
    ]


def _remedies(
    predictions: Facts, labels: Facts | None, reference: ReferenceLook, inspector: Inspector
) -> Sequence[str]:
    found = []
    if not predictions.rows and not predictions.problems:
        found.append("no prediction file matches: correct predictions.experiment or files, and artifacts")
    if reference.problem:
        found.append(reference.problem)
    if predictions.is_misfit and predictions.taken_for("label"):
        found.append("this looks like a file of labels: inspect the predictions, and give it with --labels")
    if labels is None and inspector.model.labels is not None:
        found.append("no label file matches: correct labels.experiment or files, and artifacts")
    if not predictions.taken_for("timestamp") and predictions.usable:
        found.append("no column is the time of a row: each has the time of its file, or the start of its run")
    return found

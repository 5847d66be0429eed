"""The short form of an inspection: whether what a configuration names is there, and fits together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from driftgauge.config import Config, ModelConfig
from driftgauge.errors import DriftgaugeError
from driftgauge.inspection.choosing import newest_runs
from driftgauge.inspection.facts import Facts
from driftgauge.inspection.inspecting import Bench, Inspector, Looked, monitored
from driftgauge.inspection.joining import meet
from driftgauge.inspection.publishing import iso
from driftgauge.inspection.text import many

_RUNS: Final = 20
_FILES: Final = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, whether it is right, and what was found, or what to do about it."""

    model: str
    what: str
    right: bool
    text: str


def check_online(config: Config) -> Iterator[Check]:
    """Look at each model: what its version says of it, its place, newest files, labels and reference."""
    with Bench(config) as bench:
        for written in config.models:
            found = monitored(bench, config, written)
            if written.monitoring is not None:
                text = found.problem or f"as {found.source} says"
                yield Check(written.name, "monitoring", right=not found.problem, text=text)
            model = found.found.model if found.found else written
            inspector = Inspector(bench, config, model, choose=newest_runs(_RUNS), files=_FILES)
            yield from _checks(inspector, model)


def _checks(inspector: Inspector, model: ModelConfig) -> Iterator[Check]:
    reference = inspector.reference()
    try:
        looked = inspector.files(reference.kinds)
    except DriftgaugeError as error:
        yield Check(model.name, "files", right=False, text=str(error))
    else:
        yield from _files(looked, model)
        if model.labels is not None:
            yield _labels(looked, model)
    if inspector.reference_uri:
        found = reference.facts
        rows = f"{many(found.rows, 'row')}, {many(len(reference.kinds or {}), 'feature')}" if found else ""
        yield Check(model.name, "reference", right=not reference.problem, text=reference.problem or rows)


def _files(looked: Looked, model: ModelConfig) -> Iterator[Check]:
    roles = {"predictions": model.predictions.artifacts}
    if model.labels is not None:
        roles["labels"] = model.labels.artifacts
    for role, pattern in roles.items():
        facts = looked.facts.get(role)
        if facts is None:
            text = f'no file matches "{pattern}" in the newest runs: correct {role}.artifacts, or log one'
            yield Check(model.name, role, right=False, text=text)
        else:
            yield _content(role, facts, looked, model)


def _content(role: str, facts: Facts, looked: Looked, model: ModelConfig) -> Check:
    files = len(looked.names[role])
    if facts.usable:
        rejected = facts.rows - facts.usable
        text = f"{many(files, 'file')}, {many(facts.usable, 'usable row')}, the newest of {iso(facts.newest)}"
        if not rejected and not facts.problems:
            return Check(model.name, role, right=True, text=text)
        # A row or file that is left out is said, and the rest is right.
        reasons = [f"{each.rows:,} {reason}" for reason, each in facts.rejected.items()]
        reasons += [f"{path}: {text}" for path, (_, text) in facts.problems.items()]
        text = f"{text}; left out: {'; '.join(reasons)}; driftgauge inspect shows them"
        return Check(model.name, role, right=rejected < facts.usable, text=text)
    problem = next((f"{path}: {text}" for path, (_, text) in facts.problems.items()), "")
    reasons = [f"{each.rows:,} {reason}" for reason, each in facts.rejected.items()]
    text = problem or f"no row of {many(files, 'file')} is usable ({', '.join(reasons)})"
    return Check(model.name, role, right=False, text=f"{text}; driftgauge inspect says more")


def _labels(looked: Looked, model: ModelConfig) -> Check:
    predictions, labels = looked.facts.get("predictions", Facts()), looked.facts.get("labels", Facts())
    complete = not any(looked.left.values())
    found = meet(predictions, labels, joined=0, complete=complete)
    text = f"{found.matched:,} of {found.labels:,} labels have the key of a prediction"
    if found.matched or not complete or not (labels.usable and predictions.usable):
        return Check(model.name, "join", right=True, text=text)
    return Check(model.name, "join", right=False, text=f"{text}: {found.remedy}")

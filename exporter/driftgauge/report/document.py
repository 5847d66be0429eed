"""A report as a plain document, which HTML, Markdown and JSON are made of: so they cannot say different things.

Its form is `report.schema.json` in the documentation. What is not known is null. Times are ISO 8601 in UTC; ratios are
from 0 to 1; durations are seconds.
"""

from collections.abc import Mapping
from typing import Any, Final

from driftgauge.report.columns import features, labels_drift, output
from driftgauge.report.findings import findings
from driftgauge.report.history import Days, history
from driftgauge.report.links import links_of
from driftgauge.report.performance import is_unmeasured, performance, whole
from driftgauge.report.quality import labels, quality
from driftgauge.report.rows import slices, unusual
from driftgauge.report.subject import Chosen
from driftgauge.report.times import moment
from driftgauge.report.versions import versions
from driftgauge.report.words import sentence
from driftgauge.snapshot import window_pane
from driftgauge.windows import MICROSECONDS, Tiers

# Raised with every change that breaks a reader of the document.
FORMAT: Final = 1
RETRAINING: Final = "model_retraining_recommended"

Document = Mapping[str, Any]


def document(chosen: Chosen, *, driftgauge: str, known: Days | None = None) -> Document:
    """Return the report on a version in a window; driftgauge: the version of the program that says so.

    known: what earlier reports on the model have told of days.
    """
    subject, state = chosen.subject, chosen.subject.state
    pane = window_pane(state, version=chosen.version, window=chosen.window, windows=subject.windows, now=subject.now)
    reference = chosen.reference
    found: dict[str, Any] = {
        "format": FORMAT,
        "driftgauge": driftgauge,
        "model": chosen.model,
        "task": state.config.task,
        "version": chosen.version,
        "window": chosen.window.name,
        "windows": [each.name for each in subject.windows],
        "period": _period(chosen),
        "reference": {
            "rows": reference.rows if reference else None,
            "features": len(reference.features) if reference else None,
        },
        "failure": subject.failure,
        "findings": findings(subject),
        "recommendation": _recommendation(chosen),
        "performance": performance(chosen),
        "output": output(chosen, pane),
        "label_drift": labels_drift(chosen),
        "features": features(chosen, pane),
        "slices": slices(chosen),
        "unusual": unusual(chosen),
        "history": history(chosen, Days() if known is None else known),
        "versions": versions(chosen),
        "labels": labels(chosen),
        "quality": quality(chosen),
        "links": links_of(subject, chosen.version),
    }
    return {**found, "verdict": _verdict(chosen, found)}


def _period(chosen: Chosen) -> dict[str, Any]:
    subject = chosen.subject
    first = Tiers.of(subject.windows).first_second(chosen.window, subject.now)
    return {
        "start": moment(first * MICROSECONDS),
        "end": moment(subject.now),
        "predictions": whole(chosen.value("model_window_predictions")),
        "labels": whole(chosen.value("model_window_labels")),
        "last_prediction": moment(
            max((each.last_prediction or 0 for each in subject.state.totals.versions.values()), default=0) or None
        ),
    }


def _verdict(chosen: Chosen, found: dict[str, Any]) -> dict[str, Any]:
    holding = chosen.subject.findings
    measured = any(row["value"] is not None for row in found["performance"]["metrics"])
    judged = measured or (found["features"]["monitored"] and not is_unmeasured(found["performance"]))
    status = "action_required" if holding else "healthy" if judged else "unknown"
    severity = holding[0].severity if holding else None
    return {"status": status, "severity": severity, "sentence": sentence(chosen, found)}


def _recommendation(chosen: Chosen) -> dict[str, Any] | None:
    """Return whether retraining is recommended, and why; None where that is not judged."""
    values = chosen.found.values(RETRAINING)
    reasons = {labels[1]: value for labels, value in values.items() if labels[0] == chosen.version}
    if not reasons:
        return None
    holding = sorted(reason for reason, value in reasons.items() if value)
    words = {
        "performance": "performance fell",
        "concept_drift": "the concept changed",
        "data_drift": "the data drifted",
    }
    because = " and ".join(words.get(reason, reason) for reason in holding)
    sentence = f"Retraining is recommended: {because}." if holding else "Retraining is not recommended."
    return {"retrain": bool(holding), "reasons": holding, "sentence": sentence}

"""How good a window's predictions were, or are expected to be: the part of a report on performance."""

from collections.abc import Mapping
from typing import Any, Final

from driftgauge.config.fields import METRICS
from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.performance import SCORES
from driftgauge.report.subject import Chosen
from driftgauge.schema import Task

# The metric that stands for a model's performance where there is room for one, by task.
FIRST: Final[dict[Task, str]] = {"binary": "accuracy", "multiclass": "accuracy", "regression": "mae"}


def metrics_of(task: Task) -> list[str]:
    """Return the metrics of a task, in the order of the contract."""
    return [metric for metric in PERFORMANCE_GAUGES if task in METRICS[metric][0]]


def performance(chosen: Chosen) -> dict[str, Any]:
    """Return every metric with interval, baseline and estimate, and classes one by one."""
    rows = [_metric(chosen, metric) for metric in metrics_of(chosen.subject.state.config.task)]
    return {
        "labels": whole(chosen.value("model_window_labels")),
        "metrics": [row for row in rows if any(row[key] is not None for key in ("value", "baseline", "estimated"))],
        "concept_drift": flag(chosen.value("model_concept_drift_detected")),
        "classes": _classes(chosen),
        "confusion": _confusion(chosen),
    }


def _metric(chosen: Chosen, metric: str) -> dict[str, Any]:
    def of(family: str, *more: str) -> float | None:
        return chosen.value(family, metric, *more)

    return {
        "metric": metric,
        "better": "higher" if metric in SCORES else "lower",
        "value": chosen.value(PERFORMANCE_GAUGES[metric]),
        "lower": of("model_performance_bound", "lower"),
        "upper": of("model_performance_bound", "upper"),
        "baseline": chosen.of_version("model_performance_baseline", metric),
        "degradation": of("model_performance_degradation"),
        "estimated": of("model_estimated_performance"),
        "estimated_lower": of("model_estimated_performance_bound", "lower"),
        "estimated_upper": of("model_estimated_performance_bound", "upper"),
        "estimate_error": of("model_estimate_error"),
        "inputs_part": of("model_performance_change", "inputs"),
        "concept_part": of("model_performance_change", "concept"),
    }


def _classes(chosen: Chosen) -> list[dict[str, Any]]:
    figures = {each: chosen.values(f"model_class_{each}") for each in ("precision", "recall", "f1_score")}
    shares = chosen.found.values("model_class_share")
    here = (chosen.version, chosen.window.name)
    names = {*(name for found in figures.values() for name in found), *(key[2] for key in shares if key[:2] == here)}
    return [
        {
            "class": name,
            "precision": figures["precision"].get(name),
            "recall": figures["recall"].get(name),
            "f1": figures["f1_score"].get(name),
            "share_predicted": shares.get((*here, name, "predicted")),
            "share_of_labels": shares.get((*here, name, "label")),
            "share_in_reference": shares.get((*here, name, "reference")),
        }
        for name in sorted(names)
    ]


def _confusion(chosen: Chosen) -> dict[str, Any] | None:
    """Return rows of true classes by predicted ones, None where there are too many or none."""
    found = chosen.found.values("model_class_confusion")
    here = (chosen.version, chosen.window.name)
    counts = {key[2:]: int(value) for key, value in found.items() if key[:2] == here}
    names = sorted({name for pair in counts for name in pair})
    if not names:
        return None
    return {"classes": names, "rows": [[counts.get((true, predicted), 0) for predicted in names] for true in names]}


def is_unmeasured(found: Mapping[str, Any]) -> bool:
    """Return whether labels came and nothing follows from them, as when they share no class with the predictions."""
    return bool(found["labels"]) and all(row["value"] is None for row in found["metrics"])


def whole(value: float | None) -> int | None:
    """Return a count as a whole number."""
    return None if value is None else int(value)


def flag(value: float | None) -> bool | None:
    """Return a gauge of 0 or 1 as what it means."""
    return None if value is None else bool(value)

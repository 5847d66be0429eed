"""What the landing page shows of each model, computed by the refresher: its state, scores, features, what was said.

It goes to the front as JSON values: texts, numbers, lists and mappings; times are seconds since 1970.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from driftgauge.config import Config, ModelConfig
from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.generator.annotations import runbook
from driftgauge.generator.thresholds import Thresholds, shipped
from driftgauge.pipeline.journal import Journal, Remark
from driftgauge.samples import Samples
from driftgauge.service.facts import Facts
from driftgauge.service.verdicts import STATES, Verdict, is_judged, verdicts
from driftgauge.windows import MICROSECONDS

# The metrics shown of a model, by task, as far as there are values; the first stands for its performance.
_METRICS: Final = {
    "binary": ("accuracy", "f1", "roc_auc"),
    "multiclass": ("accuracy", "f1"),
    "regression": ("mae", "rmse", "r2"),
}
_WORST: Final = 3
_REMARKS: Final = 8
WHAT: Final = {
    "doubt": "read with doubt",
    "file": "file set aside",
    "suffix": "not read",
    "lookup": "not looked up",
}


@cache
def thresholds() -> Thresholds:
    """Return the thresholds that ship with driftgauge, by which the state of a model is told."""
    return shipped()


def figures(model: ModelConfig, config: Config, samples: Samples, journal: Journal, *, now: int) -> dict[str, Any]:
    """Return what is shown of a model at `now` (µs)."""
    facts = Facts(model, config, samples, journal, now, thresholds())
    longest = max(config.windows, key=lambda window: window.seconds).name
    version = next(iter(facts.versions), "")
    found = verdicts(facts)
    return {
        "state": _state(facts, found),
        "verdicts": [_verdict(verdict) for verdict in found],
        "version": version,
        "last_prediction": facts.value("model_last_prediction_timestamp_seconds"),
        "last_label": facts.value("model_last_label_timestamp_seconds"),
        "predictions": _whole(facts.value("model_window_predictions", version, longest)),
        "scores": list(_scores(facts, version)),
        "drifted_features": _whole(facts.value("model_drifted_features", version, facts.window("drift"))),
        "monitored_features": _whole(facts.value("model_monitored_features", version, facts.window("drift"))),
        "drift_window": facts.window("drift"),
        "worst": _worst(facts, version),
        "said": [_said(remark, now) for remark in _lately(facts)],
        "counts": _counts(facts),
        "dashboard": f"{facts.thresholds.links.grafana}/d/driftgauge-model",
        "failing_runbook": runbook(facts.thresholds.links, facts.thresholds.alert("DriftgaugeRefreshFailing").runbook),
    }


def _state(facts: Facts, found: list[Verdict]) -> str:
    """Return the word of the gravest alert; without one, whether anything came and could be judged."""
    if found:
        return STATES[found[0].alert]
    if not facts.versions:
        return "waiting"
    return "healthy" if is_judged(facts) else "unjudged"


def _verdict(verdict: Verdict) -> dict[str, str]:
    return {
        "alert": verdict.alert,
        "severity": verdict.severity,
        "text": verdict.text,
        "runbook": verdict.runbook,
    }


def _scores(facts: Facts, version: str) -> Iterator[dict[str, Any]]:
    """Yield each metric with rows and baseline, over the window of the alerts, else the first that has a value."""
    watched = facts.window("performance")
    windows = [watched, *(window.name for window in facts.config.windows if window.name != watched)]
    for metric in _METRICS[facts.model.task]:
        values = facts.values(PERFORMANCE_GAUGES[metric])
        window = next((name for name in windows if (version, name) in values), None)
        if window is not None:
            yield {
                "metric": metric,
                "value": values[version, window],
                "window": window,
                "labels": _whole(facts.value("model_window_labels", version, window)),
                "baseline": facts.value("model_performance_baseline", version, metric),
            }


def _worst(facts: Facts, version: str) -> list[dict[str, Any]]:
    """Return the features farthest from the reference, by PSI, with KS beside it where there is one."""
    window = facts.window("drift")

    def of(family: str) -> dict[str, float]:
        return {key[2]: value for key, value in facts.values(family).items() if key[:2] == (version, window)}

    psi, ks = of("model_feature_psi"), of("model_feature_ks_statistic")
    flags = of("model_feature_drift_detected")
    names = sorted({*psi, *ks}, key=lambda name: (-psi.get(name, 0.0), -ks.get(name, 0.0), name))
    return [
        {"feature": name, "psi": psi.get(name), "ks": ks.get(name), "drifted": bool(flags.get(name))}
        for name in names[:_WORST]
    ]


def _lately(facts: Facts) -> list[Remark]:
    """Return what was said within the longest window, the latest first."""
    longest = max(window.seconds for window in facts.config.windows)
    found = [each for each in facts.journal.remarks.values() if facts.now - each.last <= longest * MICROSECONDS]
    return found[::-1][:_REMARKS]


def _said(remark: Remark, now: int) -> dict[str, Any]:
    return {
        "what": WHAT[remark.kind],
        "reason": remark.reason,
        "subject": remark.subject,
        "example": remark.example,
        "text": remark.text,
        "file": remark.file,
        "count": remark.count,
        "first": min(remark.first, now) / MICROSECONDS,
        "last": min(remark.last, now) / MICROSECONDS,
    }


def _counts(facts: Facts) -> list[dict[str, Any]]:
    """Return what was counted since the start and is in no figure, by reason; the most frequent first."""
    families = {"rows rejected": "model_rows_rejected_total", "files set aside": "model_batch_failures_total"}
    found = [
        *((what, reason, count) for what, name in families.items() for (reason,), count in facts.values(name).items()),
        ("files not read", "suffix", facts.value("model_files_not_read_total") or 0),
    ]
    ranked = sorted(found, key=lambda each: (each[0] == "files not read", each[0], -each[2]))
    return [{"what": what, "reason": reason, "count": int(count)} for what, reason, count in ranked if count]


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)

"""What the landing page shows of each model, computed by the refresher: its state, scores, features, what was said.

It goes to the front as JSON values: texts, numbers, lists and mappings; times are seconds since 1970.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from driftgauge.config import Config, ModelConfig
from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.generator.annotations import runbook
from driftgauge.generator.matching import blind_windows
from driftgauge.pipeline.journal import Journal, Remark
from driftgauge.samples import Samples
from driftgauge.service.facts import Facts
from driftgauge.service.judging import STATES, judged, rules_of
from driftgauge.verdict import Finding
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


def figures(model: ModelConfig, config: Config, samples: Samples, journal: Journal, *, now: int) -> dict[str, Any]:
    """Return what is shown of a model at `now` (µs)."""
    rules = rules_of(config, model)
    facts = Facts(model, config, samples, journal, now, rules.thresholds)
    longest = max(config.windows, key=lambda window: window.seconds).name
    version = next(iter(facts.versions), "")
    found = judged(model.name, samples, journal, rules, now=now)
    return {
        "task": model.task,
        "state": _state(facts, found),
        "verdicts": list(_verdicts(found)),
        "notes": list(_notes(facts)),
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
        "failing_runbook": _runbook(facts, "DriftgaugeRefreshFailing"),
        "unwritten_runbook": _runbook(facts, "DriftgaugeWritebackFailing"),
    }


def _runbook(facts: Facts, alert: str) -> str:
    return runbook(facts.thresholds.links, facts.thresholds.alert(alert).runbook)


def _state(facts: Facts, found: Sequence[Finding]) -> str:
    """Return the word of the gravest alert; without one, whether anything came, fits together and could be judged."""
    if found:
        return STATES[found[0].alert]
    if not facts.versions:
        within = facts.own.alerts.ModelRowsRejected.within
        return "rows rejected" if facts.journal.lately(facts.now - int(within * MICROSECONDS)).rejected else "waiting"
    if _unmatched(facts):
        return "labels unmatched"
    return "healthy" if is_judged(facts) else "unjudged"


def is_judged(facts: Facts) -> bool:
    """Return whether drift or performance of the model could be judged in a window that alerts look at."""
    windows, least = facts.own.windows, facts.own.alerts.ModelPerformanceDegraded.least
    drift = (*facts.values("model_monitored_features"), *facts.values("model_prediction_drift_detected"))
    labels = facts.values("model_window_labels")
    degradation = facts.values("model_performance_degradation")
    return any(window == windows.drift.name for _, window in drift) or any(
        window == windows.performance.name and labels.get((version, window), 0) >= least
        for version, window, _ in degradation
    )


def _unmatched(facts: Facts) -> str:
    """Return what is to be said when labels meet no prediction; no alert knows before the labels are due."""
    ratio = facts.value("model_label_match_ratio")
    if ratio is None or ratio >= facts.own.alerts.ModelLabelsMissing.coverage:
        return ""
    return f"{ratio:.1%} of the labels met a prediction: look whether both carry the same ids"


def _verdicts(found: Sequence[Finding]) -> Iterator[dict[str, str]]:
    """Yield what each alert says: one line, however many series it holds for."""
    for _, alike in groupby(found, key=lambda finding: finding.alert):
        first, *others = alike
        more = f"Also: {_named(others)}. " if others else ""
        unsure = "No alert if it was so a week before. " if first.unsure else ""
        yield {
            "alert": first.alert,
            "severity": first.severity,
            "text": first.sentence,
            "runbook": first.runbook,
            "look": f"{more}{unsure}{first.look}",
        }


def _named(found: Sequence[Finding]) -> str:
    """Return what findings of one alert are about."""
    names = list(dict.fromkeys(", ".join(each.others.values()) or f"version {each.version}" for each in found))
    more = f" and {len(names) - _WORST} more" if len(names) > _WORST else ""
    return f"{', '.join(names[:_WORST])}{more}"


def _notes(facts: Facts) -> Iterator[str]:
    """Yield what no alert says: labels that meet nothing, and alerts that look where nothing is."""
    if said := _unmatched(facts):
        yield said
    yield from blind_windows(facts.own.windows, facts.config)


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

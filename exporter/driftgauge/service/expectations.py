"""What alerts on performance and on what is estimated would say of a model now; the others are in `verdicts`."""

from collections.abc import Iterator, Mapping
from typing import Final

from driftgauge.generator.alerts import Alerts, Evidence
from driftgauge.generator.thresholds import ERRORS
from driftgauge.service.facts import Facts, current, watched

# Of the rows of the reference, which share is as far from its center as each level says.
_LEVELS: Final = {"0.99": 0.01, "0.999": 0.001}
# Signals of evidence that are of labels.
_REALISED: Final = ("accuracy", "f1")


def degraded(facts: Facts, alerts: Alerts) -> Iterator[str]:
    """Compare metrics with their baselines: what is certain where there is an interval, else the figure."""
    limits = alerts.ModelPerformanceDegraded
    window = facts.window("performance")
    for version in current(facts):
        labels = facts.value("model_window_labels", version, window) or 0
        for metric, limit in limits.degradation.items():
            worse = facts.value("model_performance_degradation", version, window, metric)
            certain = _certain(facts, "model_performance_bound", version, window, metric) if limits.confident else None
            enough = labels >= (limits.min_labels if certain is None else limits.confident_labels)
            if enough and worse is not None and min(worse, worse if certain is None else certain) > limit:
                yield f"version {version}: {metric} is {_off(metric, worse)} its baseline in {window}"


def estimated_degraded(facts: Facts, alerts: Alerts) -> Iterator[str]:
    """Compare what is certain of estimated metrics with their baselines, unless estimates proved wrong."""
    limits = alerts.ModelEstimatedPerformanceDegraded
    for version, window in watched(facts, "performance", limits):
        for metric, limit in limits.degradation.items():
            worse = facts.value("model_estimated_degradation", version, window, metric)
            certain = _certain(facts, "model_estimated_performance_bound", version, window, metric)
            beyond = worse is not None and certain is not None and min(worse, certain) > limit
            if beyond and not _estimates_err(facts, alerts, version, window, metric):
                off = f"{_off(metric, worse or 0)} its baseline in {window}"
                yield f"version {version}: if the relation to the label held, {metric} is {off}"


def concept_drift(facts: Facts, alerts: Alerts) -> Iterator[str]:
    """Look at the flag of a changed relation to the label."""
    for version, window in watched(facts, "performance", alerts.ModelConceptDrift):
        if facts.value("model_concept_drift_detected", version, window):
            known = _known_labels(facts, version, window)
            yield f"version {version}: the relation of inputs and label changed in {window}{known}"


def label_drift(facts: Facts, alerts: Alerts) -> Iterator[str]:
    """Look at the drift flag of the labels."""
    for version, window in watched(facts, "performance", alerts.ModelLabelDrift):
        if facts.value("model_label_drift_detected", version, window):
            known = _known_labels(facts, version, window)
            yield f"version {version}: the share of classes among labels changed in {window}{known}"


def slices_degraded(facts: Facts, alerts: Alerts) -> Iterator[str]:
    """Count the slices that became worse."""
    limits = alerts.ModelSlicesDegraded
    for version, window in watched(facts, "performance", limits):
        worse = facts.value("model_segments_worse", version, window) or 0
        if worse >= limits.segments:
            yield f"version {version}: {worse:.0f} slices became worse in {window}"


def multivariate_drift(facts: Facts, alerts: Alerts) -> Iterator[str]:
    """Look at both flags of all features together."""
    for version, window in watched(facts, "drift", alerts.ModelMultivariateDrift):
        flags = ("model_multivariate_drift_detected", "model_reconstruction_drift_detected")
        if any(facts.value(flag, version, window) for flag in flags):
            yield f"version {version}: the features are combined otherwise than in the reference in {window}"


def unusual_rows(facts: Facts, alerts: Alerts) -> Iterator[str]:
    """Compare the share of rows far from the reference's center."""
    limits = alerts.ModelUnusualRows
    for version, window in watched(facts, "quality", limits):
        ratios = {level: facts.value("model_anomalous_rows_ratio", version, window, level) for level in _LEVELS}
        times = max((ratio / _LEVELS[level] for level, ratio in ratios.items() if ratio is not None), default=0)
        if times > limits.times:
            yield f"version {version}: {times:.1f} times as many rows as usual are unlike the reference in {window}"


def performance_evidence(facts: Facts, alerts: Alerts) -> Iterator[str]:
    """Compare the evidence of labels."""
    return _evidence(facts, alerts.ModelPerformanceEvidence, realised=True)


def drift_evidence(facts: Facts, alerts: Alerts) -> Iterator[str]:
    """Compare the evidence of inputs, output and estimates."""
    return _evidence(facts, alerts.ModelDriftEvidence, realised=False)


def _evidence(facts: Facts, limits: Evidence, *, realised: bool) -> Iterator[str]:
    found: Mapping[tuple[str, ...], float] = facts.values("model_evidence_log10")
    for version in current(facts):
        for (of, signal), log10 in found.items():
            if of == version and (signal in _REALISED) is realised and log10 >= limits.log10:
                yield f"version {version}: {signal} lastingly changed, by evidence of 10 to the power of {log10:.2f}"


def _known_labels(facts: Facts, version: str, window: str) -> str:
    ratio = facts.value("model_label_ratio", version, window)
    return "" if ratio is None else f" ({ratio:.0%} of its predictions have their label)"


def _certain(facts: Facts, family: str, version: str, window: str, metric: str) -> float | None:
    """Return by how much a metric is worse than its baseline at the better end of its interval."""
    baseline = facts.value("model_performance_baseline", version, metric)
    better = facts.value(family, version, window, metric, "lower" if metric in ERRORS else "upper")
    if baseline is None or better is None:
        return None
    if metric not in ERRORS:
        return baseline - better
    return better / baseline - 1 if baseline > 0 else None


def _estimates_err(facts: Facts, alerts: Alerts, version: str, window: str, metric: str) -> bool:
    limits = alerts.ModelEstimatedPerformanceDegraded
    baseline = facts.value("model_performance_baseline", version, metric)
    for of in {window, facts.window("labels")}:
        error = facts.value("model_estimate_error", version, of, metric)
        labels = facts.value("model_window_labels", version, of) or 0
        if error is None or labels < limits.record_labels:
            continue
        if metric in ERRORS:
            error = error / baseline if baseline else 0
        if abs(error) > limits.estimate_error:
            return True
    return False


def _off(metric: str, worse: float) -> str:
    return f"{worse:.1%} above" if metric in ERRORS else f"{worse:.3f} below"

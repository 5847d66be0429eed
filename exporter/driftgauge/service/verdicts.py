"""Which alerts would say something of a model now, by the thresholds they are made of: for the landing page.

Nothing waits here (`for`, `keep_firing_for`, smoothing are Prometheus' business), and what only Prometheus knows, the
traffic of a week before, is left out. So the page says at once what an alert says later, and never the opposite.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.generator.alerts import SEVERITIES, Alerts, OnPredictions, Severity
from driftgauge.generator.annotations import runbook
from driftgauge.service import expectations
from driftgauge.service.facts import Facts, watched
from driftgauge.windows import MICROSECONDS

# The word of the landing page for each alert; of several that hold, the gravest speaks.
STATES: Final[Mapping[str, str]] = {
    "ModelPerformanceDegraded": "degraded",
    "ModelBelowFloor": "degraded",
    "ModelPerformanceEvidence": "degraded",
    "ModelEstimatedPerformanceDegraded": "probably degraded",
    "ModelConceptDrift": "concept drift",
    "ModelSlicesDegraded": "slices degraded",
    "ModelFeaturesDrifted": "drifting",
    "ModelPredictionShifted": "drifting",
    "ModelOutputDrifted": "drifting",
    "ModelMultivariateDrift": "drifting",
    "ModelDriftEvidence": "drifting",
    "ModelFeatureDrifted": "drifting",
    "ModelLabelDrift": "labels drifting",
    "ModelUnusualRows": "unusual rows",
    "ModelTrafficStopped": "waiting",
    "ModelMissingValues": "values missing",
    "ModelUnseenCategories": "unseen categories",
    "ModelOutliers": "outliers",
    "ModelLatencyHigh": "slow",
    "ModelErrorRatioHigh": "requests fail",
    "ModelLabelsLate": "labels late",
    "ModelLabelsMissing": "labels unmatched",
    "ModelRowsRejected": "rows rejected",
    "ModelBatchesRejected": "files set aside",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """An alert that holds: how grave it is, and what it says of the model."""

    alert: str
    severity: Severity
    text: str
    runbook: str


def verdicts(facts: Facts) -> list[Verdict]:
    """Return what alerts would say, the gravest first, and one of each."""
    alerts, found = facts.own.alerts, []
    for name, judge in _JUDGES.items():
        settings = getattr(alerts, name)
        said = next(judge(facts, alerts), None) if settings.enabled else None
        if said:
            address = runbook(facts.thresholds.links, settings.runbook)
            found.append(Verdict(name, settings.severity, said, address))
    order = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    return sorted(found, key=lambda verdict: order[verdict.severity])


def is_judged(facts: Facts) -> bool:
    """Return whether drift or performance of the model could be judged in any window."""
    if facts.values("model_monitored_features") or facts.values("model_prediction_drift_detected"):
        return True
    least = facts.own.alerts.ModelPerformanceDegraded.least
    labels = facts.values("model_window_labels")
    return any(labels.get(key[:2], 0) >= least for key in facts.values("model_performance_degradation"))


def _below_floor(facts: Facts, alerts: Alerts) -> Iterator[str]:
    for version, window in watched(facts, "performance", alerts.ModelBelowFloor):
        for bounds, sign in ((facts.own.floors, 1), (facts.own.ceilings, -1)):
            for metric, bound in bounds.items():
                value = facts.value(PERFORMANCE_GAUGES[metric], version, window)
                if value is not None and sign * value < sign * bound:
                    yield f"version {version}: {metric} is {value:.4g} in {window}, beyond {bound:.4g}"


def _features_drifted(facts: Facts, alerts: Alerts) -> Iterator[str]:
    limits = alerts.ModelFeaturesDrifted
    for version, window in watched(facts, "drift", limits):
        drifted = facts.value("model_drifted_features", version, window) or 0
        ratio = facts.value("model_drifted_features_ratio", version, window) or 0
        if drifted >= limits.features or ratio > limits.ratio:
            yield f"version {version}: {ratio:.0%} of the features ({drifted:.0f}) drifted in {window}"


def _prediction_shifted(facts: Facts, alerts: Alerts) -> Iterator[str]:
    limits = alerts.ModelPredictionShifted
    for version, window in watched(facts, "drift", limits):
        psi = facts.value("model_prediction_psi", version, window) or 0
        if psi > limits.psi and facts.value("model_prediction_drift_detected", version, window):
            yield f"version {version}: the PSI of the output is {psi:.3g} in {window}"


def _output_drifted(facts: Facts, alerts: Alerts) -> Iterator[str]:
    for version, window in watched(facts, "drift", alerts.ModelOutputDrifted):
        if facts.value("model_prediction_drift_detected", version, window):
            yield f"version {version}: the output drifted in {window}"


def _feature_drifted(facts: Facts, alerts: Alerts) -> Iterator[str]:
    for version, window in watched(facts, "drift", alerts.ModelFeatureDrifted):
        flags = facts.values("model_feature_drift_detected")
        drifted = [name for (v, w, name), flag in flags.items() if (v, w) == (version, window) and flag]
        if drifted:
            more = f" and {len(drifted) - 3} more" if len(drifted) > 3 else ""
            yield f"version {version}: {', '.join(drifted[:3])}{more} drifted in {window}"


def _worst_feature(
    family: str, what: str, limits_of: Callable[[Alerts], tuple[OnPredictions, float]], *, moved: bool = False
) -> Callable[[Facts, Alerts], Iterator[str]]:
    """Return what judges the worst feature; moved: only of those that are not known to be as the reference is."""

    def judge(facts: Facts, alerts: Alerts) -> Iterator[str]:
        limits, limit = limits_of(alerts)
        flags = facts.values("model_feature_drift_detected") if moved else {}
        for version, window in watched(facts, "quality", limits):
            of_window = {
                k[2]: v for k, v in facts.values(family).items() if k[:2] == (version, window) and flags.get(k) != 0
            }
            worst = max(of_window, key=of_window.__getitem__, default=None)
            if worst is not None and of_window[worst] > limit:
                yield f"version {version}: {of_window[worst]:.1%} of {worst} {what} in {window}"

    return judge


def _latency(facts: Facts, alerts: Alerts) -> Iterator[str]:
    limits = alerts.ModelLatencyHigh
    for version, window in watched(facts, "service", limits):
        p99 = facts.value("model_latency_quantile_seconds", version, window, "0.99") or 0
        if p99 > limits.p99:
            yield f"version {version}: one request in a hundred took longer than {p99:.3g} s in {window}"


def _errors(facts: Facts, alerts: Alerts) -> Iterator[str]:
    limits = alerts.ModelErrorRatioHigh
    for version, window in watched(facts, "service", limits):
        ratio = facts.value("model_error_ratio", version, window) or 0
        if ratio > limits.error_ratio:
            yield f"version {version}: {ratio:.1%} of the requests failed in {window}"


def _stopped(facts: Facts, alerts: Alerts) -> Iterator[str]:
    last = facts.value("model_last_prediction_timestamp_seconds")
    if last is not None and facts.now / MICROSECONDS - last > alerts.ModelTrafficStopped.silence:
        hours = (facts.now / MICROSECONDS - last) / 3600
        yield f"the newest prediction is {hours:,.0f} h old; an alert unless it was so a week before"


def _labels_late(facts: Facts, alerts: Alerts) -> Iterator[str]:
    last, window = facts.value("model_last_label_timestamp_seconds"), facts.window("labels")
    asked = sum(v for (_, w), v in facts.values("model_window_predictions").items() if w == window)
    if last is not None and asked and facts.now / MICROSECONDS - last > alerts.ModelLabelsLate.delay:
        yield f"the newest label is {(facts.now / MICROSECONDS - last) / 86400:,.0f} days old"


def _labels_missing(facts: Facts, alerts: Alerts) -> Iterator[str]:
    ratio = facts.value("model_label_match_ratio")
    if ratio is not None and ratio < alerts.ModelLabelsMissing.coverage:
        yield f"{ratio:.1%} of the labels met a prediction: look whether both carry the same ids"


def _rows_rejected(facts: Facts, alerts: Alerts) -> Iterator[str]:
    limits = alerts.ModelRowsRejected
    lately = facts.journal.lately(facts.now - int(limits.within * MICROSECONDS))
    rejected = sum(lately.rejected.values())
    read = rejected + lately.rows
    # A model of which not one row counts needs nobody to wait for a hundred.
    least = limits.min_rows if facts.values("model_predictions_total") else 1
    if read >= least and rejected > limits.rejected_ratio * read:
        hours = limits.within / 3600
        by_reason = _by_count(lately.rejected)
        yield f"{rejected:,} of the {read:,} rows and labels of the last {hours:g} h cannot be used ({by_reason})"


def _files_rejected(facts: Facts, alerts: Alerts) -> Iterator[str]:
    limits = alerts.ModelBatchesRejected
    lately = facts.journal.lately(facts.now - int(limits.within * MICROSECONDS))
    failures = sum(lately.failures.values())
    if failures >= limits.failures:
        yield f"files that cannot be read: {failures:,} ({_by_count(lately.failures)})"


def _by_count(counts: Mapping[str, int]) -> str:
    ranked: Sequence[tuple[str, int]] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {count:,}" for reason, count in ranked)


_JUDGES: Final[Mapping[str, Callable[[Facts, Alerts], Iterator[str]]]] = {
    "ModelPerformanceDegraded": expectations.degraded,
    "ModelBelowFloor": _below_floor,
    "ModelPerformanceEvidence": expectations.performance_evidence,
    "ModelEstimatedPerformanceDegraded": expectations.estimated_degraded,
    "ModelConceptDrift": expectations.concept_drift,
    "ModelSlicesDegraded": expectations.slices_degraded,
    "ModelFeaturesDrifted": _features_drifted,
    "ModelPredictionShifted": _prediction_shifted,
    "ModelOutputDrifted": _output_drifted,
    "ModelMultivariateDrift": expectations.multivariate_drift,
    "ModelDriftEvidence": expectations.drift_evidence,
    "ModelFeatureDrifted": _feature_drifted,
    "ModelLabelDrift": expectations.label_drift,
    "ModelUnusualRows": expectations.unusual_rows,
    "ModelTrafficStopped": _stopped,
    "ModelMissingValues": _worst_feature(
        "model_feature_missing_ratio",
        "is missing",
        lambda alerts: (alerts.ModelMissingValues, alerts.ModelMissingValues.missing_ratio),
    ),
    "ModelUnseenCategories": _worst_feature(
        "model_feature_unseen_ratio",
        "are categories that the reference never had",
        lambda alerts: (alerts.ModelUnseenCategories, alerts.ModelUnseenCategories.unseen_ratio),
        moved=True,
    ),
    "ModelOutliers": _worst_feature(
        "model_feature_outlier_ratio",
        "lies far outside of the reference",
        lambda alerts: (alerts.ModelOutliers, alerts.ModelOutliers.outlier_ratio),
        moved=True,
    ),
    "ModelLatencyHigh": _latency,
    "ModelErrorRatioHigh": _errors,
    "ModelLabelsLate": _labels_late,
    "ModelLabelsMissing": _labels_missing,
    "ModelRowsRejected": _rows_rejected,
    "ModelBatchesRejected": _files_rejected,
}

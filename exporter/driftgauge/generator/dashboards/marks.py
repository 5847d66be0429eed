"""The numbers at which panels change colour, each with the severity that gives the colour.

They are the thresholds of the alerts, so a panel turns red when somebody is paged. This module knows no panels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsConfig, ThresholdsMode

from driftgauge.generator.alerts import Severity
from driftgauge.generator.thresholds import Thresholds

GOOD: Final = "green"
NEUTRAL: Final = "text"
COLOURS: Final[Mapping[Severity, str]] = MappingProxyType(
    {"none": "blue", "low": "yellow", "medium": "orange", "high": "red", "critical": "dark-red"}
)


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A value from which on something is as bad as `severity` says."""

    value: float
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """All marks of the dashboards, and the other settings they share with the alerts.

    degradation: by metric, absolute for scores and relative for errors; expected: of estimates, alike. unusual: how
    many times as many rows. Ratios are 0 to 1; ages and latency in seconds.
    window: the one that dashboards show first.
    """

    degradation: Mapping[str, Mark]
    expected: Mapping[str, Mark]
    evidence: Mark
    segments_worse: Mark
    unusual: Mark
    concept: Mark
    together: Mark
    got_worse: Mark
    drifted_feature: Mark
    drifted_features: Mark
    drifted_ratio: Mark
    prediction_drifted: Mark
    labels_drifted: Mark
    retraining: Mark
    prediction_psi: Mark
    missing: Mark
    unseen: Mark
    outliers: Mark
    rejected: Mark
    unreadable: Mark
    errors: Mark
    latency: Mark
    coverage: Mark
    labels_late: Mark
    traffic_stopped: Mark
    traffic_fell: Mark
    stale: Mark
    unwritten: Mark
    dropped: Mark
    window: str
    mlflow_url: str

    def watched(self, metrics: Sequence[str]) -> tuple[str, ...]:
        """Return those of the metrics that an alert watches, or all of them if it watches none."""
        return tuple(name for name in metrics if name in self.degradation) or tuple(metrics)

    def of_metrics(self, metrics: Sequence[str]) -> Mark | None:
        """Return the lowest mark of those metrics that are watched, None if none is."""
        return _lowest(self.degradation, metrics)

    def of_expected(self, metrics: Sequence[str]) -> Mark | None:
        """Return the lowest mark of those metrics whose estimates are watched, None if none is."""
        return _lowest(self.expected, metrics)


def _lowest(marks: Mapping[str, Mark], metrics: Sequence[str]) -> Mark | None:
    return min((marks[name] for name in metrics if name in marks), default=None)


def marks_of(thresholds: Thresholds) -> Marks:
    """Return the marks that follow from the thresholds that hold for all models."""
    alerts = thresholds.alerts
    performance = alerts.ModelPerformanceDegraded
    expected = alerts.ModelEstimatedPerformanceDegraded
    drifted = alerts.ModelFeaturesDrifted
    return Marks(
        degradation={name: Mark(value, performance.severity) for name, value in performance.degradation.items()},
        expected={name: Mark(value, expected.severity) for name, value in expected.degradation.items()},
        evidence=Mark(alerts.ModelPerformanceEvidence.log10, alerts.ModelPerformanceEvidence.severity),
        segments_worse=Mark(alerts.ModelSlicesDegraded.segments, alerts.ModelSlicesDegraded.severity),
        unusual=Mark(alerts.ModelUnusualRows.times, alerts.ModelUnusualRows.severity),
        concept=Mark(1, alerts.ModelConceptDrift.severity),
        together=Mark(1, alerts.ModelMultivariateDrift.severity),
        got_worse=Mark(1, performance.severity),
        drifted_feature=Mark(1, alerts.ModelFeatureDrifted.severity),
        drifted_features=Mark(drifted.features, drifted.severity),
        drifted_ratio=Mark(drifted.ratio, drifted.severity),
        prediction_drifted=Mark(1, alerts.ModelOutputDrifted.severity),
        labels_drifted=Mark(1, alerts.ModelLabelDrift.severity),
        retraining=Mark(1, alerts.ModelRetrainingRecommended.severity),
        prediction_psi=Mark(alerts.ModelPredictionShifted.psi, alerts.ModelPredictionShifted.severity),
        missing=Mark(alerts.ModelMissingValues.missing_ratio, alerts.ModelMissingValues.severity),
        unseen=Mark(alerts.ModelUnseenCategories.unseen_ratio, alerts.ModelUnseenCategories.severity),
        outliers=Mark(alerts.ModelOutliers.outlier_ratio, alerts.ModelOutliers.severity),
        rejected=Mark(1, alerts.ModelRowsRejected.severity),
        unreadable=Mark(alerts.ModelBatchesRejected.failures, alerts.ModelBatchesRejected.severity),
        errors=Mark(alerts.ModelErrorRatioHigh.error_ratio, alerts.ModelErrorRatioHigh.severity),
        latency=Mark(alerts.ModelLatencyHigh.p99, alerts.ModelLatencyHigh.severity),
        coverage=Mark(alerts.ModelLabelsMissing.coverage, alerts.ModelLabelsMissing.severity),
        labels_late=Mark(alerts.ModelLabelsLate.delay, alerts.ModelLabelsLate.severity),
        traffic_stopped=Mark(alerts.ModelTrafficStopped.silence, alerts.ModelTrafficStopped.severity),
        traffic_fell=Mark(alerts.ModelTrafficFell.share_of_last_week, alerts.ModelTrafficFell.severity),
        stale=Mark(alerts.DriftgaugeStale.age, alerts.DriftgaugeStale.severity),
        unwritten=Mark(alerts.DriftgaugeWritebackFailing.age, alerts.DriftgaugeWritebackFailing.severity),
        dropped=Mark(1, alerts.DriftgaugeSeriesDropped.severity),
        window=thresholds.windows.drift.name,
        mlflow_url=thresholds.links.mlflow,
    )


def steps(*marks: Mark | None, below: str = GOOD) -> ThresholdsConfig:
    """Return the colour `below` all marks, and that of each mark from its value on; of equal ones the severest."""
    ranks = list(COLOURS)
    by_value: dict[float, Severity] = {}
    for mark in sorted(filter(None, marks), key=lambda each: (each.value, ranks.index(each.severity))):
        by_value[mark.value] = mark.severity
    coloured = [Threshold(value, COLOURS[severity]) for value, severity in by_value.items()]
    return ThresholdsConfig(ThresholdsMode.ABSOLUTE, [Threshold(None, below), *coloured])

"""The keys of each alert in the thresholds file: one class per alert, with its thresholds and the keys of all alerts.

There are no defaults here: the shipped file has all of them. Units: seconds, ratios from 0 to 1.
"""

from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator, Field

from driftgauge.config.fields import Metric, Name, Number, Whole, seconds_between
from driftgauge.config.section import Section
from driftgauge.config.units import DAY, SECOND

Severity = Literal["critical", "high", "medium", "low", "none"]
# The most severe first.
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)

Duration = Annotated[float, seconds_between(SECOND, 30 * DAY)]
Wait = Annotated[float, seconds_between(0, 30 * DAY)]
Latency = Annotated[float, seconds_between(SECOND / 1000, DAY)]
Count = Annotated[Whole, Field(ge=1)]
# One day may be a bad batch; a week is as long as panes are usually kept.
Days = Annotated[Whole, Field(ge=2, le=30)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]


def watched(metrics: Any) -> Any:
    """Leave out what is `false`, with which a file removes a metric that the shipped one names."""
    return (
        {key: value for key, value in metrics.items() if value is not False} if isinstance(metrics, dict) else metrics
    )


class Alert(Section):
    """What every alert has. `for_` and `keep_firing_for` in seconds; runbook: a file name, or a whole URL."""

    enabled: bool
    severity: Severity
    for_: Annotated[Wait, Field(alias="for")]
    keep_firing_for: Wait
    runbook: Name


# One rule, alerting or recording, serves all models, so these cannot differ between them.
COMMON_KEYS: Final = ("severity", "for", "keep_firing_for", "runbook", "within")


class OnLabels(Alert):
    """Needs at least `min_labels` labelled predictions in the window."""

    min_labels: Count

    @property
    def least(self) -> int:
        """Return how many rows decide."""
        return self.min_labels


class OnPredictions(Alert):
    """Needs at least `min_predictions` predictions in the window."""

    min_predictions: Count

    @property
    def least(self) -> int:
        """Return how many rows decide."""
        return self.min_predictions


Degradation = Annotated[dict[Metric, Positive], BeforeValidator(watched)]


class PerformanceDegraded(OnLabels):
    """A metric is worse than its baseline: by metric, absolute for scores, relative for errors.

    confident: from `confident_labels` labels on the better end of the metric's interval decides, where there is one.
    """

    degradation: Degradation
    confident: bool
    confident_labels: Count


class EstimatedDegraded(OnPredictions):
    """The better end of an estimated metric's interval is worse than the baseline.

    Silent while the estimates erred by more than `estimate_error` on at least `record_labels` labelled predictions.
    """

    degradation: Degradation
    estimate_error: Positive
    record_labels: Count


class ConceptDrift(OnLabels):
    """The relation of score or inputs to the label changed."""


class LabelDrift(OnLabels):
    """The drift flag of the labels is 1; `driftgauge.yml` says when it is set."""


class SlicesDegraded(OnLabels):
    """At least `segments` slices are significantly worse than in the reference."""

    segments: Count


class Evidence(Alert):
    """Evidence of a lasting change is at least ten to the power of `log10`."""

    log10: Positive


class RetrainingRecommended(Alert):
    """The policy says retrain: it holds now, and held on each of the last days that are over.

    performance_days, concept_days, drift_days: how many, by reason. min_labels: of now and of each day, where labels
    tell. estimated_loss: of drift, how much worse than the baseline the estimate has to be, at the better end of its
    interval.
    """

    min_labels: Count
    performance_days: Days
    concept_days: Days
    drift_days: Days
    estimated_loss: Positive


class HookFailing(Alert):
    """Triggers of `driftgauge hook` failed, or notifications were refused, within `within`."""

    within: Duration


class BelowFloor(OnLabels):
    """A metric left the bounds in `models:`."""


class FeaturesDrifted(OnPredictions):
    """At least `features` features drifted, or more than the share `ratio` of them."""

    features: Count
    ratio: Share


class PredictionShifted(OnPredictions):
    """The output's PSI is above `psi`."""

    psi: Positive


class Flagged(OnPredictions):
    """A drift flag is 1; `driftgauge.yml` says when it is set."""


class UnusualRows(OnPredictions):
    """More than `times` as many rows as in the reference are far from its center."""

    times: Annotated[Number, Field(gt=1)]


class MissingValues(OnPredictions):
    """More than `missing_ratio` of a feature's values are missing."""

    missing_ratio: Share


class UnseenCategories(OnPredictions):
    """More than `unseen_ratio` of a feature's values are categories the reference never had."""

    unseen_ratio: Share


class Outliers(OnPredictions):
    """More than `outlier_ratio` of a feature's values are far outside the reference."""

    outlier_ratio: Share


class RowsRejected(Alert):
    """More than `rejected_ratio` of the rows read within `within` could not be used."""

    rejected_ratio: Share
    within: Duration
    min_rows: Count


class BatchesRejected(Alert):
    """At least `failures` files could not be read within `within`."""

    failures: Count
    within: Duration


class LatencyHigh(OnPredictions):
    """The 99th percentile of the time to answer is above `p99` seconds."""

    p99: Latency


class ErrorRatioHigh(OnPredictions):
    """More than `error_ratio` of the requests failed."""

    error_ratio: Share


class TrafficStopped(Alert):
    """No prediction for `silence` seconds."""

    silence: Duration


class TrafficFell(Alert):
    """Fewer predictions than `share_of_last_week` of last week's, which were at least `min_predictions`."""

    share_of_last_week: Annotated[Number, Field(gt=0, lt=1)]
    min_predictions: Count


class LabelsLate(Alert):
    """No label for `delay` seconds."""

    delay: Duration


class LabelsMissing(Alert):
    """Fewer than the share `coverage` of predictions have their label."""

    coverage: Annotated[Number, Field(gt=0, lt=1)]
    min_predictions: Count


class Stale(Alert):
    """No successful refresh and nothing new for `age` seconds."""

    age: Duration


class WritebackFailing(Alert):
    """Results have waited for longer than `age` seconds to be written to MLflow."""

    age: Duration


class SeriesDropped(Alert):
    """Series were left out within `within`."""

    within: Duration


class Alerts(Section):
    """Every alert there is, in the order of the rule files."""

    ModelPerformanceDegraded: PerformanceDegraded
    ModelBelowFloor: BelowFloor
    ModelPerformanceEvidence: Evidence
    ModelEstimatedPerformanceDegraded: EstimatedDegraded
    ModelConceptDrift: ConceptDrift
    ModelSlicesDegraded: SlicesDegraded
    ModelRetrainingRecommended: RetrainingRecommended
    ModelFeaturesDrifted: FeaturesDrifted
    ModelPredictionShifted: PredictionShifted
    ModelOutputDrifted: Flagged
    ModelMultivariateDrift: Flagged
    ModelDriftEvidence: Evidence
    ModelFeatureDrifted: Flagged
    ModelLabelDrift: LabelDrift
    ModelUnusualRows: UnusualRows
    ModelMissingValues: MissingValues
    ModelUnseenCategories: UnseenCategories
    ModelOutliers: Outliers
    ModelRowsRejected: RowsRejected
    ModelBatchesRejected: BatchesRejected
    ModelLatencyHigh: LatencyHigh
    ModelErrorRatioHigh: ErrorRatioHigh
    ModelTrafficStopped: TrafficStopped
    ModelTrafficFell: TrafficFell
    ModelLabelsLate: LabelsLate
    ModelLabelsMissing: LabelsMissing
    DriftgaugeAbsent: Alert
    DriftgaugeDown: Alert
    DriftgaugeRefreshFailing: Alert
    DriftgaugeStale: Stale
    DriftgaugeMlflowUnreachable: Alert
    DriftgaugeSeriesDropped: SeriesDropped
    DriftgaugeConfigReloadFailed: Alert
    DriftgaugeLabelsRenamed: Alert
    DriftgaugeShardsMissing: Alert
    DriftgaugeShardsMismatch: Alert
    DriftgaugeWritebackFailing: WritebackFailing
    DriftgaugeHookFailing: HookFailing
    DriftgaugeWatchdog: Alert


ALERTS: Final[tuple[str, ...]] = tuple(Alerts.model_fields)
# Alerts on a model; the others are on the exporter.
MODEL_ALERTS: Final = tuple(name for name in ALERTS if name.startswith("Model"))
# Always fires, so its `for` is 0.
WATCHDOG: Final = "DriftgaugeWatchdog"

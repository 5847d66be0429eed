"""Recording rules: what several alerts and panels compare, smoothed and with replicas merged.

Names are `level:metric:operations`. The level says which labels a series has, in addition to job and target labels:

    version    model, version, window           the worst of `smoothing`, of all replicas
    feature    model, version, window, feature  the same
    model      model, and window where there is one

How much worse than a baseline, or how wrong, is absolute for scores and relative to the baseline for errors.

A number of rows that alerts compare with a minimum (`…:min`) is the smallest of `smoothing`: a bad value counts only
when there were enough rows all the time, also on a replica that has just started. No threshold is compared here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from driftgauge.generator.promql import Target, any_of, duration, none_of
from driftgauge.generator.thresholds import ERRORS, Thresholds

VERSION: Final = ("model", "version", "window")


@dataclass(frozen=True, slots=True)
class Recording:
    """labels: of the series, in addition to job and target labels. expr: its expression."""

    labels: tuple[str, ...]
    expr: Callable[[Thresholds], str]


def _worst(family: str, *more: str, how: str = "max", **only: str) -> Recording:
    """Record the largest (or smallest) value of the last minutes on any replica."""

    def expr(thresholds: Thresholds) -> str:
        target = Target.of(thresholds)
        recent = f"{target.series(family, **only)}[{duration(thresholds.smoothing)}]"
        return f"{how} by {target.by(*VERSION, *more)} ({how}_over_time({recent}))"

    return Recording((*VERSION, *more), expr)


_SCORES_ONLY: Final = none_of("metric", sorted(ERRORS))
_ERRORS_ONLY: Final = any_of("metric", sorted(ERRORS))


def _baseline(thresholds: Thresholds) -> str:
    target = Target.of(thresholds)
    recent = f"{target.series('model_performance_baseline')}[{duration(thresholds.smoothing)}]"
    return f"max by {target.by('model', 'version', 'metric')} (max_over_time({recent}))"


def _certain(bounds: str) -> Recording:
    """Record by how much a metric is worse than its baseline at the better end of its interval.

    As model_performance_degradation is: absolute for scores, relative for errors.
    """

    def expr(thresholds: Thresholds) -> str:
        target, recent = Target.of(thresholds), duration(thresholds.smoothing)
        labels, shared, baseline = (*VERSION, "metric"), ("model", "version", "metric"), _baseline(thresholds)
        upper = f"min_over_time({target.series(bounds, _SCORES_ONLY, bound='upper')}[{recent}])"
        lower = f"max_over_time({target.series(bounds, _ERRORS_ONLY, bound='lower')}[{recent}])"
        return (
            f"max by {target.by(*labels)} (\n"
            f"  {baseline}\n"
            f"  - on {target.by(*shared)} group_right ()\n"
            f"  min by {target.by(*labels)} ({upper})\n"
            "or\n"
            f"  max by {target.by(*labels)} ({lower})\n"
            f"  / on {target.by(*shared)} group_left ()\n"
            f"  ({baseline} > 0)\n"
            "  - 1\n"
            ")"
        )

    return Recording((*VERSION, "metric"), expr)


def _estimate_error(how: str) -> Recording:
    """Record by how much estimates erred: absolute for scores, relative to the baseline for errors."""

    def expr(thresholds: Thresholds) -> str:
        target, recent = Target.of(thresholds), duration(thresholds.smoothing)
        labels = target.by(*VERSION, "metric")
        scores, errors = (
            f"{how} by {labels} ({how}_over_time({target.series('model_estimate_error', only)}[{recent}]))"
            for only in (_SCORES_ONLY, _ERRORS_ONLY)
        )
        return (
            f"{how} by {labels} (\n"
            f"  {scores}\n"
            "or\n"
            f"  {errors}\n"
            f"  / on {target.by('model', 'version', 'metric')} group_left ()\n"
            f"  ({_baseline(thresholds)} > 0)\n"
            ")"
        )

    return Recording((*VERSION, "metric"), expr)


def _evidence(thresholds: Thresholds) -> str:
    target = Target.of(thresholds)
    recent = f"{target.series('model_evidence_log10')}[{duration(thresholds.smoothing)}]"
    return f"max by {target.by('model', 'version', 'signal')} (max_over_time({recent}))"


def _recommended(thresholds: Thresholds) -> str:
    target = Target.of(thresholds)
    recent = f"{target.series('model_retraining_recommended')}[{duration(thresholds.smoothing)}]"
    return f"max by {target.by('model', 'version', 'reason')} (max_over_time({recent}))"


def _of_model(family: str) -> Recording:
    """Record the sum over a model's versions of the largest recent values: an upper bound of the rows."""

    def expr(thresholds: Thresholds) -> str:
        target = Target.of(thresholds)
        recent = f"max_over_time({target.series(family)}[{duration(thresholds.smoothing)}])"
        return f"sum by {target.by('model', 'window')} (\n  max by {target.by(*VERSION)} ({recent})\n)"

    return Recording(("model", "window"), expr)


def _increase(thresholds: Thresholds) -> str:
    target = Target.of(thresholds)
    counter = target.series("model_predictions_total")
    labels = target.by("model", "version")
    return f"max by {labels} (increase({counter}[{duration(thresholds.activity)}]))"


def _replaced(thresholds: Thresholds) -> str:
    """Find versions without predictions while others of the model had some; a new version does not count."""
    target = Target.of(thresholds)
    version, model = target.by("model", "version"), target.by("model")
    known = f"max_over_time({target.series('model_predictions_total')}[{duration(thresholds.smoothing)}]"
    return (
        "1 + (version:model_predictions:increase == 0)\n"
        f"and on {version} {known} offset {duration(thresholds.activity)})\n"
        f"and on {model} (sum by {model} (version:model_predictions:increase) > 0)"
    )


def _grown(target: Target, family: str, *, label: str, within: float) -> str:
    """Return by how much a counter grew, summed over `label`; no series unless the exporter ran that long ago.

    `increase()` does not work here: the series of a reason appears with its first failure, and `increase()` does not
    see the step from no series to the first value, which may be a whole file.
    """
    series = f"last_over_time({target.series(family)}[5m]"
    labels = target.by("model", label)
    now = f"max by {labels} ({series}))"
    before = f"max by {labels} ({series} offset {duration(within)}))"
    watched = f"{target.series('driftgauge_build_info')} offset {duration(within)}"
    return (
        f"sum by {target.by('model')} (clamp_min(\n"
        f"  {now}\n"
        f"  - ({before}\n"
        f"    or 0 * {now}\n"
        f"    and on {target.by()} {watched}),\n"
        "0))"
    )


def _rows_rejected(thresholds: Thresholds) -> str:
    within = thresholds.alerts.ModelRowsRejected.within
    return _grown(Target.of(thresholds), "model_rows_rejected_total", label="reason", within=within)


def _batch_failures(thresholds: Thresholds) -> str:
    within = thresholds.alerts.ModelBatchesRejected.within
    return _grown(Target.of(thresholds), "model_batch_failures_total", label="reason", within=within)


def _rows(thresholds: Thresholds) -> str:
    within, target = thresholds.alerts.ModelRowsRejected.within, Target.of(thresholds)
    counters = ("model_predictions_total", "model_labels_total")
    return "\n+\n".join(_grown(target, family, label="version", within=within) for family in counters)


RECORDINGS: Final[Mapping[str, Recording]] = MappingProxyType(
    {
        "version:model_window_predictions:min": _worst("model_window_predictions", how="min"),
        "version:model_window_labels:min": _worst("model_window_labels", how="min"),
        "version:model_performance_degradation:max": _worst("model_performance_degradation", "metric"),
        "version:model_performance_degradation_lower:max": _certain("model_performance_bound"),
        "version:model_estimated_degradation:max": _worst("model_estimated_degradation", "metric"),
        "version:model_estimated_degradation_lower:max": _certain("model_estimated_performance_bound"),
        "version:model_estimate_error:max": _estimate_error("max"),
        "version:model_estimate_error:min": _estimate_error("min"),
        "version:model_concept_drift_detected:max": _worst("model_concept_drift_detected"),
        "version:model_concept_drift_zscore:max": _worst("model_concept_drift_zscore"),
        "version:model_concept_drift_zscore:min": _worst("model_concept_drift_zscore", how="min"),
        "version:model_segments_worse:max": _worst("model_segments_worse"),
        "version:model_evidence_log10:max": Recording(("model", "version", "signal"), _evidence),
        "version:model_retraining_recommended:max": Recording(("model", "version", "reason"), _recommended),
        "version:model_drifted_features:max": _worst("model_drifted_features"),
        "version:model_drifted_features_ratio:max": _worst("model_drifted_features_ratio"),
        "version:model_prediction_psi:max": _worst("model_prediction_psi"),
        "version:model_prediction_drift_detected:max": _worst("model_prediction_drift_detected"),
        "version:model_label_drift_detected:max": _worst("model_label_drift_detected"),
        "version:model_multivariate_drift_detected:max": _worst("model_multivariate_drift_detected"),
        "version:model_reconstruction_drift_detected:max": _worst("model_reconstruction_drift_detected"),
        "version:model_anomalous_rows_ratio:max": _worst("model_anomalous_rows_ratio", "level"),
        "version:model_latency_quantile_seconds:max": _worst("model_latency_quantile_seconds", "quantile"),
        "version:model_error_ratio:max": _worst("model_error_ratio"),
        "feature:model_feature_drift_detected:max": _worst("model_feature_drift_detected", "feature"),
        "feature:model_feature_missing_ratio:max": _worst("model_feature_missing_ratio", "feature"),
        "feature:model_feature_unseen_ratio:max": _worst("model_feature_unseen_ratio", "feature"),
        "feature:model_feature_outlier_ratio:max": _worst("model_feature_outlier_ratio", "feature"),
        "model:model_window_predictions:sum": _of_model("model_window_predictions"),
        "model:model_window_labels:sum": _of_model("model_window_labels"),
        # Over `activity`.
        "version:model_predictions:increase": Recording(("model", "version"), _increase),
        "version:model_predictions:replaced": Recording(("model", "version"), _replaced),
        # Over `within` of the alert that uses it.
        "model:model_rows:increase": Recording(("model",), _rows),
        "model:model_rows_rejected:increase": Recording(("model",), _rows_rejected),
        "model:model_batch_failures:increase": Recording(("model",), _batch_failures),
    }
)

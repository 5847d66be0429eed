"""How bad a model is, measured in the thresholds of its alerts: 1 is where an alert begins to wait.

One number makes models and checks comparable. Whether an alert really fires depends on sample sizes and waiting times
as well, which are not looked at here.
"""

import itertools

from driftgauge.generator.dashboards.marks import Marks
from driftgauge.generator.dashboards.queries import Scope, highest


def performance(scope: Scope, marks: Marks, *by: str) -> str:
    """Return the largest degradation of a watched metric, measured in that metric's threshold.

    If no metric is watched, it is the largest of all as it is.
    """
    family = "model_performance_degradation"
    if not marks.degradation:
        return highest(scope.of(family), *by)
    ordered = sorted(marks.degradation, key=lambda metric: (marks.degradation[metric].value, metric))
    groups = itertools.groupby(ordered, key=lambda metric: marks.degradation[metric].value)
    return highest(
        " or ".join(f"{scope.of(family, metric=tuple(metrics))} / {value:g}" for value, metrics in groups), *by
    )


def worst(scope: Scope, marks: Marks, *by: str) -> str:
    """Return the largest of performance, drift, data quality and service, each measured in its threshold."""
    largest = {
        "model_drifted_features": marks.drifted_features,
        "model_drifted_features_ratio": marks.drifted_ratio,
        "model_prediction_psi": marks.prediction_psi,
        "model_feature_missing_ratio": marks.missing,
        "model_feature_unseen_ratio": marks.unseen,
        "model_feature_outlier_ratio": marks.outliers,
        "model_error_ratio": marks.errors,
    }
    checks = {family: f"{highest(scope.of(family), *by)} / {mark.value:g}" for family, mark in largest.items()}
    latency = scope.of("model_latency_quantile_seconds", quantile="0.99")
    checks["latency"] = f"{highest(latency, *by)} / {marks.latency.value:g}"
    checks["performance"] = performance(scope, marks, *by)
    # `or` drops what has the same labels on its left; the added label keeps the checks apart.
    apart = [f'label_replace({expr}, "check", "{check}", "", "")' for check, expr in checks.items()]
    return highest(" or ".join(apart), *by)

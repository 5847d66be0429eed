"""The published versions side by side, in one window."""

from typing import Any

from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.report.links import links_of
from driftgauge.report.performance import metrics_of, whole
from driftgauge.report.subject import Chosen
from driftgauge.report.times import moment


def versions(chosen: Chosen) -> list[dict[str, Any]]:
    """Return each version, that of the newest prediction first."""
    return [_version(chosen, version) for version in chosen.subject.versions]


def _version(chosen: Chosen, version: str) -> dict[str, Any]:
    def value(family: str, *more: str) -> float | None:
        return chosen.found.values(family).get((version, chosen.window.name, *more))

    task = chosen.subject.state.config.task
    totals = chosen.subject.state.totals.versions[version]
    return {
        "version": version,
        "predictions": whole(value("model_window_predictions")),
        "labels": whole(value("model_window_labels")),
        "predictions_ever": totals.predictions,
        "last_prediction": moment(totals.last_prediction),
        "metrics": {
            metric: found for metric in metrics_of(task) if (found := value(PERFORMANCE_GAUGES[metric])) is not None
        },
        "estimated": {
            metric: found
            for metric in metrics_of(task)
            if (found := value("model_estimated_performance", metric)) is not None
        },
        "drifted_features": whole(value("model_drifted_features")),
        "monitored_features": whole(value("model_monitored_features")),
        "prediction_psi": value("model_prediction_psi"),
        "error_ratio": value("model_error_ratio"),
        "latency_p99": value("model_latency_quantile_seconds", "0.99"),
        "links": links_of(chosen.subject, version),
    }

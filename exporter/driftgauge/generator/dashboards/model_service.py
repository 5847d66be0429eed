"""Panels of the Model dashboard about everything but being right: latency, failures, traffic, labels, versions."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.links import of_field, to_board, to_run, with_value
from driftgauge.generator.dashboards.marks import Marks
from driftgauge.generator.dashboards.panels import About, Dashed, Heat, heat, lines
from driftgauge.generator.dashboards.queries import Query, Scope, growth, highest, per_second, quantile, total
from driftgauge.generator.dashboards.tables import milliseconds, number, percent, ranking

SCOPE: Final = Scope(one=("model", "window"), several=("version",))
_BLUES: Final = Heat(scheme="Blues")
_NO_LATENCY: Final = "No latency logged"
_NO_LABELS: Final = "No labels"
_QUANTILES: Final = ("0.5", "0.9", "0.99")


def service(marks: Marks) -> list[Panel]:
    """Return how fast requests are answered and how many fail."""
    return [_latency_heat(), _latency_quantiles(marks), _latency_read(marks), _failures(marks)]


def _latency_heat() -> Panel:
    about = About(
        "Latency in the window",
        "How many requests of the window took how long. The window moves, so counts also fall.",
        _NO_LATENCY,
        to_board("quality"),
    )
    buckets = total(highest(SCOPE.of("model_window_latency_seconds", "_bucket"), "version", "le"), "le")
    return heat(about, Query(buckets, "{{le}}", form="heatmap"), scale=scales.SECONDS, colours=_BLUES)


def _latency_quantiles(marks: Marks) -> Panel:
    about = About(
        "Latency quantiles in the window",
        "Time within which half, 90% and 99% of the window's requests were answered, by version; the line is the "
        "alert's threshold for the last of them.",
        _NO_LATENCY,
        to_board("quality"),
    )
    queries = [
        Query(
            highest(SCOPE.of("model_latency_quantile_seconds", quantile=q), "version"),
            f"{{{{version}}}} p{float(q) * 100:g}",
        )
        for q in _QUANTILES
    ]
    return lines(about, *queries, scale=scales.seconds(marks.latency))


def _latency_read(marks: Marks) -> Panel:
    about = About(
        "Latency of the predictions just read",
        "Quantiles of what was read from MLflow in each step, whatever time the predictions carry: a slow batch "
        "shows here first.",
        "No latency read in this time",
        to_board("quality"),
    )
    buckets = total(highest(per_second(SCOPE.of("model_latency_seconds", "_bucket")), "version", "le"), "le")
    queries = [Query(quantile(float(q), buckets), f"p{float(q) * 100:g}") for q in _QUANTILES]
    return lines(about, *queries, scale=scales.seconds(marks.latency))


def _failures(marks: Marks) -> Panel:
    about = About(
        "Failed requests",
        "Share of the window's requests that failed, by version; the line is the alert's threshold.",
        "No predictions in the window",
        to_board("quality"),
    )
    return lines(
        about,
        Query(highest(SCOPE.of("model_error_ratio"), "version"), "{{version}}"),
        scale=scales.share(marks.errors),
    )


def labels(marks: Marks) -> list[Panel]:
    """Return how many predictions come, how many get their label, and when."""
    return [_traffic(), _labelled(), _coverage(marks), _read(), _delay_heat(), _delay_quantiles(marks)]


def _counted(family: str, *by: str) -> str:
    return total(highest(SCOPE.of(family), "model", "version"), *by)


def _traffic() -> Panel:
    about = About(
        "Predictions in the window",
        "Predictions made in the window, by version; dashed: all versions together, a week before.",
        "No predictions",
        to_board("quality"),
    )
    before = total(highest(f"{SCOPE.of('model_window_predictions', all_of=['version'])} offset 1w", "version"))
    return lines(
        about,
        Query(_counted("model_window_predictions", "version"), "{{version}}"),
        Query(before, "a week before"),
        scale=scales.COUNT,
        dashed=[Dashed("a week before")],
    )


def _labelled() -> Panel:
    about = About(
        "Labels in the window",
        "Labelled predictions in the window, by version: what performance is computed on.",
        _NO_LABELS,
        to_board("quality"),
    )
    return lines(about, Query(_counted("model_window_labels", "version"), "{{version}}"), scale=scales.COUNT)


def _coverage(marks: Marks) -> Panel:
    about = About(
        "Label coverage",
        "Labels per prediction of the window, all versions together. Above 100% when labels of older predictions come "
        "in; the line is the alert's threshold. Matched: the share of the labels that met a prediction.",
        _NO_LABELS,
        to_board("quality"),
    )
    share = f"{_counted('model_window_labels')} / ({_counted('model_window_predictions')} > 0)"
    matched = total(highest(SCOPE.of("model_label_match_ratio"), "model"))
    return lines(about, Query(share, "coverage"), Query(matched, "matched"), scale=scales.share(marks.coverage))


def _read() -> Panel:
    about = About(
        "Rows read",
        "Predictions, failed requests and labels read from MLflow in each step, all versions together.",
        "Nothing read",
        to_board("quality"),
    )
    queries = [
        Query(total(highest(growth(SCOPE.of(family), "$__rate_interval"), "version")), legend)
        for family, legend in (
            ("model_predictions_total", "predictions"),
            ("model_prediction_errors_total", "failed"),
            ("model_labels_total", "labels"),
        )
    ]
    return lines(about, *queries, scale=scales.COUNT)


def _delay_buckets(over: str) -> str:
    counted = SCOPE.of("model_label_delay_seconds", "_bucket")
    grown = growth(counted) if over == "$__range" else growth(counted, "$__rate_interval")
    return total(highest(grown, "version", "le"), "le")


def _delay_heat() -> Panel:
    about = About(
        "Label delay",
        "How many labels came how long after their prediction.",
        "No labels read in this time",
        to_board("quality"),
    )
    buckets = Query(_delay_buckets("$__rate_interval"), "{{le}}", form="heatmap")
    return heat(about, buckets, scale=scales.SECONDS, colours=_BLUES)


def _delay_quantiles(marks: Marks) -> Panel:
    about = About(
        "Label delay: quantiles and newest label",
        "Delay of half and of 90% of the labels that came in the time range up to that moment, and the age of the "
        "newest label; the line is the alert's threshold for the last.",
        "No labels read in this time",
        to_board("quality"),
    )
    newest = highest(SCOPE.of("model_last_label_timestamp_seconds"))
    return lines(
        about,
        Query(quantile(0.5, _delay_buckets("$__range")), "p50"),
        Query(quantile(0.9, _delay_buckets("$__range")), "p90"),
        Query(f"time() - {newest}", "age of the newest"),
        scale=scales.seconds(marks.labels_late),
    )


def versions(marks: Marks) -> Panel:
    """Return the versions compared, each with a link to its MLflow run."""

    def of(family: str, *by: str, **labels: str) -> str:
        return highest(SCOPE.of(family, "", **labels), "version", *by)

    columns = [
        number("Predictions", of("model_window_predictions")),
        number("Labels", of("model_window_labels")),
        percent("Accuracy", of("model_accuracy")),
        percent("F1", of("model_f1_score")),
        percent("ROC AUC", of("model_roc_auc")),
        number("RMSE", of("model_root_mean_squared_error")),
        number("Drifted", of("model_drifted_features"), marks.drifted_feature, marks.drifted_features),
        number("Output PSI", of("model_prediction_psi"), marks.prediction_psi),
        percent("Failed", of("model_error_ratio"), marks.errors),
        milliseconds("p99", of("model_latency_quantile_seconds", quantile="0.99"), marks.latency),
        number("In MLflow", of("model_info", "run_id", "experiment_id", "model_uri")),
    ]
    about = About(
        "Versions compared",
        "Every version with predictions on record, in the window. A click opens the MLflow run of the version.",
        "No predictions",
        to_board("features"),
    )
    compared = with_value("features", "model", "window", version=of_field("version"))
    return ranking(about, columns, keys=["version"], links=[to_run(marks.mlflow_url), compared])

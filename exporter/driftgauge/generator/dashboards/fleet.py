"""The dashboard of all models at a glance: which is worst, what drifts, who stopped sending or labelling."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.annotations import Board
from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.board import Contents, Row
from driftgauge.generator.dashboards.comparisons import performance, worst
from driftgauge.generator.dashboards.links import of_field, of_label, to_board, with_value
from driftgauge.generator.dashboards.marks import Mark, Marks
from driftgauge.generator.dashboards.panels import About, PanelScale, figure, lines, states
from driftgauge.generator.dashboards.queries import Query, Scope, age, highest, per_second, total
from driftgauge.generator.dashboards.scales import COUNT, ERRORS, SCORES
from driftgauge.generator.dashboards.tables import hours, milliseconds, number, percent, ranking

SCOPE: Final = Scope(one=("window",), several=("model", "version"))
_MODEL: Final = with_value("model", "version", "window", model=of_label("model"))
_OF_A_MODEL: Final[tuple[Board, ...]] = ("model", "why", "features", "quality")
_WHY: Final = with_value("why", "version", "window", model=of_label("model"))
_FEATURES: Final = with_value("features", "version", "window", model=of_label("model"))
_QUALITY: Final = with_value("quality", "version", "window", model=of_label("model"))
_NO_MODELS: Final = "No model has sent predictions: see the Exporter dashboard"


def fleet(marks: Marks) -> Contents:
    """Return what the dashboard shows."""
    return Contents(
        board="fleet",
        description="All models: worst first, drift over time, traffic and freshness.",
        scope=SCOPE,
        rows=[
            _now(marks),
            Row("Worst first", [(24, _models(marks))], height=9),
            Row("Drift over time", [(24, _feature_drift(marks)), (24, _output_drift())], height=6),
            Row("Performance", [(12, _degradation(marks)), (12, _pressure(marks))]),
            Row("Traffic and freshness", [(6, panel) for panel in _traffic_and_freshness(marks)]),
        ],
        alerts='alertname=~"(Model|Driftgauge).+", alertname!="DriftgaugeWatchdog"',
    )


def _by_model(family: str, **labels: str | tuple[str, ...]) -> str:
    return highest(SCOPE.of(family, "", **labels), "model")


def _now(marks: Marks) -> Row:
    figures = [*_how_many_are_wrong(marks), *_how_much_comes(marks)]
    return Row("Now", [(4, figure(about, Query(expr), scale=scale)) for about, expr, scale in figures], height=4)


def _how_many_are_wrong(marks: Marks) -> list[tuple[About, str, PanelScale]]:
    def about(title: str, text: str, nothing: str = "No reference") -> About:
        return About(title, text, nothing, to_board("model"))

    watched = ", ".join(marks.degradation) or "none"
    return [
        (
            about(
                "Models that got worse",
                f"Models of which a watched metric ({watched}) is worse than its baseline by more than allowed.",
                "No labels or no baseline",
            ),
            f"sum({performance(SCOPE, marks, 'model')} > bool 1)",
            scales.count(marks.got_worse),
        ),
        (
            about("Models with drifted features", "Models with at least one drifted feature in the window."),
            f"sum({_by_model('model_drift_detected')})",
            scales.count(marks.drifted_feature),
        ),
        (
            about("Models with drifted output", "Models whose output drifted in the window."),
            f"sum({_by_model('model_prediction_drift_detected')})",
            scales.count(marks.prediction_drifted),
        ),
    ]


def _how_much_comes(marks: Marks) -> list[tuple[About, str, PanelScale]]:
    def about(title: str, text: str) -> About:
        return About(title, text, _NO_MODELS, to_board("quality"))

    silence = age(_by_model("model_last_prediction_timestamp_seconds"))
    return [
        (
            about("Models without traffic", "Models whose newest prediction is older than the alert allows."),
            f"sum({silence} > bool {marks.traffic_stopped.value:g})",
            scales.count(Mark(1, marks.traffic_stopped.severity)),
        ),
        (
            about("Models", "Models with predictions, as chosen above."),
            f"count({_by_model('model_window_predictions')})",
            COUNT,
        ),
        (
            about("Predictions read", "Predictions read from MLflow per second, all models together."),
            total(highest(per_second(SCOPE.of("model_predictions_total")), "model", "version")),
            scales.PER_SECOND,
        ),
    ]


_TIMES: Final = "times the threshold of its alert"


def _models(marks: Marks) -> Panel:
    degradation = "model_performance_degradation"
    latency = _by_model("model_latency_quantile_seconds", quantile="0.99")
    newest = _by_model("model_last_prediction_timestamp_seconds")
    columns = [
        number("Worst", worst(SCOPE, marks, "model"), Mark(1, "high")),
        percent("Score lost", _by_model(degradation, metric=marks.watched(SCORES)), marks.of_metrics(SCORES)),
        percent("Error gained", _by_model(degradation, metric=marks.watched(ERRORS)), marks.of_metrics(ERRORS)),
        number("Drifted", _by_model("model_drifted_features"), marks.drifted_feature, marks.drifted_features),
        percent("Drifted", _by_model("model_drifted_features_ratio"), marks.drifted_ratio),
        number("Output PSI", _by_model("model_prediction_psi"), marks.prediction_psi),
        percent("Missing", _by_model("model_feature_missing_ratio"), marks.missing),
        percent("Failed", _by_model("model_error_ratio"), marks.errors),
        milliseconds("p99", latency, marks.latency),
        number("Predictions", _counted("model_window_predictions")),
        number("Labels", _counted("model_window_labels")),
        hours("Last prediction", age(newest), marks.traffic_stopped),
    ]
    about = About(
        "Models, worst first",
        f"The worst version of each model in the window. Worst: the largest of its values, {_TIMES}; from 1 on there "
        "is or will be an alert. Missing: its worst feature. A click leads to the model.",
        _NO_MODELS,
        to_board("model"),
    )
    field = of_field("model")
    return ranking(
        about,
        columns,
        keys=["model"],
        links=[
            with_value(board, "version", "window", model=field) for board in ("model", "why", "features", "quality")
        ],
    )


def _feature_drift(marks: Marks) -> Panel:
    about = About(
        "Drifted features",
        "How many features of each model are flagged as drifted in the window ending at that time.",
        "No model has a reference and enough rows",
        to_board("features"),
    )
    drifted = Query(_by_model("model_drifted_features"), "{{model}}")
    return states(about, drifted, scale=scales.drifted(marks), links=[_FEATURES, _MODEL])


def _output_drift() -> Panel:
    about = About(
        "Drifted output",
        "Whether the output (the score, if there is one) of each model is flagged as drifted in the window.",
        "No model has a reference with outputs and enough rows",
        to_board("why"),
    )
    drifted = Query(_by_model("model_prediction_drift_detected"), "{{model}}")
    return states(about, drifted, scale=PanelScale(unit="none", words=scales.VERDICT), links=[_WHY])


def _degradation(marks: Marks) -> Panel:
    about = About(
        "Scores below their baseline",
        "The largest fall of a score (accuracy, precision, recall, F1, ROC AUC, R²) below its baseline, by model; "
        "the line is the threshold of the alert.",
        "No labels in the window, or no baseline",
        to_board("model"),
    )
    fall = Query(_by_model("model_performance_degradation", metric=marks.watched(SCORES)), "{{model}}")
    return lines(about, fall, scale=scales.degradation(marks), links=[_MODEL])


def _pressure(marks: Marks) -> Panel:
    about = About(
        "Worst value of each model",
        f"The largest of performance, drift, missing values, failures and latency, {_TIMES}.",
        _NO_MODELS,
        to_board("model"),
    )
    return lines(about, Query(worst(SCOPE, marks, "model"), "{{model}}"), scale=scales.IN_THRESHOLDS, links=[_MODEL])


def _counted(family: str, offset: str = "") -> str:
    return total(highest(f"{SCOPE.of(family)}{offset}", "model", "version"), "model")


def _traffic() -> Panel:
    about = About(
        "Predictions in the window", "Predictions made in the window, by model.", _NO_MODELS, to_board("quality")
    )
    made = Query(_counted("model_window_predictions"), "{{model}}")
    return lines(about, made, scale=COUNT, links=[_QUALITY])


def _against_last_week(marks: Marks) -> Panel:
    about = About(
        "Predictions against last week",
        "Predictions in the window per prediction in the same window a week before, by model; the line is the "
        "threshold of the alert on falling traffic.",
        "Not yet watched for a week",
        to_board("quality"),
    )
    family = "model_window_predictions"
    share = f"{_counted(family)} / ({_counted(family, ' offset 1w')} > 0)"
    return lines(about, Query(share, "{{model}}"), scale=scales.share(marks.traffic_fell), links=[_QUALITY])


def _traffic_and_freshness(marks: Marks) -> list[Panel]:
    return [_traffic(), _against_last_week(marks), _last_prediction(marks), _last_label(marks)]


def _last_prediction(marks: Marks) -> Panel:
    about = About(
        "Age of the newest prediction",
        "Time since the newest prediction of each model; the line is the threshold of the alert on stopped traffic.",
        _NO_MODELS,
        to_board("quality"),
    )
    since = Query(age(_by_model("model_last_prediction_timestamp_seconds")), "{{model}}")
    return lines(about, since, scale=scales.seconds(marks.traffic_stopped), links=[_QUALITY])


def _last_label(marks: Marks) -> Panel:
    about = About(
        "Age of the newest label",
        "Time since the newest label of each model; the line is the threshold of the alert on late labels.",
        "No model has labels",
        to_board("quality"),
    )
    since = Query(age(_by_model("model_last_label_timestamp_seconds")), "{{model}}")
    return lines(about, since, scale=scales.seconds(marks.labels_late), links=[_QUALITY])

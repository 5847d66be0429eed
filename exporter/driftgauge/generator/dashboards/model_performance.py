"""Panels of the Model dashboard about performance: each metric against its baseline and the threshold of its alert."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.links import to_board
from driftgauge.generator.dashboards.marks import COLOURS, Marks
from driftgauge.generator.dashboards.model_service import SCOPE
from driftgauge.generator.dashboards.panels import FROM, TO, About, Dashed, lines
from driftgauge.generator.dashboards.queries import Query, highest, lowest
from driftgauge.generator.dashboards.tables import percent, ranking

_NO_BASELINE: Final = "No labels in the window, or no baseline"
_NO_LABELS: Final = "No labels in the window"
_NOT_THIS_TASK: Final = "No labels in the window, or another task"
NAMES: Final = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "mse": "Mean squared error",
    "rmse": "Root mean squared error",
    "mae": "Mean absolute error",
    "r2": "R²",
}
_MEANINGS: Final = {
    "accuracy": "Share of labelled predictions that were right",
    "precision": "Share of the predictions of a class that were right",
    "recall": "Share of a class that was recognised",
    "f1": "Harmonic mean of precision and recall",
    "roc_auc": "Probability that a positive scores above a negative; 50% is guessing",
    "log_loss": "Mean negative log-likelihood of the labels; lower is better",
    "brier_score": "Mean squared error of the predicted probabilities; lower is better",
    "mse": "In the target's unit squared; lower is better",
    "rmse": "In the target's unit; lower is better",
    "mae": "In the target's unit; lower is better",
    "r2": "Share of the target's variance that the model explains; below 0 it is worse than the mean",
}
_CLASSIFICATION: Final = ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier_score")
_LINES: Final = (
    *(Dashed("baseline"), Dashed("alert", COLOURS["critical"])),
    *(Dashed(end, COLOURS["none"], (2, 4)) for end in (FROM, TO)),
)


def degradations(marks: Marks) -> list[Panel]:
    """Return how much worse than its baseline every metric is: scores and errors apart, for errors grow without end."""
    wanted = [
        (
            "Scores below their baseline",
            "How far each score fell below its baseline, of the worst version; 5% is five points, below 0 is better.",
            scales.SCORES,
            scales.degradation(marks),
        ),
        (
            "Errors above their baseline",
            "By which share of its baseline each error rose, of the worst version; below 0 is better.",
            scales.ERRORS,
            scales.error_rise(marks),
        ),
    ]
    return [
        lines(
            About(title, f"{text} The line is the lowest threshold of the alert.", _NO_BASELINE, to_board("why")),
            Query(highest(SCOPE.of("model_performance_degradation", metric=metrics), "metric"), "{{metric}}"),
            scale=scale,
        )
        for title, text, metrics, scale in wanted
    ]


def classification(marks: Marks) -> list[Panel]:
    """Return a panel for each metric of classifiers."""
    return [_against_baseline(metric, marks) for metric in _CLASSIFICATION]


def regression(marks: Marks) -> list[Panel]:
    """Return a panel for each metric of regressions."""
    return [_against_baseline(metric, marks) for metric in PERFORMANCE_GAUGES if metric not in _CLASSIFICATION]


def _against_baseline(metric: str, marks: Marks) -> Panel:
    value = highest(SCOPE.of(PERFORMANCE_GAUGES[metric]), "version")
    # All versions of a model are measured against the same baseline.
    baseline = highest(SCOPE.of("model_performance_baseline", metric=metric))
    queries = [Query(value, "{{version}}"), Query(baseline, "baseline"), *interval("model_performance_bound", metric)]
    allowed = marks.degradation.get(metric)
    if allowed:
        limit = f"{baseline} * {1 + allowed.value:g}" if metric in scales.ERRORS else f"{baseline} - {allowed.value:g}"
        queries.append(Query(limit, "alert"))
    line = "the red line is where the alert begins" if allowed else "no alert watches it"
    about = About(
        NAMES[metric],
        f"{_MEANINGS[metric]}. By version; grey is the baseline, dotted the 95 % interval, {line}.",
        _NOT_THIS_TASK,
        to_board("fleet"),
    )
    scale = scales.SCORE if metric in scales.SCORES else scales.NUMBER
    return lines(about, *queries, scale=scale, dashed=_LINES)


def interval(family: str, metric: str) -> tuple[Query, Query]:
    """Return both ends of a metric's interval: of several versions the lowest and the highest."""
    return (
        Query(lowest(SCOPE.of(family, metric=metric, bound="lower")), FROM),
        Query(highest(SCOPE.of(family, metric=metric, bound="upper")), TO),
    )


def classes() -> list[Panel]:
    """Return what is confused: precision and recall of each class, now and over time."""
    return [_class_table(), _class_recall()]


def _of_class(measure: str) -> str:
    return lowest(SCOPE.of(f"model_class_{measure}"), "version", "class")


def _class_table() -> Panel:
    about = About(
        "Classes",
        "Low recall: rows of the class are taken for others. Low precision: others are taken for it.",
        _NO_LABELS,
        to_board("fleet"),
    )
    columns = [
        percent("Precision", _of_class("precision")),
        percent("Recall", _of_class("recall")),
        percent("F1", _of_class("f1_score")),
    ]
    return ranking(about, columns, keys=["class", "version"], links=[to_board("fleet")])


def _class_recall() -> Panel:
    about = About(
        "Recall by class",
        "Share of each class that was recognised, by version: a class that falls alone is confused with another.",
        _NO_LABELS,
        to_board("fleet"),
    )
    return lines(about, Query(_of_class("recall"), "{{class}} ({{version}})"), scale=scales.SCORE)

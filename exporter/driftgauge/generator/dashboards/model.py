"""The dashboard of one model: is it right, as far as is known and as is expected, is it fast, do labels come.

Its panels about performance are in `model_performance` and `model_expected`, those about latency, labels and versions
in `model_service`. Why it is not right is on a dashboard of its own, `why`.
"""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.annotations import Board
from driftgauge.generator.dashboards import model_expected, scales
from driftgauge.generator.dashboards.board import Contents, Row
from driftgauge.generator.dashboards.comparisons import performance
from driftgauge.generator.dashboards.links import to_board
from driftgauge.generator.dashboards.marks import Marks
from driftgauge.generator.dashboards.model_expected import pairs, trust
from driftgauge.generator.dashboards.model_performance import classification, degradations, regression
from driftgauge.generator.dashboards.model_service import SCOPE, labels, service, versions
from driftgauge.generator.dashboards.panels import About, PanelScale, figure
from driftgauge.generator.dashboards.queries import Query, highest, total

# Of the seven metrics: accuracy to F1 in one line, scores of probabilities in the next.
_WIDTHS: Final = (6, 6, 6, 6, 8, 8, 8)


def model(marks: Marks) -> Contents:
    """Return what the dashboard shows."""
    return Contents(
        board="model",
        description="One model: its performance against the baseline, known and expected; latency, labels, versions.",
        scope=SCOPE,
        rows=[
            _now(marks),
            Row("Worse than the baseline: known so far, and expected today", _known_and_expected(marks), height=7),
            Row("Known so far, beside expected today", [(6, panel) for panel in (*pairs(), *trust())], height=6),
            Row("Classification", list(zip(_WIDTHS, classification(marks), strict=True))),
            Row("Regression", [(6, panel) for panel in regression(marks)], height=6),
            Row("Latency and failures", [(12, panel) for panel in service(marks)]),
            Row("Traffic and labels", [(8, panel) for panel in labels(marks)]),
            Row("Versions", [(24, versions(marks))], height=7),
        ],
        alerts='model="$model"',
        beside=["why"],
    )


def _known_and_expected(marks: Marks) -> list[tuple[int, Panel]]:
    """Return both sides by side: scores first, then errors."""
    found = zip(degradations(marks), model_expected.degradations(marks), strict=True)
    return [(12, panel) for pair in found for panel in pair]


def _now(marks: Marks) -> Row:
    figures = [*_right_and_alike(marks), *_service(marks)]
    return Row("Now", [(3, figure(about, Query(expr), scale=scale)) for about, expr, scale in figures], height=4)


def _right_and_alike(marks: Marks) -> list[tuple[About, str, PanelScale]]:
    def about(title: str, text: str, board: Board = "why") -> About:
        return About(title, text, "No reference", to_board(board))

    worse = "Worst degradation of a watched metric, measured in the threshold of its alert: 1 is where it begins."
    return [
        (
            About("Performance", worse, "No labels or baseline", to_board("fleet")),
            performance(SCOPE, marks),
            scales.IN_THRESHOLDS,
        ),
        (
            about(
                "Drifted features",
                "Features flagged as drifted in the window, of the version with most of them.",
                "features",
            ),
            highest(SCOPE.of("model_drifted_features")),
            scales.drifted(marks),
        ),
        (
            about("Output PSI", "Population stability index of the output against the reference."),
            highest(SCOPE.of("model_prediction_psi")),
            scales.statistic(marks.prediction_psi),
        ),
        (
            about("Output drift", "Whether the shift of the output is both large and significant."),
            highest(SCOPE.of("model_prediction_drift_detected")),
            PanelScale(unit="none", words=scales.VERDICT),
        ),
    ]


def _service(marks: Marks) -> list[tuple[About, str, PanelScale]]:
    def about(title: str, text: str, nothing: str = "No predictions") -> About:
        return About(title, text, nothing, to_board("quality"))

    return [
        (
            about("Failed requests", "Share of the window's requests that failed."),
            highest(SCOPE.of("model_error_ratio")),
            scales.share(marks.errors),
        ),
        (
            about(
                "Latency p99", "Time within which 99 of 100 requests of the window were answered.", "No latency logged"
            ),
            highest(SCOPE.of("model_latency_quantile_seconds", quantile="0.99")),
            scales.seconds(marks.latency),
        ),
        (
            about("Predictions", "Predictions made in the window."),
            total(highest(SCOPE.of("model_window_predictions"), "model", "version")),
            scales.COUNT,
        ),
        (
            about("Labels", "Labelled predictions in the window."),
            total(highest(SCOPE.of("model_window_labels"), "model", "version")),
            scales.COUNT,
        ),
    ]

"""The dashboard of one model: is it right, did its output change, is it fast, do labels come, and which version is it.

Its panels about performance are in `model_performance`, `model_expected` and `model_why`, those about latency, labels
and versions in `model_service`.
"""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import model_expected, model_labels, scales
from driftgauge.generator.dashboards.board import Contents, Row
from driftgauge.generator.dashboards.comparisons import performance
from driftgauge.generator.dashboards.links import to_board
from driftgauge.generator.dashboards.marks import Marks
from driftgauge.generator.dashboards.model_expected import pairs, trust
from driftgauge.generator.dashboards.model_performance import classes, classification, degradations, regression
from driftgauge.generator.dashboards.model_service import SCOPE, labels, service, versions
from driftgauge.generator.dashboards.model_why import causes, concept, parts, since, slices
from driftgauge.generator.dashboards.panels import About, PanelScale, figure, lines, states
from driftgauge.generator.dashboards.queries import Query, highest, lowest, total

_DISTANCES: Final = {
    "psi": "PSI",
    "ks_statistic": "KS",
    "js_distance": "JS",
    "wasserstein_distance": "Wasserstein",
    "total_variation_distance": "TVD",
}
# Of the seven metrics: accuracy to F1 in one line, scores of probabilities in the next.
_WIDTHS: Final = (6, 6, 6, 6, 8, 8, 8)
_NO_REFERENCE: Final = "No reference with outputs, or too few rows"


def model(marks: Marks) -> Contents:
    """Return what the dashboard shows."""
    return Contents(
        board="model",
        description="One model: performance against its baseline, output, latency, labels and versions.",
        scope=SCOPE,
        rows=[
            _now(marks),
            Row("Worse than the baseline: known so far, and expected today", _known_and_expected(marks), height=7),
            Row("Known so far, beside expected today", [(6, panel) for panel in (*pairs(), *trust())], height=6),
            Row("Why: inputs or concept", [(6, panel) for panel in (*parts(), *concept())], height=7),
            Row("Why: slices and causes", [(12, slices()), (12, causes(marks))], height=7),
            Row("Since when", [(12, panel) for panel in since(marks)], height=7),
            Row("Classification", list(zip(_WIDTHS, classification(marks), strict=True))),
            Row("Regression", [(6, panel) for panel in regression(marks)], height=6),
            Row("Classes", [(12, panel) for panel in (*classes(), *model_labels.classes())]),
            *_drift_of_labels(marks),
            Row("Output", [(6, panel) for panel in _output(marks)]),
            Row("Latency and failures", [(12, panel) for panel in service(marks)]),
            Row("Traffic and labels", [(8, panel) for panel in labels(marks)]),
            Row("Versions", [(24, versions(marks))], height=7),
        ],
        alerts='model="$model"',
    )


def _drift_of_labels(marks: Marks) -> list[Row]:
    panels = model_labels.drift(marks)
    return [Row("Labels against the reference", [(8, panel) for panel in panels], height=7)] if panels else []


def _known_and_expected(marks: Marks) -> list[tuple[int, Panel]]:
    """Return both sides by side: scores first, then errors."""
    found = zip(degradations(marks), model_expected.degradations(marks), strict=True)
    return [(12, panel) for pair in found for panel in pair]


def _now(marks: Marks) -> Row:
    figures = [*_right_and_alike(marks), *_service(marks)]
    return Row("Now", [(3, figure(about, Query(expr), scale=scale)) for about, expr, scale in figures], height=4)


def _right_and_alike(marks: Marks) -> list[tuple[About, str, PanelScale]]:
    def about(title: str, text: str) -> About:
        return About(title, text, "No reference", to_board("features"))

    worse = "Worst degradation of a watched metric, measured in the threshold of its alert: 1 is where it begins."
    return [
        (
            About("Performance", worse, "No labels or baseline", to_board("fleet")),
            performance(SCOPE, marks),
            scales.IN_THRESHOLDS,
        ),
        (
            about("Drifted features", "Features flagged as drifted in the window, of the version with most of them."),
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


def _output(marks: Marks) -> list[Panel]:
    return [
        *(_mean(), _deviation(), _shift(), _distances(marks)),
        *(_flag(), _significance(), _chi_square(), _quality()),
    ]


def _of_version(family: str) -> str:
    return highest(SCOPE.of(family), "version")


def _mean() -> Panel:
    about = About(
        "Output: mean",
        "Mean of the output (the score, if there is one) in the window, by version.",
        "The output is not numeric",
        to_board("features"),
    )
    return lines(about, Query(_of_version("model_prediction_mean"), "{{version}}"), scale=scales.NUMBER)


def _deviation() -> Panel:
    about = About(
        "Output: standard deviation",
        "Spread of the output (the score, if there is one) in the window, by version.",
        "The output is not numeric",
        to_board("features"),
    )
    return lines(about, Query(_of_version("model_prediction_stddev"), "{{version}}"), scale=scales.NUMBER)


def _shift() -> Panel:
    about = About(
        "Output: shift of the mean",
        "Mean of the output minus the reference's, in standard deviations of the reference; 0 is no shift.",
        _NO_REFERENCE,
        to_board("features"),
    )
    return lines(about, Query(_of_version("model_prediction_mean_shift"), "{{version}}"), scale=scales.NUMBER)


def _distances(marks: Marks) -> Panel:
    about = About(
        "Output: distance from the reference",
        "Every distance of the output's distribution from the reference's; the line is the alert's PSI.",
        _NO_REFERENCE,
        to_board("features"),
    )
    queries = [
        Query(_of_version(f"model_prediction_{suffix}"), f"{{{{version}}}} {name}")
        for suffix, name in _DISTANCES.items()
    ]
    return lines(about, *queries, scale=scales.statistic(marks.prediction_psi))


def _flag() -> Panel:
    about = About(
        "Output: drift flag",
        "When the output was flagged: its shift is both large and significant. By version.",
        _NO_REFERENCE,
        to_board("fleet"),
    )
    flag = Query(_of_version("model_prediction_drift_detected"), "{{version}}")
    return states(about, flag, scale=PanelScale(unit="none", words=scales.VERDICT))


def _chi_square() -> Panel:
    about = About(
        "Output: chi-square statistic",
        "Of classes against the reference's, by version; it grows with the number of rows.",
        "The output is not a class, or no reference",
        to_board("features"),
    )
    return lines(about, Query(_of_version("model_prediction_chi2_statistic"), "{{version}}"), scale=scales.NUMBER)


def _significance() -> Panel:
    about = About(
        "Output: p-value",
        "How likely a shift as large is by chance (Kolmogorov-Smirnov or chi-square); small means it is real.",
        _NO_REFERENCE,
        to_board("features"),
    )
    queries = [
        Query(lowest(SCOPE.of(f"model_prediction_{test}_pvalue"), "version"), f"{{{{version}}}} {name}")
        for test, name in (("ks", "KS"), ("chi2", "chi-square"))
    ]
    return lines(about, *queries, scale=PanelScale(unit="sci", least=0, most=1))


def _quality() -> Panel:
    about = About(
        "Output: missing, unseen and outlying values",
        "Shares of the answered requests, of the worst version: without an output, with a class the reference never "
        "had, or far outside its range.",
        "No predictions",
        to_board("quality"),
    )
    queries = [
        Query(highest(SCOPE.of(f"model_prediction_{share}_ratio")), name)
        for share, name in (("missing", "missing"), ("unseen", "unseen"), ("outlier", "outliers"))
    ]
    return lines(about, *queries, scale=scales.SHARE)

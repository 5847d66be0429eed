"""Panels of the Why dashboard about the model's output: whether it moved, how far, and what of it cannot be used."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.links import to_board
from driftgauge.generator.dashboards.marks import Marks
from driftgauge.generator.dashboards.model_service import SCOPE
from driftgauge.generator.dashboards.panels import About, PanelScale, lines, states
from driftgauge.generator.dashboards.queries import Query, highest, lowest

_DISTANCES: Final = {
    "psi": "PSI",
    "ks_statistic": "KS",
    "js_distance": "JS",
    "wasserstein_distance": "Wasserstein",
    "total_variation_distance": "TVD",
}
_NO_REFERENCE: Final = "No reference with outputs, or too few rows"


def output(marks: Marks) -> list[Panel]:
    """Return how the output differs from that of the reference, and what of it cannot be used."""
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

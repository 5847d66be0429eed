"""Panels of the Why dashboard about the model's output: whether it moved, how far, and what of it cannot be used."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.marks import Marks
from driftgauge.generator.dashboards.moved import Moved
from driftgauge.generator.dashboards.panels import PanelScale, states
from driftgauge.generator.dashboards.queries import Query

_OUTPUT: Final = Moved("Output", "model_prediction", "No reference with outputs, or too few rows")
_NO_NUMBER: Final = "The output is not numeric"


def output(marks: Marks) -> list[Panel]:
    """Return how the output differs from that of the reference, and what of it cannot be used."""
    mean = "Mean of the output (the score, if there is one) in the window, by version."
    spread = "Spread of the output (the score, if there is one) in the window, by version."
    shift = "Mean of the output minus the reference's, in standard deviations of the reference; 0 is no shift."
    distance = "Every distance of the output's distribution from the reference's; the line is the alert's PSI."
    return [
        _OUTPUT.figure(_OUTPUT.about("mean", mean, _NO_NUMBER), "mean"),
        _OUTPUT.figure(_OUTPUT.about("standard deviation", spread, _NO_NUMBER), "stddev"),
        _OUTPUT.figure(_OUTPUT.about("shift of the mean", shift), "mean_shift"),
        _OUTPUT.distances(distance, scales.statistic(marks.prediction_psi)),
        _flag(),
        _OUTPUT.significance(),
        _chi_square(),
        _quality(),
    ]


def _flag() -> Panel:
    about = _OUTPUT.about(
        "drift flag",
        "When the output was flagged: its shift is both large and significant. By version.",
        board="fleet",
    )
    flag = Query(_OUTPUT.by_version("drift_detected"), "{{version}}")
    return states(about, flag, scale=PanelScale(unit="none", words=scales.VERDICT))


def _chi_square() -> Panel:
    about = _OUTPUT.about(
        "chi-square statistic",
        "Of classes against the reference's, by version; it grows with the number of rows.",
        "The output is not a class, or no reference",
    )
    return _OUTPUT.figure(about, "chi2_statistic")


def _quality() -> Panel:
    about = _OUTPUT.about(
        "missing, unseen and outlying values",
        "Shares of the answered requests, of the worst version: without an output, with a class the reference never "
        "had, or far outside its range.",
        "No predictions",
        board="quality",
    )
    return _OUTPUT.shares(about, {"missing": "missing", "unseen": "unseen", "outlier": "outliers"})

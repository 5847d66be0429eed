"""Panels of the Why dashboard about labels: what is confused with what, which classes come, and their drift."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.links import to_board
from driftgauge.generator.dashboards.marks import COLOURS, Marks
from driftgauge.generator.dashboards.model_service import SCOPE
from driftgauge.generator.dashboards.moved import Moved
from driftgauge.generator.dashboards.panels import About, PanelScale, states
from driftgauge.generator.dashboards.queries import Query, highest, total
from driftgauge.generator.dashboards.tables import matrix, percent, ranking

_CONFUSION: Final = "model_class_confusion"
_SHARE: Final = "model_class_share"
_NO_CLASSES: Final = "No labels in the window, no classes, or more than 20 of them"
_LABELS: Final = Moved("Labels", "model_label", "No labels in the window or in the reference, or too few")


def classes() -> list[Panel]:
    """Return what is confused with what, and how often each class is predicted and true."""
    return [_confusion(), _shares()]


def _confusion() -> Panel:
    cells = total(highest(SCOPE.of(_CONFUSION), "version", "class", "predicted"), "class", "predicted")
    about = About(
        "Confusion matrix",
        "Of the labels of each class (a line), which share was predicted as which class (a column), all versions "
        "together: the diagonal is recall.",
        _NO_CLASSES,
        to_board("fleet"),
    )
    shares = f"{cells} / on (class) group_left () {total(cells, 'class')}"
    return matrix(about, shares, row="class", column="predicted")


def _shares() -> Panel:
    about = About(
        "Class shares",
        "How often each class is predicted, how often it is the label, and how often it was in the reference: more "
        "predictions than labels of a class are false alarms.",
        _NO_CLASSES,
        to_board("fleet"),
    )
    columns = [
        percent(title, highest(SCOPE.of(_SHARE, kind=kind), "version", "class"))
        for title, kind in (("Predicted", "predicted"), ("Labels", "label"), ("Reference", "reference"))
    ]
    return ranking(about, columns, keys=["class", "version"], links=[to_board("fleet")])


def drift(marks: Marks) -> list[Panel]:
    """Return how the labels differ from those of the reference."""
    distance = (
        "Every distance of the labels from the reference's, by version. The mix of outcomes changed, or only some of "
        "them came yet: labels that come early are no random sample."
    )
    shift = "Mean of the labels minus the reference's, in standard deviations of the reference; numbers only."
    chi_square = "Of classes against the reference's; it grows with the number of labels."
    return [
        _LABELS.distances(distance, scales.statistic()),
        _LABELS.significance(),
        _flag(marks),
        _LABELS.figure(_LABELS.about("shift of the mean", shift), "mean_shift"),
        _LABELS.figure(_LABELS.about("chi-square statistic", chi_square), "chi2_statistic"),
        _quality(),
    ]


def _flag(marks: Marks) -> Panel:
    about = _LABELS.about(
        "drift flag", "When the labels were flagged: their shift is both large and significant. By version."
    )
    words = {0: scales.VERDICT[0], 1: (scales.VERDICT[1][0], COLOURS[marks.labels_drifted.severity])}
    flag = Query(_LABELS.by_version("drift_detected"), "{{version}}")
    return states(about, flag, scale=PanelScale(unit="none", words=words))


def _quality() -> Panel:
    about = _LABELS.about(
        "unseen and outlying values",
        "Shares of the labels, of the worst version: classes the reference never had, or values far outside its range.",
    )
    return _LABELS.shares(about, {"unseen": "unseen", "outlier": "outliers"})

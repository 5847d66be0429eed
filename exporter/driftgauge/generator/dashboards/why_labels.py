"""Panels of the Why dashboard about labels: what is confused with what, which classes come, and their drift."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.links import to_board
from driftgauge.generator.dashboards.marks import COLOURS, Marks
from driftgauge.generator.dashboards.model_service import SCOPE
from driftgauge.generator.dashboards.panels import About, PanelScale, lines, states
from driftgauge.generator.dashboards.queries import Query, highest, lowest, total
from driftgauge.generator.dashboards.tables import matrix, percent, ranking

_CONFUSION: Final = "model_class_confusion"
_SHARE: Final = "model_class_share"
_NO_CLASSES: Final = "No labels in the window, no classes, or more than 20 of them"
_NO_LABELS: Final = "No labels in the window or in the reference, or too few"
_DISTANCES: Final = {
    "psi": "PSI",
    "ks_statistic": "KS",
    "js_distance": "JS",
    "wasserstein_distance": "Wasserstein",
    "total_variation_distance": "TVD",
}


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
    return [_distances(), _significance(), _flag(marks), _size(), _chi_square(), _quality()]


def _of(suffix: str) -> str:
    return highest(SCOPE.of(f"model_label_{suffix}"), "version")


def _about(title: str, text: str) -> About:
    return About(f"Labels: {title}", text, _NO_LABELS, to_board("features"))


def _distances() -> Panel:
    about = _about(
        "distance from the reference",
        "Every distance of the labels from the reference's, by version. The mix of outcomes changed, or only some of "
        "them came yet: labels that come early are no random sample.",
    )
    queries = [Query(_of(suffix), f"{{{{version}}}} {name}") for suffix, name in _DISTANCES.items()]
    return lines(about, *queries, scale=scales.statistic())


def _significance() -> Panel:
    about = _about(
        "p-value",
        "How likely a shift as large is by chance (Kolmogorov-Smirnov or chi-square); small means it is real.",
    )
    queries = [
        Query(lowest(SCOPE.of(f"model_label_{test}_pvalue"), "version"), f"{{{{version}}}} {name}")
        for test, name in (("ks", "KS"), ("chi2", "chi-square"))
    ]
    return lines(about, *queries, scale=PanelScale(unit="sci", least=0, most=1))


def _flag(marks: Marks) -> Panel:
    about = _about("drift flag", "When the labels were flagged: their shift is both large and significant. By version.")
    words = {0: scales.VERDICT[0], 1: (scales.VERDICT[1][0], COLOURS[marks.labels_drifted.severity])}
    return states(about, Query(_of("drift_detected"), "{{version}}"), scale=PanelScale(unit="none", words=words))


def _size() -> Panel:
    about = _about(
        "shift of the mean",
        "Mean of the labels minus the reference's, in standard deviations of the reference; numbers only.",
    )
    return lines(about, Query(_of("mean_shift"), "{{version}}"), scale=scales.NUMBER)


def _chi_square() -> Panel:
    about = _about("chi-square statistic", "Of classes against the reference's; it grows with the number of labels.")
    return lines(about, Query(_of("chi2_statistic"), "{{version}}"), scale=scales.NUMBER)


def _quality() -> Panel:
    about = _about(
        "unseen and outlying values",
        "Shares of the labels, of the worst version: classes the reference never had, or values far outside its range.",
    )
    queries = [
        Query(highest(SCOPE.of(f"model_label_{share}_ratio")), name)
        for share, name in (("unseen", "unseen"), ("outlier", "outliers"))
    ]
    return lines(about, *queries, scale=scales.SHARE)

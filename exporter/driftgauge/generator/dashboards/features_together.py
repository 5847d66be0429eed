"""Panels of the Features dashboard about all features together: combinations, correlations, and unusual rows."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.links import to_board
from driftgauge.generator.dashboards.marks import Mark, Marks, steps
from driftgauge.generator.dashboards.panels import About, Dashed, PanelScale, lines, states
from driftgauge.generator.dashboards.queries import Query, Scope, highest, lowest

_TOO_FEW: Final = "No reference, too few numeric features or rows, or the signal is off"
_NO_MMD: Final = "No reference, fewer than 500 predictions, or the signal is off"
_LEVELS: Final = {"0.99": ("1 %", 0.01), "0.999": ("0.1 %", 0.001)}


def together(scope: Scope, marks: Marks) -> list[Panel]:
    """Return the panels, by version."""
    return [
        _distance(scope),
        _significance(scope),
        _flags(scope),
        _rebuilt(scope),
        _unlike(scope),
        _unusual(scope, marks),
    ]


def _distance(scope: Scope) -> Panel:
    about = About(
        "Joint distribution: distance",
        "Squared distance of all features together from the reference's, 0 (same) to 2. Read single features first: "
        "one that moved alone shows here as well.",
        _NO_MMD,
        to_board("model"),
    )
    family = "model_multivariate_drift_mmd2"
    return lines(about, Query(highest(scope.of(family), "version"), "{{version}}"), scale=scales.statistic())


def _significance(scope: Scope) -> Panel:
    about = About(
        "Joint distribution: p-value",
        "How likely a distance as large is by chance; small means it is real. Rows must be independent for it.",
        _NO_MMD,
        to_board("model"),
    )
    expr = lowest(scope.of("model_multivariate_drift_pvalue"), "version")
    return lines(about, Query(expr, "{{version}}"), scale=PanelScale(unit="sci", least=0, most=1))


def _flags(scope: Scope) -> Panel:
    about = About(
        "All features together: flags",
        "When the joint distribution, or the reconstruction error, was both far off and beyond chance, by version.",
        _NO_MMD,
        to_board("model"),
    )
    queries = [
        Query(highest(scope.of(f"model_{kind}_drift_detected"), "version"), f"{{{{version}}}} {name}")
        for kind, name in (("multivariate", "joint distribution"), ("reconstruction", "reconstruction"))
    ]
    return states(about, *queries, scale=PanelScale(unit="none", words=scales.VERDICT))


def _rebuilt(scope: Scope) -> Panel:
    about = About(
        "Reconstruction error",
        "In standard deviations, by version; grey is the reference's. It changes with correlations, also when no "
        "feature moves; less is drift as well.",
        _TOO_FEW,
        to_board("model"),
    )
    queries = [
        Query(highest(scope.of("model_reconstruction_error"), "version"), "{{version}}"),
        Query(highest(scope.of("model_reconstruction_error_baseline")), "reference"),
    ]
    return lines(about, *queries, scale=scales.NUMBER, dashed=[Dashed("reference")])


def _unlike(scope: Scope) -> Panel:
    about = About(
        "Rows unlike the reference",
        "Share of rows with a larger reconstruction error than 99 % of rows like the reference's, by version.",
        _TOO_FEW,
        to_board("model"),
    )
    expr = highest(scope.of("model_reconstruction_outlier_ratio"), "version")
    return lines(about, Query(expr, "{{version}}"), scale=scales.SHARE)


def _unusual(scope: Scope, marks: Marks) -> Panel:
    about = About(
        "Unusual rows",
        "How many times as many rows as in the reference lie farther from its center than its outermost 1 % and 0.1 %, "
        "of the worst version; 1 is as usual. They are not wrong by that: plain drift makes more rows unusual, too.",
        _TOO_FEW,
        to_board("quality"),
    )
    queries = [
        Query(f"{highest(scope.of('model_anomalous_rows_ratio', level=level))} / {share:g}", f"beyond the {name}")
        for level, (name, share) in _LEVELS.items()
    ]
    limit: Mark = marks.unusual
    return lines(about, *queries, scale=PanelScale(unit="short", decimals=1, least=0, thresholds=steps(limit)))

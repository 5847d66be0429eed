"""Panels of the Model dashboard about performance before the labels, beside what is known so far."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.links import to_board
from driftgauge.generator.dashboards.marks import Marks
from driftgauge.generator.dashboards.model_performance import NAMES, interval
from driftgauge.generator.dashboards.model_service import SCOPE
from driftgauge.generator.dashboards.panels import About, PanelScale, band, lines
from driftgauge.generator.dashboards.queries import Query, highest

# Those that alerts watch as they ship; estimates of others are in the exporter's page.
_METRICS: Final = ("accuracy", "f1", "roc_auc", "mae", "rmse")
_NO_LABELS: Final = "No labels in the window, or another task"
_NO_ESTIMATE: Final = "No labelled reference, another task, or the signal is off"
_IF_IT_HELD: Final = "If the relation to the label is that of the reference: an estimate cannot see concept drift."


def degradations(marks: Marks) -> list[Panel]:
    """Return how much worse than its baseline each metric is expected to be: scores and errors apart."""
    wanted = [
        ("Scores expected below their baseline", scales.SCORES, scales.expected_degradation(marks)),
        ("Errors expected above their baseline", scales.ERRORS, scales.expected_rise(marks)),
    ]
    return [
        lines(
            About(
                title,
                f"Expected from scores or inputs alone, before the labels, of the worst version. {_IF_IT_HELD} The "
                "line is the lowest threshold of the alert.",
                _NO_ESTIMATE,
                to_board("why"),
            ),
            Query(highest(SCOPE.of("model_estimated_degradation", metric=metrics), "metric"), "{{metric}}"),
            scale=scale,
        )
        for title, metrics, scale in wanted
    ]


def pairs() -> list[Panel]:
    """Return for each watched metric what is known so far, beside what is expected today."""
    return [panel for metric in _METRICS for panel in (_known(metric), _expected(metric))]


def _known(metric: str) -> Panel:
    about = About(
        f"{NAMES[metric]}: known so far",
        "From the labels that came, by version, in the 95 % interval; of several versions the ends of all. Rows that "
        "come in clumps make it too narrow.",
        _NO_LABELS,
        to_board("fleet"),
    )
    value = Query(highest(SCOPE.of(PERFORMANCE_GAUGES[metric]), "version"), "{{version}}")
    lower, upper = interval("model_performance_bound", metric)
    return band(about, value, lower=lower.expr, upper=upper.expr, scale=_scale(metric))


def _expected(metric: str) -> Panel:
    about = About(
        f"{NAMES[metric]}: expected today",
        f"Before the labels, by version, in the 95 % interval. {_IF_IT_HELD}",
        _NO_ESTIMATE,
        to_board("why"),
    )
    value = Query(highest(SCOPE.of("model_estimated_performance", metric=metric), "version"), "{{version}}")
    lower, upper = interval("model_estimated_performance_bound", metric)
    return band(about, value, lower=lower.expr, upper=upper.expr, scale=_scale(metric))


def _scale(metric: str) -> PanelScale:
    # Without an end: intervals may reach beyond 100 %, and are cut off there already.
    return PanelScale(unit="percentunit", decimals=1) if metric in scales.SCORES else scales.NUMBER


def trust() -> list[Panel]:
    """Return how far estimates can be trusted: their record, and how many labels have come to check them."""
    records = [
        (
            "How far estimates were off: scores",
            scales.SCORES,
            PanelScale(unit="percentunit", decimals=1),
        ),
        ("How far estimates were off: errors", scales.ERRORS, scales.NUMBER),
    ]
    return [
        *(
            lines(
                About(
                    title,
                    "Realised minus estimated on the same labelled rows, by metric: above 0 reality was higher than "
                    "estimated. Far from 0 for long, estimates of this model are no guide.",
                    "No labels to check an estimate by",
                    to_board("fleet"),
                ),
                Query(highest(SCOPE.of("model_estimate_error", metric=metrics), "metric"), "{{metric}}"),
                scale=scale,
            )
            for title, metrics, scale in records
        ),
        lines(
            About(
                "Labelled share of the window",
                "Share of the window's predictions that have their label, by version. Where it is low, the labels that "
                "came first may be special.",
                "No labels in the window",
                to_board("fleet"),
            ),
            Query(highest(SCOPE.of("model_label_ratio"), "version"), "{{version}}"),
            scale=PanelScale(unit="percentunit", decimals=1, least=0, most=1),
        ),
    ]

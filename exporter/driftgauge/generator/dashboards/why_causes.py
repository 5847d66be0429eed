"""Panels of the Why dashboard about why: inputs or concept, which slices, which features, and since when for sure."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import Panel

from driftgauge.generator.dashboards import scales
from driftgauge.generator.dashboards.links import of_field, to_board, with_value
from driftgauge.generator.dashboards.marks import COLOURS, GOOD, Mark, Marks, steps
from driftgauge.generator.dashboards.model_service import SCOPE
from driftgauge.generator.dashboards.panels import About, PanelScale, bars, lines, states
from driftgauge.generator.dashboards.queries import Query, highest
from driftgauge.generator.dashboards.tables import number, ranking

_NO_SPLIT: Final = "No labels, no estimate, or another task"
# One loss per task, by which slices are judged and features ranked.
_LOSSES: Final = ("accuracy", "mae")
# From where on the flag may be set (docs/statistics.md).
_CERTAIN: Final = 3


def parts() -> list[Panel]:
    """Return what explains a change of performance: the inputs, or a changed relation to the label."""
    wanted = [
        ("Inputs or concept: accuracy", "accuracy", PanelScale(unit="percentunit", decimals=1)),
        ("Inputs or concept: absolute error", "mae", scales.NUMBER),
    ]
    return [
        bars(
            About(
                title,
                "What is worse than the baseline, in two parts that sum to it: explained by inputs or scores, or by a "
                "changed relation to the label (concept). Labels that come early look like concept.",
                _NO_SPLIT,
                to_board("features"),
            ),
            Query(highest(SCOPE.of("model_performance_change", metric=metric), "part"), "{{part}}"),
            scale=scale,
        )
        for title, metric, scale in wanted
    ]


def concept() -> list[Panel]:
    """Return how sure it is that the relation to the label changed, and when it was flagged."""
    return [
        lines(
            About(
                "Concept in its standard errors",
                f"The concept part divided by its standard error, by metric: beyond {_CERTAIN} or -{_CERTAIN} it is no "
                "luck. Errors in labels look the same.",
                _NO_SPLIT,
                to_board("features"),
            ),
            Query(highest(SCOPE.of("model_concept_drift_zscore"), "metric"), "{{metric}}"),
            scale=PanelScale(
                unit="short", decimals=1, thresholds=steps(Mark(-_CERTAIN, "none"), Mark(_CERTAIN, "high"))
            ),
        ),
        states(
            About(
                "Relation to the label",
                "When it changed, both by much and beyond chance, by version. First ask which labels came early.",
                "Fewer than 100 labels, no estimate, or the signal is off",
                to_board("fleet"),
            ),
            Query(highest(SCOPE.of("model_concept_drift_detected"), "version"), "{{version}}"),
            scale=PanelScale(unit="none", words=scales.CONCEPT),
        ),
    ]


def slices() -> Panel:
    """Return the slices that are worst, by what is certain of their fall."""
    by = ("segment", "version")
    columns = [
        number("Certain fall", highest(SCOPE.of("model_segment_degradation_lower"), *by), Mark(0, "medium")),
        number("Performance", highest(SCOPE.of("model_segment_performance"), *by)),
        number("Labels", highest(SCOPE.of("model_segment_rows"), *by)),
    ]
    about = About(
        "Worst slices",
        "The five whose loss rose most against the same slice of the reference, by the least that is certain of it: "
        "the worst of many is exaggerated. Correlated columns show one problem several times.",
        "No labels, fewer than 50 in every slice, or the signal is off",
        to_board("features"),
    )
    return ranking(about, columns, keys=by, links=[to_board("features")])


def causes(marks: Marks) -> Panel:
    """Return the features by how much of the expected loss their shift explains."""
    by = ("feature", "version")
    distance = highest(SCOPE.of("model_feature_js_distance"), *by)
    impact = highest(SCOPE.of("model_feature_performance_impact", metric=_LOSSES), *by)
    columns = [
        number("Shift times impact", f"{distance} * on ({', '.join(by)}) abs({impact})"),
        number("Impact on the expected loss", impact),
        number("JS distance", distance),
        number("PSI", highest(SCOPE.of("model_feature_psi"), *by), marks.prediction_psi),
    ]
    about = About(
        "Causes: shift times impact",
        "By how much the expected loss moved because the feature's mix did, as if no other had, ranked by "
        "Jensen-Shannon distance times impact. Columns move together, impacts do not add up: the first is a suspect.",
        "No labelled reference, too few rows, or the signal is off",
        to_board("features"),
    )
    chosen = with_value("features", "model", "version", "window", feature=of_field("feature"))
    return ranking(about, columns, keys=by, links=[chosen])


def since(marks: Marks) -> list[Panel]:
    """Return how many slices became worse, evidence that something lastingly changed, and whether to retrain."""
    return [
        lines(
            About(
                "Slices that became worse",
                "How many slices lost beyond chance against the same slice of the reference, by version.",
                "No labels, or the signal is off",
                to_board("features"),
            ),
            Query(highest(SCOPE.of("model_segments_worse"), "version"), "{{version}}"),
            scale=scales.count(marks.segments_worse),
        ),
        lines(
            About(
                "Evidence",
                "Of a lasting change, as a power of ten, by signal; it holds however often one looks. It stays high "
                "until better rows have paid it back or it is reset. The line is the alert's.",
                "No reference, or the signal is off",
                to_board("fleet"),
            ),
            Query(highest(SCOPE.of("model_evidence_log10"), "signal"), "{{signal}}"),
            scale=PanelScale(unit="short", decimals=2, thresholds=steps(marks.evidence)),
        ),
        states(
            About(
                "Retraining",
                "Whether the policy in thresholds.yml recommends to retrain, by version and reason: each has to hold "
                "now and to have held on several days before.",
                "Nothing to judge by, or switched off",
                to_board("fleet"),
            ),
            Query(highest(SCOPE.of("model_retraining_recommended"), "version", "reason"), "{{version}} {{reason}}"),
            scale=PanelScale(
                unit="none", words={0: ("no", GOOD), 1: ("recommended", COLOURS[marks.retraining.severity])}
            ),
        ),
    ]

"""What the page says of a model, by the very thresholds of the alerts."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.config import Config, parse
from driftgauge.families import FAMILIES
from driftgauge.generator import thresholds as settings
from driftgauge.generator.alerts import MODEL_ALERTS
from driftgauge.pipeline.journal import Journal
from driftgauge.samples import Sample, Samples
from driftgauge.service.figures import figures
from driftgauge.service.judging import STATES, judged
from driftgauge.verdict import Rules
from driftgauge.windows import MICROSECONDS

NOW = 1_767_960_000
HEAD = "windows: [1h, 24h, 7d]\nmodels: [{name: m, predictions: {files: p}}]"
Values = Mapping[str, Mapping[tuple[str, ...], float]]
FINE: Values = {
    "model_predictions_total": {("1",): 5000},
    "model_window_predictions": {("1", window): 1000 for window in ("1h", "24h", "7d")},
    "model_window_labels": {("1", window): 500 for window in ("1h", "24h", "7d")},
    "model_last_prediction_timestamp_seconds": {(): NOW - 60},
    "model_last_label_timestamp_seconds": {(): NOW - 60},
    "model_monitored_features": {("1", "24h"): 10},
    "model_drifted_features": {("1", "24h"): 0},
    "model_drifted_features_ratio": {("1", "24h"): 0.0},
    "model_accuracy": {("1", "24h"): 0.9, ("1", "7d"): 0.91},
    "model_performance_baseline": {("1", "accuracy"): 0.92},
    "model_performance_degradation": {("1", "24h", "accuracy"): 0.02},
    "model_concept_drift_zscore": {("1", "24h", "accuracy"): 4.0},
}


def samples(values: Values) -> Samples:
    """Return samples of the model `m`."""
    for name, found in values.items():
        family = FAMILIES.get(name)
        assert not family or all(len(labels) == len(family.labels) - 1 for labels in found), name
    return {name: [Sample(("m", *labels), value) for labels, value in found.items()] for name, found in values.items()}


def config(text: str = HEAD) -> Config:
    """Return a configuration with one model."""
    return parse(text, filename="c", environ={})


@cache
def rules(own: str = "{}") -> Rules:
    """Return the rules of somebody's thresholds."""
    return Rules.of(settings.parse(own, filename="t"))


def said(values: Values, journal: Journal | None = None, *, own: str = "{}") -> list[tuple[str, str]]:
    """Return the alerts that hold, with what they say."""
    found = judged("m", samples(values), journal or Journal(), rules(own), now=NOW * MICROSECONDS)
    return [(finding.alert, finding.sentence) for finding in found]


def shown(values: Values, journal: Journal | None = None, *, text: str = HEAD) -> dict[str, Any]:
    """Return what the page shows."""
    whole, now = config(text), NOW * MICROSECONDS
    return figures(whole.models[0], whole, samples(values), journal or Journal(), now=now)


def state(values: Values, journal: Journal | None = None) -> str:
    """Return the word of the page."""
    return str(shown(values, journal)["state"])


# The value at which each alert does not fire yet, and one just beyond it, in the shipped file.
LIMITS: list[tuple[str, str, tuple[str, ...], float, float]] = [
    ("ModelPerformanceDegraded", "model_performance_degradation", ("1", "24h", "accuracy"), 0.05, 0.0501),
    ("ModelPerformanceDegraded", "model_performance_degradation", ("1", "24h", "mae"), 0.05, 0.0501),
    ("ModelFeaturesDrifted", "model_drifted_features", ("1", "24h"), 2, 3),
    ("ModelFeaturesDrifted", "model_drifted_features_ratio", ("1", "24h"), 0.3, 0.31),
    ("ModelPerformanceEvidence", "model_evidence_log10", ("1", "accuracy"), 3.93, 3.94),
    ("ModelDriftEvidence", "model_evidence_log10", ("1", "inputs"), 3.93, 3.94),
    ("ModelConceptDrift", "model_concept_drift_detected", ("1", "24h"), 0, 1),
    ("ModelSlicesDegraded", "model_segments_worse", ("1", "24h"), 0, 1),
    ("ModelMultivariateDrift", "model_multivariate_drift_detected", ("1", "24h"), 0, 1),
    ("ModelMultivariateDrift", "model_reconstruction_drift_detected", ("1", "24h"), 0, 1),
    ("ModelUnusualRows", "model_anomalous_rows_ratio", ("1", "24h", "0.99"), 0.05, 0.0501),
    ("ModelUnusualRows", "model_anomalous_rows_ratio", ("1", "24h", "0.999"), 0.005, 0.00501),
    ("ModelOutputDrifted", "model_prediction_drift_detected", ("1", "24h"), 0, 1),
    ("ModelFeatureDrifted", "model_feature_drift_detected", ("1", "24h", "age"), 0, 1),
    ("ModelLabelDrift", "model_label_drift_detected", ("1", "24h"), 0, 1),
    ("ModelMissingValues", "model_feature_missing_ratio", ("1", "24h", "age"), 0.2, 0.21),
    ("ModelUnseenCategories", "model_feature_unseen_ratio", ("1", "24h", "plan"), 0.05, 0.06),
    ("ModelOutliers", "model_feature_outlier_ratio", ("1", "24h", "age"), 0.25, 0.26),
    ("ModelLatencyHigh", "model_latency_quantile_seconds", ("1", "1h", "0.99"), 0.5, 0.51),
    ("ModelErrorRatioHigh", "model_error_ratio", ("1", "1h"), 0.05, 0.06),
    ("ModelTrafficStopped", "model_last_prediction_timestamp_seconds", (), NOW - 7200, NOW - 7201),
    ("ModelLabelsLate", "model_last_label_timestamp_seconds", (), NOW - 3 * 86400, NOW - 3 * 86400 - 1),
]


@pytest.mark.parametrize(("alert", "family", "labels", "fine", "beyond"), LIMITS)
def test_thresholds(alert: str, family: str, labels: tuple[str, ...], fine: float, beyond: float) -> None:
    """The page begins to say what an alert says exactly where the alert begins."""

    def at(value: float) -> Values:
        return {**FINE, family: {**FINE.get(family, {}), labels: value}}

    assert said(at(fine)) == []
    ((name, text),) = said(at(beyond))
    assert name == alert
    assert text
    assert state(at(beyond)) == STATES[alert]


@pytest.mark.parametrize(
    ("zscores", "fires"), [((4.0, -3.0), True), ((3.0, -4.0), False), ((-4.0,), False), ((4.0,), True)]
)
def test_a_relation_that_changed_for_the_better(zscores: tuple[float, ...], *, fires: bool) -> None:
    """What is right more often than expected is flagged, and nobody is woken."""
    metrics = {("1", "24h", metric): value for metric, value in zip(("accuracy", "recall"), zscores, strict=False)}
    flagged = {"model_concept_drift_detected": {("1", "24h"): 1}, "model_concept_drift_zscore": metrics}
    assert [name for name, _ in said({**FINE, **flagged})] == ["ModelConceptDrift"] * fires


def test_a_shift_of_the_output_is_no_luck() -> None:
    """Its PSI counts where the output is flagged: of few rows or many classes it is large without any shift."""

    def at(psi: float, flag: float) -> list[str]:
        output = {"model_prediction_psi": psi, "model_prediction_drift_detected": flag}
        return [
            name for name, _ in said({**FINE, **{family: {("1", "24h"): value} for family, value in output.items()}})
        ]

    assert at(9.0, 0) == []
    assert at(0.2, 1) == ["ModelOutputDrifted"]
    assert at(0.21, 1) == ["ModelPredictionShifted", "ModelOutputDrifted"]


@pytest.mark.parametrize("family", ["model_feature_unseen_ratio", "model_feature_outlier_ratio"])
def test_what_is_usual_in_the_reference_as_well(family: str) -> None:
    """Of a feature that is judged and not flagged, many unseen categories or outliers are as in the reference."""
    bad = {**FINE, family: {("1", "24h", "shop"): 0.9, ("1", "24h", "plan"): 0.4}}
    flags = {("1", "24h", "shop"): 0.0, ("1", "24h", "plan"): 0.0}
    assert said({**bad, "model_feature_drift_detected": flags}) == []
    found = shown({**bad, "model_feature_drift_detected": {("1", "24h", "shop"): 0.0}})
    (verdict,) = found["verdicts"]
    assert "up to 40% of a feature's values" in verdict["text"]
    assert "Worst: plan (0.4)." in verdict["look"]


def test_every_alert_on_a_model_has_a_word() -> None:
    """So that a new one needs one too."""
    assert set(STATES) == set(MODEL_ALERTS)


def test_the_healthy_model_is_healthy() -> None:
    """Nothing is said of it, and its scores have window, rows and baseline."""
    assert said(FINE) == []
    assert state(FINE) == "healthy"
    found = shown(FINE)
    assert found["notes"] == []
    assert found["scores"] == [{"metric": "accuracy", "value": 0.9, "window": "24h", "labels": 500, "baseline": 0.92}]


def test_too_few_rows_are_not_judged() -> None:
    """As in the alerts: 300 labels, 200 predictions."""
    bad: Values = {
        **FINE,
        "model_performance_degradation": {("1", "24h", "accuracy"): 0.3},
        "model_drifted_features": {("1", "24h"): 9},
    }
    assert [name for name, _ in said(bad)] == ["ModelPerformanceDegraded", "ModelFeaturesDrifted"]
    few = {**bad, "model_window_labels": {("1", "24h"): 299}, "model_window_predictions": {("1", "24h"): 199}}
    assert said(few) == []


FELL: Values = {
    **FINE,
    "model_performance_degradation": {("1", "24h", "accuracy"): 0.2},
    "model_performance_bound": {("1", "24h", "accuracy", "upper"): 0.86},
    "model_window_labels": {("1", "24h"): 100},
}


@pytest.mark.parametrize(
    ("changed", "own", "degraded"),
    [
        ({}, "{}", True),
        ({"model_performance_bound": {("1", "24h", "accuracy", "upper"): 0.88}}, "{}", False),
        ({"model_window_labels": {("1", "24h"): 99}}, "{}", False),
        ({"model_performance_bound": {}}, "{}", False),
        ({}, "alerts: {ModelPerformanceDegraded: {confident: false}}", False),
        ({"model_window_labels": {("1", "24h"): 300}}, "alerts: {ModelPerformanceDegraded: {confident: false}}", True),
    ],
)
def test_intervals_decide_where_there_are_some(changed: Values, own: str, degraded: bool) -> None:  # noqa: FBT001 - a column of the table
    """As in the alert: the better end of the interval from 100 labels on, else the figure from 300."""
    assert (said({**FELL, **changed}, own=own) != []) is degraded


EXPECTED: Values = {
    **FINE,
    "model_estimated_degradation": {("1", "24h", "accuracy"): 0.09, ("1", "24h", "mae"): 0.2},
    "model_estimated_performance_bound": {("1", "24h", "accuracy", "upper"): 0.86, ("1", "24h", "mae", "lower"): 10.6},
    "model_performance_baseline": {("1", "accuracy"): 0.92, ("1", "mae"): 10},
}


@pytest.mark.parametrize(
    ("changed", "metrics"),
    [
        ({}, ["accuracy", "mae"]),
        ({"model_estimated_performance_bound": {("1", "24h", "accuracy", "upper"): 0.88}}, []),
        ({"model_estimate_error": {("1", "7d", "accuracy"): -0.06}}, ["mae"]),
        ({"model_estimate_error": {("1", "7d", "accuracy"): -0.06, ("1", "24h", "mae"): 0.6}}, []),
        ({"model_estimate_error": {("1", "1h", "accuracy"): 0.3}}, ["accuracy", "mae"]),
    ],
)
def test_estimates_are_believed_unless_they_erred(changed: Values, metrics: list[str]) -> None:
    """As in the alert: what is certain decides, and a bad record of the window's or the week's labels silences it."""
    found = said({**EXPECTED, **changed})

    assert [name for name, _ in found] == ["ModelEstimatedPerformanceDegraded"] * len(metrics)
    assert [text.split(", ")[1].split()[0] for _, text in found] == metrics


def test_the_gravest_speaks() -> None:
    """A drifted feature is less than a model that is wrong; both are listed."""
    bad = {
        **FINE,
        "model_feature_drift_detected": {("1", "24h", "age"): 1.0},
        "model_performance_degradation": {("1", "24h", "accuracy"): 0.3},
    }
    assert [name for name, _ in said(bad)] == ["ModelPerformanceDegraded", "ModelFeatureDrifted"]
    assert state(bad) == "degraded"


def test_a_replaced_version_pages_no_more() -> None:
    """Only versions that are asked in the window of traffic are judged, or the newest when none is."""
    values = {
        **FINE,
        "model_predictions_total": {("2",): 10, ("1",): 5000},
        "model_window_predictions": {("2", "1h"): 900, ("2", "24h"): 900, ("1", "1h"): 0, ("1", "24h"): 900},
        "model_drifted_features": {("1", "24h"): 9, ("2", "24h"): 0},
    }
    assert said(values) == []
    both = {**values, "model_window_predictions": {**values["model_window_predictions"], ("1", "1h"): 1}}
    assert [name for name, _ in said(both)] == ["ModelFeaturesDrifted"]


def test_settings_of_ones_own() -> None:
    """Disabled alerts say nothing, and floors do."""
    bad = {**FINE, "model_feature_drift_detected": {("1", "24h", "age"): 1.0}}
    assert said(bad, own="alerts: {ModelFeatureDrifted: {enabled: false}}") == []
    ((name, text),) = said(FINE, own="models: {m: {floors: {accuracy: 0.95}}}")
    assert name == "ModelBelowFloor"
    assert "accuracy in the last 24h is 0.9, but should be at least 0.95." in text


def test_windows_that_alerts_do_not_find() -> None:
    """What never fires in Prometheus is not said here either; the page says why, and is no judge of health."""
    rows = {("1", "20h"): 900, ("1", "1h"): 900}
    drifted = {("1", "20h"): 9}
    near = {**FINE, "model_window_predictions": rows, "model_drifted_features": drifted}
    near |= {"model_window_labels": rows, "model_performance_degradation": {("1", "20h", "accuracy"): 0.3}}
    near |= {"model_monitored_features": {("1", "20h"): 10}}
    found = shown(near, text=HEAD.replace("24h, 7d", "20h"))
    assert (found["state"], found["verdicts"], found["drift_window"]) == ("unjudged", [], "20h")
    day, week = found["notes"]
    assert day.startswith('driftgauge.yml has no window "24h", so these never fire: ModelPerformanceDegraded, ')
    assert "ModelFeaturesDrifted" in day
    assert "ModelMissingValues" in day
    assert day.endswith("; write one of 1h, 20h, or add 24h to windows: in driftgauge.yml")
    assert "ModelLabelsLate" in week


def test_one_line_for_each_alert() -> None:
    """However many features it holds for: the first in full, some others by name."""
    flags = {("1", "24h", name): 1.0 for name in ("age", "plan", "city", "bill", "calls")}
    (verdict,) = shown({**FINE, "model_feature_drift_detected": flags})["verdicts"]
    assert "m version 1: feature age in the last 24h is flagged as drifted" in verdict["text"]
    assert verdict["look"].startswith("Also: plan, city, bill and 1 more. Look at its mean")


def test_what_a_week_before_would_say() -> None:
    """Silence that is usual is no alert, and nobody here knows whether it is."""
    (verdict,) = shown({**FINE, "model_last_prediction_timestamp_seconds": {(): NOW - 9000}})["verdicts"]
    assert "the newest prediction is 2h 30m 0s old; the limit is 2h." in verdict["text"]
    assert verdict["look"].startswith("No alert if it was so a week before. Either nobody")


def _journal(rows: int, **more: Any) -> Journal:
    read = Totals(versions={"1": VersionTotals(predictions=rows)}, **more)
    return Journal().counting(Totals(), read, NOW * MICROSECONDS - 1)


def test_rows_and_files_that_cannot_be_used() -> None:
    """One row in a hundred, of a hundred rows at least; one file."""
    assert said(FINE, _journal(990, rejected={"bad_label": 10})) == []
    ((name, text),) = said(FINE, _journal(980, rejected={"bad_label": 15, "missing_key": 5}))
    assert (name, text) == (
        "ModelRowsRejected",
        "m: 2% of the rows read in the last 6h were rejected; the limit is 1%.",
    )
    assert said(FINE, _journal(50, rejected={"bad_label": 40})) == []
    ((name, text),) = said(FINE, _journal(50, failures={"invalid_json": 1}))
    assert name == "ModelBatchesRejected"
    assert text == "m: 1 of its files could not be read in the last 6h and were set aside; the limit is 1."
    old = replace(Journal().counting(Totals(), Totals(failures={"invalid_json": 1}), (NOW - 7 * 3600) * MICROSECONDS))
    assert said(FINE, old) == []
    # The journal goes back for a day: of more, nothing is said rather than too little.
    long = "alerts: {ModelRowsRejected: {within: 2d}, ModelBatchesRejected: {within: 2d}}"
    assert said(FINE, _journal(50, rejected={"bad_label": 200}, failures={"invalid_json": 1}), own=long) == []


def test_a_first_file_of_which_nothing_counts() -> None:
    """Who has just begun is not told to wait for a hundred rows."""
    assert state({}, _journal(0, rejected={"bad_timestamp": 12})) == "rows rejected"
    assert state({}) == "waiting"


def test_labels_that_meet_no_prediction() -> None:
    """They are said as soon as there are some."""
    assert state({**FINE, "model_label_match_ratio": {(): 0.5}}) == "healthy"
    assert state({**FINE, "model_label_match_ratio": {(): 0.0}}) == "labels unmatched"


def test_nothing_to_judge_by() -> None:
    """A model without drift and without enough labels is not called healthy."""
    bare = {name: found for name, found in FINE.items() if "drift" not in name and "monitored" not in name}
    assert state(bare) == "healthy"
    del bare["model_performance_degradation"]
    assert state(bare) == "unjudged"

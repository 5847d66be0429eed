"""Snapshots of small hand-made models, sample by sample, and what is absent from them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from data_builders import MICROS, a_model, a_pane, a_reference, features, make_columns
from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.batch import decode
from driftgauge.collector import validate, within_limit, written
from driftgauge.columns import Columns
from driftgauge.config import Limits, Window
from driftgauge.drift import compare
from driftgauge.estimate.intervals import wilson
from driftgauge.families import LABEL_DELAY_BUCKETS, LATENCY_BUCKETS, PERFORMANCE_GAUGES
from driftgauge.reference import Reference
from driftgauge.samples import HistogramSample, Sample
from driftgauge.snapshot import Identity, ModelState, SnapshotCache, model_samples
from driftgauge.snapshot import samples as computing
from driftgauge.windows import PaneKey, Tiers

NAN = float("nan")
HOUR = Window("1h", 3600)
LIMITS = Limits()
NOW = 1_767_609_000 * MICROS
PANE = NOW // MICROS // 120 * 120

Samples = Mapping[str, Sequence[Sample | HistogramSample]]


def predictions(rows: Columns, reference: Reference | None = None) -> dict[PaneKey, Pane]:
    """Fold rows of version 1 into one pane of the last hour."""
    return {PaneKey("1", PANE, 120): a_pane(rows, reference)}


def samples(
    *, limits: Limits | None = None, settings: Any = None, **state: Any
) -> dict[str, dict[tuple[str, ...], Any]]:
    """Return values by family and labels, after `validate` has accepted them."""
    model = ModelState(
        a_model(**(settings or {})), **({"totals": Totals(versions={"1": VersionTotals(last_prediction=NOW)})} | state)
    )
    found = model_samples(model, windows=[HOUR], limits=limits or Limits(), now=NOW)
    validate(found)
    return {name: {sample.labels: getattr(sample, "value", sample) for sample in of} for name, of in found.items()}


def on_window(found: Mapping[str, Mapping[tuple[str, ...], Any]], prefix: str) -> dict[str, Any]:
    """Return what families with this prefix say about version 1 in the last hour, by the rest of name and labels."""
    return {
        " ".join([name.removeprefix(prefix), *labels[3:]]): value
        for name, values in found.items()
        for labels, value in values.items()
        if name.startswith(prefix) and labels[:3] == ("churn", "1", "1h")
    }


def test_totals() -> None:
    """Counters, histograms, times and identities are published as they are; what is unknown is absent."""
    version = VersionTotals(
        predictions=7,
        failed=2,
        labels=3,
        latency=Buckets.fold(np.array([0.002, 0.3]), LATENCY_BUCKETS),
        label_delay=Buckets.empty(LABEL_DELAY_BUCKETS),
        last_prediction=NOW,
    )
    totals = Totals(
        {"1": version},
        batches=4,
        failures={"truncated": 1},
        rejected={"bad_label": 5},
        unread=2,
        duplicates=3,
        last_batch=NOW + MICROS // 2,
    )

    found = samples(totals=totals, baseline={"f1": 0.9}, identities={"1": Identity("r", "e", "models:/m/1")})

    latency = found.pop("model_latency_seconds")["churn", "1"]
    assert (sum(latency.counts), latency.sum, latency.bounds) == (2, 0.302, LATENCY_BUCKETS)
    assert latency.counts[1] == latency.counts[8] == 1
    assert found == {
        "model_batches_total": {("churn",): 4},
        "model_files_not_read_total": {("churn",): 2},
        "model_duplicate_batches_total": {("churn",): 3},
        "model_batch_failures_total": {("churn", "truncated"): 1},
        "model_rows_rejected_total": {("churn", "bad_label"): 5},
        "model_last_prediction_timestamp_seconds": {("churn",): NOW / MICROS},
        "model_last_batch_timestamp_seconds": {("churn",): NOW / MICROS + 0.5},
        "model_predictions_total": {("churn", "1"): 7},
        "model_prediction_errors_total": {("churn", "1"): 2},
        "model_labels_total": {("churn", "1"): 3},
        "model_performance_baseline": {("churn", "1", "f1"): 0.9},
        "model_info": {("churn", "1", "r", "e", "models:/m/1"): 1},
        "model_window_predictions": {("churn", "1", "1h"): 0},
        "model_window_labels": {("churn", "1", "1h"): 0},
    }


def test_a_window_without_a_reference() -> None:
    """Without a reference there are moments, missing values, errors and latency, and no drift."""
    rows = make_columns(
        4,
        score=[0.2, 0.4, NAN, 0.6],
        predicted=["0", "0", None, "1"],
        failed=[False, False, True, False],
        latency=[0.1, 0.2, 0.3, NAN],
        numbers={"age": [10, 30, NAN, NAN], "once": [5, NAN, NAN, NAN]},
        categories={"plan": ["a", "b", "c", None]},
    )

    found = samples(predictions=predictions(rows))

    assert on_window(found, "model_feature_") == pytest.approx(
        {
            "mean age": 20,
            "stddev age": 10,
            "missing_ratio age": 0.5,
            "missing_ratio once": 0.75,
            "missing_ratio plan": 0.25,
        }
    )
    assert on_window(found, "model_prediction_") == pytest.approx(
        {"mean": 0.4, "stddev": np.std([0.2, 0.4, 0.6]), "missing_ratio": 0}
    )
    assert on_window(found, "model_latency_quantile_seconds") == pytest.approx(
        {" 0.5": 0.2, " 0.9": 0.28, " 0.99": 0.298}
    )
    assert on_window(found, "model_window_predictions") == {"": 4}
    assert on_window(found, "model_error_ratio") == {"": 0.25}
    assert on_window(found, "model_missing_ratio") == {"": 0.5}
    assert found["model_window_latency_seconds"]["churn", "1", "1h"].sum == pytest.approx(0.6)
    assert not any("drift" in name or "outlier" in name or "monitored" in name for name in found)


REFERENCE_ROWS = make_columns(
    100,
    score=np.linspace(0, 1, 100),
    predicted=["1"] * 100,
    numbers={"age": np.arange(100), "constant": [7] * 100, "gone": np.arange(100)},
    categories={"plan": ["a", "b"] * 50},
)
REFERENCE = a_reference(REFERENCE_ROWS)


def window_of(rows: int, **numbers: Any) -> Columns:
    """Return a window whose `age` lies far from the reference and whose other columns do not."""
    return make_columns(
        rows,
        score=np.linspace(0, 1, rows),
        predicted=["1"] * rows,
        numbers={"age": np.full(rows, 500.0), "constant": [7] * rows} | numbers,
        categories={"plan": ["a", "b", "a", "new"] * (rows // 4)},
    )


def test_a_window_with_a_reference() -> None:
    """Drift is told of each column that can be compared, and data quality of the others."""
    found = samples(predictions=predictions(window_of(60), REFERENCE), reference=REFERENCE)
    feature = on_window(found, "model_feature_")

    assert feature["ks_statistic age"] == 1
    assert feature["outlier_ratio age"] == 1
    assert feature["outlier_ratio constant"] == 0
    assert feature["unseen_ratio plan"] == 0.25
    assert feature["total_variation_distance plan"] == pytest.approx(0.25)
    assert feature["missing_ratio gone"] == 1
    flags = {name: value for name, value in feature.items() if name.startswith("drift_detected")}
    assert flags == {"drift_detected age": 1, "drift_detected constant": 0, "drift_detected plan": 1}
    # Only what divides by the deviation is absent.
    assert {name.split()[0] for name in feature if name.endswith("age")} - {
        name.split()[0] for name in feature if name.endswith("constant")
    } == {"wasserstein_distance", "mean_shift"}
    assert [name for name in feature if name.endswith("gone")] == ["missing_ratio gone"]
    assert on_window(found, "model_drift") == {"ed_features": 2, "ed_features_ratio": 2 / 3, "_detected": 1}
    assert on_window(found, "model_monitored_features") == {"": 3}
    assert on_window(found, "model_prediction_drift_detected") == {"": 0}
    assert on_window(found, "model_missing_ratio")[""] == pytest.approx(0.25)
    # 60 rows of `age` outside, 60 of `constant` inside; `gone` has no value to count.
    assert on_window(found, "model_outlier_ratio") == {"": 0.5}


@pytest.mark.parametrize(
    ("rows", "statistics", "verdicts"), [(4, True, False), (48, True, False), (52, True, True)], ids=str
)
def test_few_rows(rows: int, *, statistics: bool, verdicts: bool) -> None:
    """Below min_samples statistics are there and verdicts are absent; nothing is monitored then."""
    found = samples(predictions=predictions(window_of(rows), REFERENCE), reference=REFERENCE)

    assert ("model_feature_ks_statistic" in found) == statistics
    for family in ("feature_drift_detected", "prediction_drift_detected", "drift_detected", "drifted_features"):
        assert (f"model_{family}" in found) == verdicts
    assert on_window(found, "model_monitored_features") == {"": 3 if verdicts else 0}


def test_one_row() -> None:
    """From one row there are no statistics, means or deviations, but there is data quality."""
    found = samples(predictions=predictions(REFERENCE_ROWS.take(np.array([3])), REFERENCE), reference=REFERENCE)

    suffixes = {name.split()[0] for name in on_window(found, "model_feature_")}
    assert suffixes == {"missing_ratio", "outlier_ratio", "unseen_ratio"}


def test_columns_the_reference_never_had() -> None:
    """A new column is all unseen; it is reported after the reference's, and is no part of the drift counts."""
    found = samples(predictions=predictions(window_of(60, new=np.arange(60)), REFERENCE), reference=REFERENCE)
    feature = on_window(found, "model_feature_")

    assert {name.split()[0]: value for name, value in feature.items() if name.endswith(" new")} == pytest.approx(
        {"mean": 29.5, "stddev": np.std(np.arange(60)), "missing_ratio": 0, "unseen_ratio": 1}
    )
    assert [labels[3] for labels in found["model_feature_missing_ratio"]] == ["age", "constant", "gone", "plan", "new"]
    assert on_window(found, "model_monitored_features") == {"": 3}


def test_features_beyond_the_limit_are_not_published() -> None:
    """At most `max_features` features have series, the reference's first."""
    state = {"predictions": predictions(window_of(60, new=np.arange(60)), REFERENCE), "reference": REFERENCE}

    found = samples(limits=Limits(max_features=2), **state)

    assert {labels[3] for name in found if name.startswith("model_feature") for labels in found[name]} == {
        "age",
        "constant",
    }


def test_versions_beyond_the_limit_are_not_published() -> None:
    """The most recent versions have series; the model's own counters still cover all of them."""
    versions = {
        name: VersionTotals(predictions=1, last_prediction=NOW - age) for name, age in (("a", 3), ("b", 1), ("c", 2))
    }

    found = samples(totals=Totals(versions=versions, batches=3), limits=Limits(max_versions=2))

    assert list(found["model_predictions_total"]) == [("churn", "b"), ("churn", "c")]
    assert found["model_last_prediction_timestamp_seconds"] == {("churn",): (NOW - 1) / MICROS}


def test_performance() -> None:
    """Metrics, classes and degradation are published; what is undefined is absent."""
    rows = make_columns(4, label=["1", "1", "0", "1"], predicted=["1", "0", "0", "1"])
    outcomes = {PaneKey("1", PANE, 120): a_pane(rows, of="labelled")}

    found = samples(outcomes=outcomes, baseline={"accuracy": 0.8, "roc_auc": 0.9}, settings={"average": "binary"})

    expected = {"accuracy": 0.75, "precision": 1, "recall": 2 / 3, "f1_score": 0.8, "window_labels": 4}
    classes = {
        "class_precision 0": 0.5,
        "class_precision 1": 1,
        "class_recall 0": 1,
        "class_recall 1": 2 / 3,
        "class_f1_score 0": 2 / 3,
        "class_f1_score 1": 0.8,
        "class_share 0 label": 0.25,
        "class_share 1 label": 0.75,
        "class_confusion 0 0": 1,
        "class_confusion 0 1": 0,
        "class_confusion 1 0": 1,
        "class_confusion 1 1": 2,
    }
    others = {"performance_degradation accuracy": 0.05, "window_predictions": 0}
    shares = {"accuracy": (3, 4), "precision": (2, 2), "recall": (2, 3), "f1": (2, 3)}
    ends = {name: wilson(hits / of, of) for name, (hits, of) in shares.items()}
    # F1 is 2 J / (1 + J) of the share J.
    ends["f1"] = tuple(2 * end / (1 + end) for end in ends["f1"])
    bounds = {
        f"performance_bound {name} {side}": end
        for name, of in ends.items()
        for side, end in zip(("lower", "upper"), of, strict=True)
    }
    assert on_window(found, "model_") == pytest.approx(expected | classes | others | bounds)


def test_bounds_of_degradation_can_be_joined() -> None:
    """Each metric that is compared with a baseline has both bounds under the same name, errors too, and holds them."""
    rng = np.random.default_rng(8)
    label = rng.normal(0, 5, 200)
    rows = make_columns(200, label=label, predicted=label + rng.normal(0, 2, 200))
    outcomes = {PaneKey("1", PANE, 120): a_pane(rows, of="labelled")}
    baseline = {"mae": 1.5, "rmse": 1.9, "mse": 3.6, "r2": 0.9, "accuracy": 0.9}

    found = samples(outcomes=outcomes, baseline=baseline, settings={"task": "regression"})

    worse, bounds = found["model_performance_degradation"], found["model_performance_bound"]
    assert {(*labels, side) for labels in worse for side in ("lower", "upper")} == bounds.keys()
    for *place, metric in worse:
        lower, upper = (bounds[*place, metric, side] for side in ("lower", "upper"))
        (value,) = found[PERFORMANCE_GAUGES[metric]].values()
        assert lower < value < upper


def test_panes_of_other_times_do_not_count() -> None:
    """Only panes inside the window are summed."""
    rows = make_columns(2, label=["1", "1"], predicted=["1", "0"])
    outcomes = {
        PaneKey("1", start, 120): a_pane(rows, of="labelled") for start in (PANE - 3720, PANE - 3600, PANE, PANE + 120)
    }

    assert on_window(samples(outcomes=outcomes), "model_window_labels") == {"": 4}


def test_failed_requests_have_no_output() -> None:
    """What a failed request sent along counts neither as output nor as missing."""
    records = [{"prediction": 0.9, "error": "timeout"}, {"prediction": 0.2}, {"prediction": 0.4}]
    data = "\n".join(json.dumps(record) for record in records).encode()
    (rows,) = decode(
        BytesIO(data),
        name="a.jsonl",
        role="predictions",
        model=a_model(),
        default_time=NOW,
        default_version="1",
        kinds=None,
        max_bytes=10**6,
    )

    found = on_window(samples(predictions=predictions(rows)), "model_prediction_")

    assert found == pytest.approx({"mean": 0.3, "stddev": 0.1, "missing_ratio": 0})


def test_numbers_that_overflow_are_left_out() -> None:
    """A mean of the largest doubles is told, their infinite deviation is not."""
    rows = features(x=np.array([1e308, -1e308, 0.0]))

    found = on_window(samples(predictions=predictions(rows)), "model_feature_")

    assert found == {"mean x": 0, "missing_ratio x": 0}


def test_classes_of_a_window() -> None:
    """Every pair of classes has its count, zeros too, and shares are told by what they are of."""
    rows = make_columns(5, label=["a", "b", "a", "c", "b"], predicted=["a", "a", "a", "b", "b"])
    panes = {"outcomes": {PaneKey("1", PANE, 120): a_pane(rows, of="labelled")}, "predictions": predictions(rows)}

    found = samples(**panes, settings={"task": "multiclass"})

    counts = {("a", "a"): 2, ("b", "a"): 1, ("b", "b"): 1, ("c", "b"): 1}
    assert on_window(found, "model_class_confusion") == {
        f" {true} {other}": counts.get((true, other), 0) for true in "abc" for other in "abc"
    }
    shares = {" a label": 0.4, " b label": 0.4, " c label": 0.2, " a predicted": 0.6, " b predicted": 0.4}
    assert on_window(found, "model_class_share") == pytest.approx(shares)


@pytest.mark.parametrize(("classes", "pairs"), [(20, 400), (21, 0)])
def test_confusion_of_many_classes(classes: int, pairs: int) -> None:
    """Of more than 20 classes there is no matrix, and what is of each class is still there."""
    names = [f"c{number:02}" for number in range(classes)]
    rows = make_columns(classes, label=names, predicted=names)
    found = samples(outcomes={PaneKey("1", PANE, 120): a_pane(rows, of="labelled")}, settings={"task": "multiclass"})

    assert len(found.get("model_class_confusion", {})) == pairs
    assert len(found["model_class_share"]) == len(found["model_class_recall"]) == classes


def test_hostile_classes() -> None:
    """Quotes, lines and long names of classes are escaped as other labels are, and the page can be read."""
    names = ['say "x"', "two\nlines", "back\\slash", "x" * 10_000]
    rows = make_columns(8, label=names * 2, predicted=names[::-1] * 2)
    state = ModelState(
        a_model(task="multiclass"),
        totals=Totals(versions={"1": VersionTotals(last_prediction=NOW)}),
        predictions=predictions(rows),
        outcomes={PaneKey("1", PANE, 120): a_pane(rows, of="labelled")},
    )
    found = model_samples(state, windows=[HOUR], limits=LIMITS, now=NOW)
    validate(found)

    page = written(found, openmetrics=False).decode()
    read = {family.name: family.samples for family in text_string_to_metric_families(page)}
    for name in ("model_class_confusion", "model_class_share"):
        assert {one.labels["class"] for one in read[name]} == set(names)
    assert {one.labels["predicted"] for one in read["model_class_confusion"]} == set(names)


def test_drift_of_labels() -> None:
    """Labels are compared with those of the reference like any other column, where it has some."""
    before = make_columns(1000, label=["0"] * 800 + ["1"] * 200, predicted=["0"] * 1000)
    now = make_columns(100, label=["0"] * 40 + ["1"] * 60, predicted=["0"] * 100)
    reference = a_reference(before)
    found = samples(reference=reference, outcomes={PaneKey("1", PANE, 120): a_pane(now, reference, of="labelled")})
    moved = on_window(found, "model_label_")

    assert moved["total_variation_distance"] == pytest.approx(0.4)
    assert moved["drift_detected"] == 1
    assert moved["unseen_ratio"] == 0
    assert moved.keys() == {
        *("chi2_statistic", "chi2_pvalue", "total_variation_distance", "psi", "js_distance"),
        *("drift_detected", "unseen_ratio"),
    }
    unlabelled = a_reference(make_columns(1000, predicted=["0"] * 1000))
    outcomes = {PaneKey("1", PANE, 120): a_pane(now, unlabelled, of="labelled")}
    assert on_window(samples(reference=unlabelled, outcomes=outcomes), "model_label_") == {}


ACCURACY = {"model_accuracy": [Sample(("m", str(version), "1h"), 0.5) for version in range(3)]}
FEATURES = {"model_feature_psi": [Sample(("m", "1", "1h", name), 0.1) for name in "abc"]}
OTHER = {"model_accuracy": [Sample(("n", "1", "1h"), 0.7)], "model_class_recall": [Sample(("n", "1", "1h", "x"), 0.9)]}


@pytest.mark.parametrize(
    ("most", "kept", "dropped"),
    [
        (8, {"model_accuracy": 4, "model_feature_psi": 3, "model_class_recall": 1}, 0),
        (7, {"model_accuracy": 4, "model_feature_psi": 3}, 1),
        (5, {"model_accuracy": 4, "model_feature_psi": 1}, 3),
        (4, {"model_accuracy": 4}, 4),
        (2, {"model_accuracy": 2}, 6),
        (0, {}, 8),
    ],
)
def test_within_limit(most: int, kept: dict[str, int], dropped: int) -> None:
    """Series per feature and class go first, and of these the last model's; each one left out is counted."""
    first: Samples = FEATURES | ACCURACY

    found, left_out = within_limit([first, OTHER], max_series=most)

    assert ({name: len(of) for name, of in found.items()}, left_out) == (kept, dropped)
    assert found.get("model_feature_psi", []) == FEATURES["model_feature_psi"][: kept.get("model_feature_psi", 0)]
    assert (len(FEATURES["model_feature_psi"]), len(ACCURACY["model_accuracy"])) == (3, 3)


def test_segments_are_the_first_beyond_the_limit() -> None:
    """However many segments there are, what is about all rows stays, in all its detail."""
    of_segment: Samples = {
        name: [replace(each, segment="new") for each in of] for name, of in (FEATURES | ACCURACY).items()
    }
    both = {name: [*of_segment[name], *of] for name, of in (FEATURES | ACCURACY).items()}

    assert within_limit([both], max_series=6)[0] == ACCURACY | FEATURES
    kept, dropped = within_limit([both], max_series=8)
    assert {name: [each.segment for each in of] for name, of in kept.items()} == {
        "model_accuracy": ["", "", "", "new", "new"],
        "model_feature_psi": ["", "", ""],
    }
    assert dropped == 4


def test_what_is_known_already_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that hold something new are compared, those alike once, and all when the reference is another."""
    compared: list[Distribution] = []

    def counting(reference: Reference, window: Distribution) -> Any:
        compared.append(window)
        return compare(reference, window)

    monkeypatch.setattr(computing, "compare", counting)
    windows = [Window("24h", 86400), HOUR]
    rng = np.random.default_rng(1)
    reference = a_reference(features(x=rng.normal(size=100)))
    totals = Totals(versions={"1": VersionTotals(last_prediction=NOW)})
    state, cache = ModelState(a_model(), reference=reference, totals=totals), SnapshotCache()

    def asked(**changes: Any) -> tuple[int, Samples]:
        nonlocal state
        state = replace(state, **changes)
        compared.clear()
        found = model_samples(state, windows=windows, limits=LIMITS, now=NOW, cache=cache)
        return len(compared), found

    def pane(hours: int, reference: Reference = reference) -> dict[PaneKey, Pane]:
        found = predictions(features(x=rng.normal(size=50)), reference)
        return {replace(key, start=key.start - 3600 * hours): pane for key, pane in found.items()}

    first = pane(0)
    assert asked(predictions=first)[0] == 1
    none, same = asked(predictions=dict(first))
    assert none == 0
    assert same == model_samples(state, windows=windows, limits=LIMITS, now=NOW)
    assert asked(predictions=first | pane(5))[0] == 1
    assert asked(predictions=state.predictions | pane(0))[0] == 2
    # The estimated degradation is measured from it.
    assert asked(baseline={"accuracy": 0.9})[0] == 2
    assert asked(config=a_model(drift={"ks": 0.5}))[0] == 2
    other = a_reference(features(x=rng.normal(size=100)))
    assert asked(reference=other, predictions=pane(0, other))[0] == 1


def test_what_earlier_snapshots_added_up_changes_nothing() -> None:
    """While panes grow, are joined and leave, a model that was asked before says what one that never was says."""
    windows = [Window("24h", 86400), HOUR, Window("60m", 3600)]
    tiers = Tiers.of(windows)
    rng = np.random.default_rng(1)
    reference = a_reference(features(x=rng.normal(size=100)))
    state = ModelState(
        a_model(),
        reference=reference,
        totals=Totals(versions={name: VersionTotals(last_prediction=NOW) for name in ("1", "2")}),
    )
    cache = SnapshotCache()
    for minutes in range(0, 240, 7):
        now = NOW + minutes * 60 * MICROS
        panes = dict(state.predictions)
        for version in ("1", "2")[: 1 + minutes % 2]:
            start = (now // MICROS - 60 * int(rng.integers(0, 90))) // 120 * 120
            new = predictions(features(x=rng.normal(size=5)), reference)[PaneKey("1", PANE, 120)]
            key = PaneKey(version, start, 120)
            panes[key] = Pane.combine([panes[key], new]) if key in panes else new
        for key, target in tiers.outgrown(panes, now).items():
            left = panes.pop(key)
            if target:
                panes[target] = Pane.combine([left, panes[target]]) if target in panes else left
        state = replace(state, predictions=panes)
        caches = cache, SnapshotCache()
        asked = [plain(model_samples(state, windows=windows, limits=LIMITS, now=now, cache=each)) for each in caches]
        assert asked[0] == pytest.approx(asked[1], rel=1e-9)


def plain(found: Samples) -> dict[str, float]:
    """Return the value of every sample that has one by its name and labels."""
    return {
        " ".join((name, *sample.labels)): sample.value
        for name, samples in found.items()
        for sample in samples
        if isinstance(sample, Sample)
    }


def test_distributions_and_confusions_go_before_other_details() -> None:
    """What has many series for each feature or class is left out first, and a histogram counts with its buckets."""
    bins = HistogramSample(("m", "1", "1h", "a", "window"), (1.0, 2.0), (0.1, 0.2, 0.7), 1.5)
    cells = [Sample(("m", "1", "1h", "x", other), 3.0) for other in "xy"]
    bulky: Samples = {"model_feature_distribution": [bins], "model_class_confusion": cells}

    found, dropped = within_limit([bulky | FEATURES, OTHER], max_series=9)

    assert {name: len(of) for name, of in found.items()} == {
        "model_accuracy": 1, "model_feature_psi": 3, "model_class_recall": 1, "model_class_confusion": 2,
    }  # fmt: skip
    assert dropped == 5
    assert within_limit([bulky | FEATURES, OTHER], max_series=12)[1] == 0

"""Performance against scikit-learn."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from data_builders import folded, make_columns
from driftgauge.aggregates.outcomes import SCORE_LIMIT, Outcomes
from driftgauge.aggregates.sketch import ValueSketch
from driftgauge.performance import (
    ClassCounts,
    class_counts,
    degradation,
    metrics,
    no_class_in_common,
    roc_auc,
)
from driftgauge.schema import Average

NAN = float("nan")
AVERAGES: tuple[Average, ...] = ("weighted", "macro", "micro", "binary")
CLASS_METRICS = {"precision": oracle.precision_score, "recall": oracle.recall_score, "f1": oracle.f1_score}


def binary(label: Any, score: Any, *, threshold: float = 0.5) -> Outcomes:
    """Fold rows of a binary model in four parts."""
    label, score = np.asarray(label), np.asarray(score, dtype=np.float64)
    predicted = (score >= threshold).astype(int)
    rows = make_columns(len(label), label=label.astype(str), predicted=predicted.astype(str), score=score)
    return Outcomes.combine([folded(rows.take(part)) for part in np.array_split(np.arange(len(label)), 4)])


def class_oracle(label: Any, predicted: Any, average: Average, **options: Any) -> dict[str, float]:
    """Return scikit-learn's accuracy, precision, recall and F1."""
    found = {
        name: metric(label, predicted, average=average, zero_division=0, **options)
        for name, metric in CLASS_METRICS.items()
    }
    return found | {"accuracy": oracle.accuracy_score(label, predicted)}


def assert_close(expected: Mapping[str, float], found: Mapping[str, float]) -> None:
    """Assert the same metrics, to 1e-9."""
    assert expected == pytest.approx(dict(found), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("average", AVERAGES)
def test_binary(average: Average) -> None:
    """All seven metrics of a binary model are scikit-learn's; with few distinct scores the AUC too is exact."""
    rng = np.random.default_rng(1)
    score = rng.beta(2, 3, 3000).round(3)
    label = (rng.random(3000) < score).astype(int)

    found = metrics(binary(label, score, threshold=0.4), task="binary", average=average)

    expected = class_oracle(label, (score >= 0.4).astype(int), average)
    expected |= {
        "roc_auc": oracle.roc_auc_score(label, score),
        "log_loss": oracle.log_loss(label, score),
        "brier_score": oracle.brier_score_loss(label, score),
    }
    assert_close(expected, found)


@pytest.mark.parametrize(
    ("label", "predicted", "absent"),
    [
        (["churn", "stay"], ["1", "0"], True),
        (["1", "0"], ["churn", "stay"], True),
        (["churn", "churn"], ["0", "0"], True),
        (["1", "2", "0"], ["1", "1", "0"], True),
        (["churn", "stay"], ["churn", "churn"], False),
        (["2", "1"], ["1", "1"], False),
        (["1", "1"], ["0", "0"], False),
        (["churn"], ["stay"], False),
    ],
)
def test_labels_and_predictions_of_other_classes(label: list[str], predicted: list[str], *, absent: bool) -> None:
    """Of classes that are not the same two nothing is published; a model that is always wrong has an accuracy of 0."""
    rows = make_columns(len(label), label=np.array(label), predicted=np.array(predicted))
    found = metrics(folded(rows), task="binary", average="weighted")
    assert found.get("accuracy") == (None if absent else oracle.accuracy_score(label, predicted))
    assert bool(found) != absent


SCORES = {
    "spread": lambda rng, label: np.clip(rng.normal(0.4 + 0.2 * label, 0.15), 0, 1),
    "next to 1": lambda rng, label: 1 - 10 ** rng.normal(-8 - 2 * label, 2).clip(-15, 0),
    "next to 0": lambda rng, label: 10 ** rng.normal(-12 + 2 * label, 3).clip(-300, 0),
    "both ends": lambda rng, label: 1 / (1 + np.exp(-rng.normal(8 * label - 4, 12))),
    "margins": lambda rng, label: rng.normal(label * 1.5, 10 ** rng.uniform(-3, 3, len(label))),
}


@pytest.mark.parametrize("name", SCORES)
def test_roc_auc_of_many_scores(name: str) -> None:
    """Beyond the sketch's limit of distinct scores the AUC stays within 1e-4."""
    rng = np.random.default_rng(2)
    label = (rng.random(120_000) < 0.3).astype(int)
    score = SCORES[name](rng, label)
    assert len(np.unique(score)) > SCORE_LIMIT

    found = metrics(binary(label, score), task="binary", average="weighted")

    assert found["roc_auc"] == pytest.approx(oracle.roc_auc_score(label, score), abs=1e-4)


@pytest.mark.parametrize("average", ["weighted", "macro", "micro"])
def test_multiclass(average: Average) -> None:
    """Multiclass metrics are scikit-learn's, the AUC one class against the rest, in every average."""
    rng = np.random.default_rng(3)
    names = np.array(["cat", "dog", "eel"])
    scores = rng.dirichlet([1, 1, 1], 2000).round(2)
    scores[:, 0] = (1 - scores[:, 1] - scores[:, 2]).round(2)
    label = names[(rng.random((2000, 1)) > scores.cumsum(axis=1)).sum(axis=1).clip(0, 2)]
    predicted = names[scores.argmax(axis=1)]
    by_class = {str(name): scores[:, at] for at, name in enumerate(names)}
    rows = make_columns(2000, label=label, predicted=predicted, class_scores=by_class)

    found = metrics(folded(rows), task="multiclass", average=average)

    expected = class_oracle(label, predicted, average) | {
        "roc_auc": oracle.roc_auc_score(label, scores, multi_class="ovr", average=average),
        "log_loss": oracle.log_loss(label, scores),
        "brier_score": oracle.brier_score_loss(label, scores, scale_by_half=False),
    }
    assert_close(expected, found)


UNEVEN = [
    ("a class that is never predicted", ["a", "a", "b", "c"], ["a", "b", "b", "b"]),
    ("a class that never occurs", ["a", "a", "b"], ["a", "z", "b"]),
    ("nothing right", ["a", "b", "c"], ["b", "c", "a"]),
    ("one class and right", ["a", "a"], ["a", "a"]),
]


@pytest.mark.parametrize("average", ["weighted", "macro", "micro"])
@pytest.mark.parametrize(("description", "label", "predicted"), UNEVEN)
def test_zero_divisions_inside_averages(
    description: str, label: list[str], predicted: list[str], average: Average
) -> None:
    """Inside an average an undefined class counts as zero, as with `zero_division=0`."""
    found = metrics(
        folded(make_columns(len(label), label=label, predicted=predicted)), task="multiclass", average=average
    )

    assert class_oracle(label, predicted, average) == pytest.approx(found), description


ABSENT = [
    ("no rows", [], [], "weighted", set()),
    ("positives only", [1, 1], [0.9, 0.2], "weighted", {"roc_auc"}),
    ("negatives only", [0, 0], [0.9, 0.2], "weighted", {"roc_auc"}),
    ("nothing called positive", [0, 1], [0.1, 0.2], "binary", {"precision"}),
    ("no positive label", [0, 0], [0.1, 0.7], "binary", {"recall", "roc_auc"}),
    ("no positive anywhere", [0, 0], [0.1, 0.2], "binary", {"precision", "recall", "f1", "roc_auc"}),
    ("a score above 1", [0, 1, 0], [0.1, 1.5, 0.2], "weighted", {"log_loss", "brier_score"}),
    ("a score below 0", [0, 1, 0], [0.1, 0.9, -0.2], "weighted", {"log_loss", "brier_score"}),
    ("no score", [0, 1], [NAN, NAN], "weighted", {"roc_auc", "log_loss", "brier_score"}),
]


@pytest.mark.parametrize(("description", "label", "score", "average", "absent"), ABSENT)
def test_what_is_undefined_is_absent(
    description: str, label: list[int], score: list[float], average: Average, absent: set[str]
) -> None:
    """A metric that has no value is left out, and only that one."""
    every = {"accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier_score"} if label else set()

    assert every - absent == metrics(binary(label, score), task="binary", average=average).keys(), description


def test_one_class_with_scores_still_has_losses() -> None:
    """With one class only, the losses are scikit-learn's for both labels."""
    found = metrics(binary([1, 1], [0.9, 0.4]), task="binary", average="weighted")

    assert found["log_loss"] == pytest.approx(oracle.log_loss([1, 1], [0.9, 0.4], labels=[0, 1]), rel=1e-9)
    assert found["brier_score"] == pytest.approx((0.01 + 0.36) / 2)


def test_auc_of_a_missing_class_is_absent() -> None:
    """One class of several without a label makes the average undefined."""
    scores = {name: [0.5, 0.3] for name in "abc"}
    rows = make_columns(2, label=["a", "b"], predicted=["a", "b"], class_scores=scores)

    assert "roc_auc" not in metrics(folded(rows), task="multiclass", average="macro")


def test_ties_count_half() -> None:
    """Of four pairs, one is right, two are ties and one is wrong: (1 + 2 / 2) / 4."""
    sketch = ValueSketch.fold(np.array([0.2, 0.5, 0.5, 0.2]), np.array([0, 0, 1, 1]), groups=2, limit=8)

    assert roc_auc(sketch) == 0.5
    assert roc_auc(ValueSketch.empty(groups=2, limit=8)) is None


REGRESSIONS = {
    "ordinary": lambda rng: (label := rng.normal(100, 20, 5000), label + rng.normal(1, 5, 5000)),
    "large mean": lambda rng: (label := 1e7 + rng.normal(size=5000), label + rng.normal(0, 0.1, 5000)),
    "useless": lambda rng: (rng.normal(size=5000), rng.normal(5, 1, 5000)),
    "two rows": lambda _: (np.array([1.0, 2.0]), np.array([1.5, 1.75])),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_regression(name: str) -> None:
    """Errors and R² of rows folded in parts are scikit-learn's."""
    label, predicted = REGRESSIONS[name](np.random.default_rng(4))
    rows = make_columns(len(label), label=label, predicted=predicted)
    parts = [folded(rows.take(part)) for part in np.array_split(np.arange(len(label)), 7)]

    expected = {
        "mse": oracle.mean_squared_error(label, predicted),
        "rmse": oracle.root_mean_squared_error(label, predicted),
        "mae": oracle.mean_absolute_error(label, predicted),
        "r2": oracle.r2_score(label, predicted),
    }
    assert_close(expected, metrics(Outcomes.combine(parts), task="regression", average="weighted"))


@pytest.mark.parametrize(
    ("description", "label", "predicted", "names"),
    [
        ("constant labels have no R²", [3.0, 3.0], [3.0, 4.0], {"mse", "rmse", "mae"}),
        ("one row has no R²", [3.0], [4.0], {"mse", "rmse", "mae"}),
        ("nothing predicted", [3.0, 4.0], [NAN, NAN], set()),
        ("squares beyond the largest double", [1e200, -1e200], [-1e200, 1e200], {"mae"}),
    ],
)
def test_undefined_regression(description: str, label: list[float], predicted: list[float], names: set[str]) -> None:
    """Metrics of a regression without a value are left out, silently."""
    rows = make_columns(len(label), label=np.array(label), predicted=np.array(predicted))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics(folded(rows), task="regression", average="weighted").keys() == names, description


def test_classes() -> None:
    """Every class that occurred or was predicted has its counts; 0/0 is None."""
    counts = class_counts(folded(make_columns(3, label=["a", "a", "b"], predicted=["a", "c", "a"])))

    assert counts == {"a": ClassCounts(2, 2, 1), "b": ClassCounts(1, 0, 0), "c": ClassCounts(0, 1, 0)}
    assert (counts["a"].precision, counts["a"].recall, counts["a"].f1) == (0.5, 0.5, 0.5)
    assert (counts["b"].precision, counts["b"].recall, counts["b"].f1) == (None, 0, 0)
    assert (counts["c"].precision, counts["c"].recall, counts["c"].f1) == (0, None, 0)
    assert ClassCounts(0, 0, 0).f1 is None


DEGRADATIONS = [
    ("a score that fell", {"accuracy": 0.87}, {"accuracy": 0.92}, {"accuracy": 0.05}),
    ("a score that rose", {"f1": 0.95}, {"f1": 0.9}, {"f1": -0.05}),
    ("R² is a score, though it can be negative", {"r2": -0.5}, {"r2": 0.5}, {"r2": 1.0}),
    ("an error that rose by half", {"rmse": 6.0}, {"rmse": 4.0}, {"rmse": 0.5}),
    ("losses are relative too", {"log_loss": 0.3, "brier_score": 0.1}, {"log_loss": 0.4}, {"log_loss": -0.25}),
    ("an error from nothing has no ratio", {"mae": 1.0}, {"mae": 0.0}, {}),
    ("only what both have", {"accuracy": 0.9}, {"roc_auc": 0.9}, {}),
]


@pytest.mark.parametrize(("description", "found", "baseline", "expected"), DEGRADATIONS)
def test_degradation(
    description: str, found: dict[str, float], baseline: dict[str, float], expected: dict[str, float]
) -> None:
    """Positive is worse: absolute for scores, relative to the baseline for errors."""
    assert degradation(found, baseline) == pytest.approx(expected), description


@pytest.mark.parametrize(
    ("description", "confusion", "apart"),
    [
        ("a class in common", {("a", "a"): 1, ("b", "c"): 99}, False),
        ("all wrong, with the classes of every binary model", {("0", "1"): 50}, False),
        ("few rows of many classes", {("a", "b"): 5, ("c", "d"): 5}, False),
        ("one class on a side: all may be wrong", {("a", "b"): 50, ("c", "b"): 50}, False),
        ("several on both sides", {("a", "b"): 50, ("c", "d"): 50}, True),
        ("other letters", {("A", "a"): 1}, True),
        ("words for 0 and 1", {("1", "yes"): 1}, True),
        ("nothing", {}, False),
    ],
)
def test_no_class_in_common(description: str, confusion: dict[tuple[str, str], int], apart: Any) -> None:
    """Labels and predictions that speak of other classes say nothing of the model."""
    assert (no_class_in_common(confusion) is not None) == apart, description
    if apart:
        assert metrics(Outcomes(rows=1, confusion=confusion), task="multiclass", average="weighted") == {}

"""Intervals of realised metrics against statsmodels' and other printed numbers, scipy, and known truths."""

from math import inf, isfinite
from typing import Any, Final

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, log_loss, r2_score

from data_builders import folded, make_columns
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.estimate.intervals import (
    averaged_interval,
    f1_interval,
    mean_interval,
    measured,
    square_interval,
    wilson,
)
from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.performance import metrics
from interval_coverage import CASES, covered

SCORES: Final = ("accuracy", "precision", "recall", "f1")


def binary(seed: int, rows: int, **fields: Any) -> Outcomes:
    """Fold rows of a model with scores."""
    rng = np.random.default_rng(seed)
    score = rng.random(rows)
    label = (rng.random(rows) < score).astype(int)
    predicted = (score >= 0.5).astype(int)
    return folded(make_columns(rows, label=label.astype(str), predicted=predicted.astype(str), score=score, **fields))


def regression(label: np.ndarray, error: np.ndarray) -> Outcomes:
    """Fold rows of a regression."""
    return folded(make_columns(len(label), label=label, predicted=label + error))


@pytest.mark.parametrize(
    ("hits", "rows", "expected"), [(47, 50, (0.837829083, 0.979385030)), (0, 20, (0.0, 0.161125158))]
)
def test_wilson(hits: int, rows: int, expected: tuple[float, float]) -> None:
    """The digits are those of statsmodels; scipy agrees."""
    found = wilson(hits / rows, rows)
    other = stats.binomtest(hits, rows).proportion_ci(0.95, "wilson")

    assert tuple(round(end, 9) for end in found) == expected
    assert found == pytest.approx((other.low, other.high), abs=1e-12)


def test_f1() -> None:
    """The digits are those of Wilson's interval of 80 of 110, mapped."""
    assert tuple(round(end, 9) for end in f1_interval(80, 30)) == (0.778576837, 0.889982349)


def test_metrics_of_shares() -> None:
    """Of a binary model, each share is Wilson's of its own rows."""
    confusion = {("1", "1"): 80, ("0", "1"): 10, ("1", "0"): 20, ("0", "0"): 90}
    found = measured(Outcomes(rows=200, confusion=confusion), task="binary", average="binary")
    shares = {"accuracy": (170, 200), "precision": (80, 90), "recall": (80, 100)}

    for name, (hits, rows) in shares.items():
        assert (found[name].lower, found[name].upper) == wilson(hits / rows, rows)
        assert found[name].error == pytest.approx(np.sqrt(hits / rows * (1 - hits / rows) / rows))
    assert (found["f1"].lower, found["f1"].upper) == f1_interval(80, 30)
    micro = measured(Outcomes(rows=200, confusion=confusion), task="binary", average="micro")
    assert set(micro) == {"accuracy", "precision", "recall", "f1"}
    assert len(set(micro.values())) == 1


def test_average_without_an_error() -> None:
    """Where all was right by chance, the interval is Wilson's of as many rows, and the error is not 0."""
    found = averaged_interval({("a", "a"): 12, ("b", "b"): 8}, "recall", "weighted")

    assert found.value == found.upper == 1
    assert 0 < found.lower <= wilson(1.0, 20)[0] + 0.05
    assert found.error == pytest.approx((1 - found.lower) / (2 * 1.959964), rel=1e-6)
    one = averaged_interval({("a", "a"): 20}, "f1", "macro")
    assert (one.lower, one.upper) == wilson(1.0, 20)


def test_weighted_recall_is_accuracy() -> None:
    """Both are the same number, so their errors are; with many rows their intervals are too."""
    confusion = {("a", "a"): 800, ("a", "b"): 90, ("b", "a"): 110, ("b", "b"): 900, ("c", "b"): 40, ("c", "c"): 60}
    recall = averaged_interval(confusion, "recall", "weighted")
    accuracy = sum(confusion[name, name] for name in "abc") / 2000

    assert recall.value == pytest.approx(accuracy, rel=1e-12)
    assert recall.error == pytest.approx(np.sqrt(accuracy * (1 - accuracy) / 2000), rel=1e-12)
    assert (recall.lower, recall.upper) == pytest.approx(wilson(accuracy, 2000), abs=1e-4)


def test_means_of_losses() -> None:
    """Log loss, Brier score and mean absolute error are mean ± t · sd / √n, as scipy has it."""
    found = binary(51, 500)
    rng = np.random.default_rng(51)
    score = rng.random(500)
    truth = (rng.random(500) < score).astype(int)
    losses = {
        "log_loss": -np.log(np.where(truth, score, 1 - score)),
        "brier_score": (truth - score) ** 2,
    }
    sure = measured(found, task="binary", average="weighted")
    assert sure["log_loss"].value == pytest.approx(log_loss(truth, score))
    assert sure["brier_score"].value == pytest.approx(brier_score_loss(truth, score))

    error = rng.normal(0, 3, 80)
    losses["mae"] = np.abs(error)
    sure |= measured(regression(np.arange(80.0), error), task="regression", average="weighted")
    for name, values in losses.items():
        interval = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        assert (sure[name].lower, sure[name].upper) == pytest.approx(interval, rel=1e-9), name
        assert sure[name].error == pytest.approx(stats.sem(values), rel=1e-9)


def test_squared_errors() -> None:
    """The interval of the mean squared error is on the log; that of its root is its root."""
    error = np.random.default_rng(52).normal(0, 2, 60)
    squares = error**2
    found = measured(regression(np.arange(60.0) ** 2, error), task="regression", average="weighted")
    half = stats.t.ppf(0.975, 59) * stats.sem(squares) / squares.mean()

    expected = squares.mean() * np.exp([-half, half])
    assert (found["mse"].lower, found["mse"].upper) == pytest.approx(expected, rel=1e-9)
    assert (found["rmse"].lower, found["rmse"].upper) == pytest.approx(np.sqrt(expected), rel=1e-9)
    assert found["rmse"].error == pytest.approx(stats.sem(squares) / (2 * np.sqrt(squares.mean())), rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_explained_variance_of_a_bootstrap(offset: float) -> None:
    """The error of R² is the deviation of R² over rows drawn again, wherever zero is."""
    rng = np.random.default_rng(53)
    label, error = offset + rng.gamma(2, 10, 2000), rng.normal(0, 8, 2000)
    drawn = rng.integers(0, 2000, (400, 2000))
    values = [r2_score(label[rows], (label + error)[rows]) for rows in drawn]

    found = measured(regression(label, error), task="regression", average="weighted")["r2"]

    assert found.value == pytest.approx(r2_score(label, label + error), rel=1e-6)
    assert found.error == pytest.approx(np.std(values), rel=0.1)
    assert found.lower < found.value < found.upper < 1


def test_areas_of_several_classes() -> None:
    """The average of areas has the average of their intervals; classes that are pooled have none."""
    rng = np.random.default_rng(54)
    scores = rng.dirichlet([1, 1, 1], 900)
    label = [str(rng.choice(3, p=row)) for row in scores]
    rows = make_columns(
        900,
        label=label,
        predicted=scores.argmax(axis=1).astype(str),
        class_scores={str(at): scores[:, at] for at in range(3)},
    )
    found = {
        average: measured(folded(rows), task="multiclass", average=average)
        for average in ("macro", "weighted", "micro")
    }
    for average in ("macro", "weighted"):
        value = metrics(folded(rows), task="multiclass", average=average)["roc_auc"]
        assert found[average]["roc_auc"].value == pytest.approx(value, rel=1e-12)
        assert found[average]["roc_auc"].lower < value < found[average]["roc_auc"].upper
    assert "roc_auc" not in found["micro"]
    assert found["macro"]["brier_score"].upper <= 2


def test_what_has_no_interval() -> None:
    """Where nothing says how rows spread there is no interval: too few rows, all alike, no error, one class."""
    assert measured(Outcomes(), task="binary", average="weighted") == {}
    assert measured(Outcomes(), task="regression", average="weighted") == {}
    assert mean_interval(0.5, 0.25, 1) is None
    assert mean_interval(3.0, 3.0, 3) is None
    assert mean_interval(inf, inf, 9) is None
    assert square_interval(0.0, 0.0, 9) is None
    assert measured(regression(np.arange(9.0), np.zeros(9)), task="regression", average="weighted") == {}
    assert "r2" not in measured(regression(np.ones(9), np.arange(9.0)), task="regression", average="weighted")
    assert "precision" not in measured(Outcomes(confusion={("1", "0"): 5}), task="binary", average="binary")
    assert set(measured(Outcomes(confusion={("0", "0"): 5}), task="binary", average="binary")) == {"accuracy"}


def test_numbers_near_the_largest() -> None:
    """Errors whose fourth powers overflow have no interval, and nothing is raised."""
    found = measured(regression(np.array([1e90, -1e90, 3e90, 0.0]), np.array([1e80, -3e80, 1e79, 2.0])),
                     task="regression", average="weighted")  # fmt: skip
    assert set(found) <= {"mae"}
    assert all(isfinite(one.lower + one.upper) for one in found.values())


def test_rows_that_were_stored_before() -> None:
    """With rows of which no sums are known in the window, what needs these has no interval; the rest has."""
    old = binary(55, 300)
    state = {name: value for name, value in old.to_state().items() if name != "spread"}
    mixed = Outcomes.combine([Outcomes.from_state(state), binary(56, 300), Outcomes()])
    found = measured(mixed, task="binary", average="binary")

    assert mixed.spread is None
    assert set(found) == {*SCORES, "roc_auc"}
    assert set(metrics(mixed, task="binary", average="binary")) == {*SCORES, "roc_auc", "log_loss", "brier_score"}
    values = regression(np.arange(50.0), np.sin(np.arange(50.0)))
    state = {name: value for name, value in values.to_state().items() if name != "spread"}
    both = Outcomes.combine([values, Outcomes.from_state(state)])
    assert set(measured(both, task="regression", average="weighted")) == {"mae"}


def test_more_classes_than_are_told_apart() -> None:
    """Accuracy needs no classes told apart."""
    found = measured(Outcomes(confusion={("a", "a"): 30}, beyond=70, hits=20), task="multiclass", average="macro")

    assert list(found) == ["accuracy"]
    assert (found["accuracy"].lower, found["accuracy"].upper) == wilson(0.5, 100)


@pytest.mark.parametrize("average", ["weighted", "macro", "micro", "binary"])
def test_names_and_values_are_those_of_the_metrics(average: Any) -> None:
    """Each interval bears the name of its metric and holds its value, which has an error."""
    found = binary(57, 400)
    sure = measured(found, task="binary", average=average)
    known = metrics(found, task="binary", average=average)

    assert sure.keys() == known.keys() <= PERFORMANCE_GAUGES.keys()
    for name, one in sure.items():
        assert one.value == pytest.approx(known[name], rel=1e-12)
        assert one.lower < known[name] < one.upper
        assert one.error > 0


# The least share of intervals that hold the truth, less what luck makes of 400 samples at 95 %.
LEAST: Final = 0.92
MOST: Final = {"accuracy": 0.98, "precision": 0.985, "recall": 0.985, "f1": 0.985}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("two classes, 25% positive", 200),
        ("two classes, 45% positive", 1000),
        ("three even classes, macro", 200),
        ("five uneven classes, weighted", 1000),
        ("area 0.8, 40 % positive", 200),
        ("area 0.995, 40 % positive", 200),
        ("probabilities", 200),
        ("normal errors, skewed labels", 200),
    ],
)
def test_intervals_hold_the_truth(name: str, rows: int) -> None:
    """Of samples of a known truth, about 95 % of the intervals hold it; `make coverage` has the whole table."""
    for metric, share in covered(CASES[name], rows, samples=400, seed=58).items():
        assert LEAST <= share <= MOST.get(metric, 1.0), metric


def test_a_wrong_interval_would_be_seen() -> None:
    """Intervals of seven tenths of the width hold the truth too rarely."""
    found = covered(CASES["two classes, 25% positive"], 200, samples=400, seed=59, shrink=0.7)

    assert max(found.values()) < LEAST

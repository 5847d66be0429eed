"""Scores of expected confusion matrices against those of whole ones, and their derivatives against differences."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.estimate.scores import Told, area, area_slopes, binary_metrics, binary_slopes, class_metrics
from driftgauge.performance import metrics
from driftgauge.schema import Average

AVERAGES: tuple[Average, ...] = ("binary", "weighted", "macro", "micro")
METRICS = ("accuracy", "precision", "recall", "f1")


@pytest.mark.parametrize("average", AVERAGES)
def test_those_of_whole_counts_are_what_performance_publishes(average: Average) -> None:
    """Two classes, with every count from 0 on that leaves both classes in the matrix."""
    for hits, false, missed, right in product((0, 1, 7), (0, 2, 5), (0, 1, 3), (0, 4)):
        if not (hits + missed and false + right):
            continue
        pairs = {("1", "1"): hits, ("0", "1"): false, ("1", "0"): missed, ("0", "0"): right}
        outcomes = Outcomes(confusion={pair: count for pair, count in pairs.items() if count})
        expected = metrics(outcomes, task="binary", average=average)

        found = binary_metrics(hits, missed, Told(hits + false, missed + right, average))

        assert found == pytest.approx({name: expected[name] for name in METRICS if name in expected})


@pytest.mark.parametrize("average", ["weighted", "macro", "micro"])
def test_many_classes(average: Average) -> None:
    """The same of four classes, of which one is never predicted."""
    counts = np.random.default_rng(3).integers(0, 20, (4, 4))
    counts[:, 2] = 0
    outcomes = Outcomes(confusion={(str(i), str(j)): int(counts[i, j]) for i, j in np.argwhere(counts)})
    expected = metrics(outcomes, task="multiclass", average=average)

    found = class_metrics(counts.sum(axis=1), counts.sum(axis=0), counts.diagonal(), average)

    assert found == pytest.approx({name: expected[name] for name in METRICS})


def test_what_is_undefined_is_left_out() -> None:
    """Precision without a positive prediction, F1 where nothing is positive, and everything without rows."""
    assert binary_metrics(0.0, 3.2, Told(0, 10, "binary")).keys() == {"accuracy", "recall", "f1"}
    assert binary_metrics(0.0, 0.0, Told(0, 10, "binary")).keys() == {"accuracy"}
    assert binary_metrics(0.0, 0.0, Told(0, 0, "macro")) == {}


@pytest.mark.parametrize("average", AVERAGES)
def test_slopes(average: Average) -> None:
    """Derivatives agree with differences; those of F1 of the positive class with the formula on paper."""
    told, step = Told(40, 70, average), 1e-5
    found = binary_slopes(31.5, 12.25, told)

    for name, (by_missed, by_hits) in found.items():
        up, down = (binary_metrics(31.5, 12.25 + sign * step, told)[name] for sign in (1, -1))
        assert by_missed == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-9)
        up, down = (binary_metrics(31.5 + sign * step, 12.25, told)[name] for sign in (1, -1))
        assert by_hits == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-9)
    if average == "binary":
        total = 40 + 31.5 + 12.25
        assert found["f1"] == pytest.approx((-2 * 31.5 / total**2, 2 * (40 + 12.25) / total**2))


def test_area_and_its_slopes() -> None:
    """Weights of whole rows give scikit-learn's area, ties included; slopes agree with differences."""
    rng = np.random.default_rng(5)
    label, score = rng.integers(0, 2, 200), rng.integers(0, 12, 200)
    positive, negative = (np.bincount(score, label == side).astype(float) for side in (1, 0))

    assert area(positive, negative) == pytest.approx(roc_auc_score(label, score))
    slopes, step = area_slopes(positive, negative), 1e-6
    for at in range(12):
        moved = step * (np.arange(12) == at)
        up, down = area(positive + moved, negative - moved), area(positive - moved, negative + moved)
        assert up is not None
        assert down is not None
        assert slopes[at] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-9)
    assert area(positive, np.zeros(12)) is None

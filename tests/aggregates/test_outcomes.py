"""Labelled rows folded to counts and sums, with scikit-learn's losses as oracles."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from data_builders import folded, make_columns
from driftgauge.aggregates.moments import Moment
from driftgauge.aggregates.outcomes import MAX_CLASSES, Outcomes
from driftgauge.aggregates.spread import Spread
from driftgauge.performance import class_counts, metrics

NAN = float("nan")


def test_confusion() -> None:
    """Pairs of label and prediction are counted; a row without a prediction is only a row."""
    found = folded(make_columns(4, label=["1", "1", "0", "1"], predicted=["1", "1", "1", None]))

    assert found.confusion == {("1", "1"): 2, ("0", "1"): 1}
    assert found.rows == 4


@pytest.mark.parametrize(
    ("description", "score"),
    [
        ("ordinary", [0.1, 0.8, 0.4, 0.6]),
        ("certain and wrong", [1.0, 0.0, 0.0, 1.0]),
        ("certain and right", [0.0, 1.0, 0.0, 1.0]),
        ("next to 1", [1 - 2**-53, 1 - 2**-53, 1e-300, 5e-324]),
    ],
)
def test_binary_losses(description: str, score: list[float]) -> None:
    """Summed losses are scikit-learn's, also where probabilities have to be clipped."""
    label = ["0", "1", "0", "1"]
    found = folded(make_columns(4, label=label, predicted=label, score=score))
    truth = [int(name) for name in label]

    assert found.graded == 4, description
    assert found.log_loss == pytest.approx(4 * log_loss(truth, score, labels=[0, 1]), rel=1e-9)
    assert found.brier == pytest.approx(4 * brier_score_loss(truth, score), rel=1e-9)


def test_multiclass_losses() -> None:
    """With a score per class, the log loss is scikit-learn's and the Brier score sums over all classes."""
    scores = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]])
    columns = {name: scores[:, at] for at, name in enumerate("abc")}
    found = folded(make_columns(3, label=["a", "c", "a"], predicted=["a", "c", "b"], class_scores=columns))

    assert found.log_loss == pytest.approx(3 * log_loss(["a", "c", "a"], scores, labels=["a", "b", "c"]), rel=1e-9)
    # By hand: (.09 + .04 + .01) + (.01 + .01 + .04) + (.49 + .16 + .09)
    assert found.brier == pytest.approx(0.14 + 0.06 + 0.74)


@pytest.mark.parametrize(
    ("description", "fields", "graded", "ungraded"),
    [
        ("no scores at all", {}, 0, 0),
        ("one row without a score", {"score": [0.5, NAN]}, 1, 0),
        ("a score that is no probability", {"score": [0.5, 1.5]}, 1, 1),
        ("a class without a score", {"class_scores": {"0": [0.5, 0.5], "1": [0.5, NAN]}}, 1, 0),
        ("a label no score stands for", {"class_scores": {"0": [0.5, 0.5], "2": [0.5, 0.5]}}, 1, 1),
    ],
)
def test_what_can_be_graded(description: str, fields: dict[str, Any], graded: int, ungraded: int) -> None:
    """Only rows with a probability for their label are graded; rows with useless scores are counted as such."""
    found = folded(make_columns(2, label=["0", "1"], predicted=["0", "1"], **fields))

    assert (found.graded, found.ungraded) == (graded, ungraded), description


def test_scores_are_split_by_label() -> None:
    """Each class's sketch counts the scores of rows of other classes and of its own."""
    found = folded(make_columns(3, label=["0", "1", "1"], predicted=["0", "1", "1"], score=[0.2, 0.2, NAN]))

    assert found.scores["1"].counts.tolist() == [[1, 1]]


def test_regression() -> None:
    """Errors are summed over rows that have both values; the labels' moments cover the same rows."""
    found = folded(make_columns(3, label=np.array([1.0, 4.0, 9.0]), predicted=np.array([2.0, 2.0, NAN])))

    assert (found.rows, found.errors, found.absolute, found.squared) == (3, 2, 3.0, 5.0)
    assert found.labels == Moment(2, 2.5, 4.5)


def test_predictions_that_are_scores() -> None:
    """Where the column holds scores, 0 and 1 in it are scores; scikit-learn is the oracle, whatever the parts."""
    score = [1.0, 0.0, 1.0, 0.0, 0.25, 0.75]
    truth = [1, 0, 0, 1, 0, 1]
    label = [str(one) for one in truth]
    bare = folded(make_columns(4, label=label[:4], predicted=["1", "0", "1", "0"]))
    rest = folded(make_columns(2, label=label[4:], predicted=["0", "1"], score=score[4:]))
    found = Outcomes.combine([bare, rest]).as_scores()

    assert (found.graded, found.ungraded, found.bare) == (6, 0, {})
    assert found.log_loss == pytest.approx(6 * log_loss(truth, score), rel=1e-9)
    assert found.brier == pytest.approx(6 * brier_score_loss(truth, score), rel=1e-9)
    squares = [(one - other) ** 4 for one, other in zip(truth, score, strict=True)]
    logs = [log_loss([one], [other], labels=[0, 1]) ** 2 for one, other in zip(truth, score, strict=True)]
    assert found.spread == Spread(pytest.approx(sum(logs)), pytest.approx(sum(squares)))
    assert metrics(found, task="binary", average="weighted")["roc_auc"] == pytest.approx(roc_auc_score(truth, score))
    assert bare.as_scores().graded == 4
    assert rest.as_scores() is rest


def test_classes_beside_scores_are_bare_where_there_is_no_score() -> None:
    """Other classes than 0 and 1 are no scores."""
    found = folded(make_columns(4, label=["1"] * 4, predicted=["1", "0", "x", "1"], score=[0.9, NAN, NAN, NAN]))
    assert found.bare == {("1", "0"): 1, ("1", "1"): 1}


@pytest.mark.parametrize("seed", range(3))
def test_more_classes_than_are_told_apart(seed: int) -> None:
    """The alphabetically first are counted exactly in any order of combination; accuracy counts all rows."""
    rng = np.random.default_rng(seed)
    label = [f"c{number}" for number in rng.integers(0, 3 * MAX_CLASSES, 20_000)]
    predicted = [name if right else "another" for name, right in zip(label, rng.random(20_000) < 0.7, strict=True)]
    rows = make_columns(20_000, label=label, predicted=predicted)
    whole = folded(rows)
    parts = [folded(rows.take(part)) for part in np.array_split(rng.permutation(20_000), 7)]
    joined = Outcomes.combine([Outcomes.combine(parts[:3]), *parts[3:]])

    first = set(sorted({*label, *predicted})[:MAX_CLASSES])
    pairs = Counter(zip(label, predicted, strict=True))
    assert whole.confusion == joined.confusion == {pair: n for pair, n in pairs.items() if first.issuperset(pair)}
    assert (joined.beyond, joined.hits) == (whole.beyond, whole.hits)
    assert Outcomes.from_state(joined.to_state()).to_state() == joined.to_state()
    right = np.mean([true == found for true, found in pairs.elements()])
    assert metrics(joined, task="multiclass", average="weighted") == {"accuracy": pytest.approx(right, rel=1e-12)}
    assert class_counts(joined) == {}
    assert metrics(joined, task="binary", average="weighted") == {}


def test_ids_in_place_of_classes() -> None:
    """Where no prediction was right there is no accuracy of 0: these are no classes."""
    count = 2 * MAX_CLASSES
    found = folded(make_columns(count, label=["a"] * count, predicted=[f"id-{n}" for n in range(count)]))
    assert metrics(found, task="multiclass", average="weighted") == {}


def test_what_was_stored_without_spreads() -> None:
    """Rows of an older state have none, and a window with such rows has none in any order; one without rows has."""
    new = folded(make_columns(3, label=np.array([1.0, 4.0, 9.0]), predicted=np.array([2.0, 2.0, 9.5])))
    old, empty = (
        Outcomes.from_state({name: value for name, value in of.to_state().items() if name != "spread"})
        for of in (new, Outcomes())
    )

    assert (old.spread, empty.spread) == (None, Spread())
    assert Outcomes.combine([Outcomes.combine([old, new]), new]).spread is None
    assert Outcomes.combine([old, Outcomes.combine([new, new])]).spread is None
    assert Outcomes.combine([new, empty]).spread == new.spread
    assert Outcomes.from_state(old.to_state()).spread is None
    bare = folded(make_columns(2, label=["1", "0"], predicted=["1", "1"]))
    stored = Outcomes.from_state({name: value for name, value in bare.to_state().items() if name != "spread"})
    assert stored.as_scores().spread == bare.as_scores().spread

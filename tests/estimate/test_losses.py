"""The loss of a row, and references from which no losses can be learned."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from data_builders import make_columns
from driftgauge.columns import Note
from driftgauge.estimate.losses import losses, unlearnable

NAN = float("nan")


def test_classes() -> None:
    """A wrong class costs 1, a right one 0, and what is missing has no loss; the mean is one minus accuracy."""
    found = losses(make_columns(5, predicted=["1", "0", "1", None, "0"], label=["1", "1", None, "1", "0"]))

    assert found.tolist() == pytest.approx([0, 1, NAN, NAN, 0], nan_ok=True)
    assert 1 - np.nanmean(found) == pytest.approx(metrics.accuracy_score(["1", "1", "0"], ["1", "0", "0"]))


def test_numbers() -> None:
    """A number costs its absolute error; a distance beyond the largest double is none."""
    predicted, label = np.array([1.0, NAN, 1e308, 5.0]), np.array([3.0, 1.0, -1e308, 5.0])

    found = losses(make_columns(4, predicted=predicted, label=label))

    assert found.tolist() == pytest.approx([2, NAN, NAN, 0], nan_ok=True)


def test_no_rows() -> None:
    """Nothing has no losses."""
    assert len(losses(make_columns(0))) == 0


@pytest.mark.parametrize(
    ("predicted", "label", "reason"),
    [
        (["1"] * 30, None, "no rows with prediction and label"),
        (None, ["1"] * 30, "no rows with prediction and label"),
        (["1"] * 30, ["churn"] * 30, "no prediction of the reference agrees"),
        (["1"] * 19, ["0"] * 19, ""),
        (["1"] * 30, ["1"] * 30, ""),
        (np.ones(30), np.zeros(30), ""),
    ],
    ids=["no labels", "no predictions", "other classes", "a few wrong ones", "all right", "numbers"],
)
def test_unlearnable(predicted: list[str], label: list[str], reason: str) -> None:
    """Without labelled rows, or where labels speak of other classes, the reason is said."""
    count = len(label if predicted is None else predicted)
    rows = make_columns(count, predicted=predicted, label=label)

    found = unlearnable([rows], losses(rows))

    assert (reason in found) if reason else found == ""


def test_a_biased_remainder() -> None:
    """A reference of which some labels could not be read teaches nothing."""
    rows = make_columns(30, predicted=["1"] * 30, label=["1"] * 30)
    noted = replace(rows, notes=(Note("reference_bad_label", "label", "?", ""),))

    assert unlearnable([noted], losses(noted)) == "the reference has predictions or labels that cannot be read"

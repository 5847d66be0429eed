"""The task of predictions, judged by their values."""

from typing import Any

import pytest

from driftgauge.inspection.tasks import task_of
from inspection.files import facts


@pytest.mark.parametrize(
    ("predicted", "labels", "expected"),
    [
        ([0.1, 0.9, "oops", *[0.5] * 20], None, "binary"),
        ([0, 1, 1], None, "binary"),
        ([-1, 1], [1, -1], "binary"),
        ([True, False], None, "binary"),
        (["churn", "stay"], ["stay"], "binary"),
        ([3, 3], [3, 7], "binary"),
        (["yes", "no"], ["Yes", "No"], "binary"),
        (["TRUE", "FALSE"], [0, 1], "binary"),
        (["Yes", "No", "maybe"], None, "multiclass"),
        ([93.5, 20.1], [0, 1], "binary"),
        (["cat", "dog", "bird"], None, "multiclass"),
        ([0, 1, 2], None, "multiclass"),
        ([0, 1], [0, 1, 2], "multiclass"),
        ([12.5, 99.0, -3.0], None, "regression"),
        ([93.5, 20.1], ["churn", "stay"], "binary"),
        ([2.5, 2.5], [3.0, None], "regression"),
        ([0.4, 0.6], [0.9, 0.1], "regression"),
        (list(range(40)), None, "regression"),
        ([1, 2, 3], [1.5, 2.5, 3.5], "regression"),
    ],
)
def test_tasks(predicted: list[Any], labels: list[Any] | None, expected: str) -> None:
    """By the values of predictions, and of labels where there are some."""
    rows = facts([{"prediction": value} for value in predicted], task="multiclass")
    truth = None if labels is None else facts([{"id": 1, "label": value} for value in labels], role="labels")

    assert task_of(rows, truth)[0] == expected


def test_probabilities_of_classes_and_nothing_at_all() -> None:
    """Three probabilities are of three classes; without any prediction the default is said to be one."""
    rows = facts([{"proba_a": 0.2, "proba_b": 0.3, "proba_c": 0.5}])

    assert task_of(rows, None) == ("multiclass", "there are probabilities of 3 classes")
    assert task_of(facts([{"x": 1}]), None) == ("binary", "the default: there is no prediction to judge by")

"""The baseline at the MLflow run is what the exporter computes from the same rows."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pytest

from client.models import as_exported
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.client.baseline import LabelledRows, metrics
from driftgauge.performance import metrics as exporters
from driftgauge.schema import Average

ROWS: Final = 500
CLASSES: Final = ("basic", "gold", "plus")


def expected(
    label: Any, predicted: Any, *, task: Any, average: Average, scores: Any = None, classes: Any = None
) -> Any:
    """Return the metrics that the exporter computes."""
    found = Outcomes.fold(
        label=pa.array(label),
        predicted=pa.array(predicted),
        score=np.full(len(label), np.nan) if scores is None else scores,
        class_scores=classes or {},
    )
    return exporters(found, task=task, average=average)


@pytest.mark.parametrize("average", ["weighted", "macro", "micro", "binary"])
@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_binary(average: Average, threshold: float) -> None:
    """Scores alone, and classes next to scores, give the exporter's figures for every average."""
    rng = np.random.default_rng(1)
    score = rng.random(ROWS)
    label = (rng.random(ROWS) < score).astype(int)
    called = np.where(score >= threshold, "1", "0")
    wanted = expected(label.astype(str), called, task="binary", average=average, scores=score)

    options = {"task": "binary", "average": average, "threshold": threshold}
    by_score = metrics(LabelledRows(label, score=score), **options)  # type: ignore[arg-type] # one table of arguments
    as_prediction = metrics(LabelledRows(label.astype(bool), prediction=score), **options)  # type: ignore[arg-type] # as above
    explicit = metrics(LabelledRows(label, prediction=called == "1", score=score), **options)  # type: ignore[arg-type] # as above
    assert by_score == as_prediction == explicit
    assert by_score == as_exported(wanted)


@pytest.mark.parametrize("average", ["weighted", "macro", "micro"])
def test_multiclass(average: Average) -> None:
    """Classes with and without probabilities give the exporter's figures."""
    rng = np.random.default_rng(2)
    table = rng.dirichlet(np.ones(3), ROWS)
    label = np.array([rng.choice(CLASSES, p=row) for row in table])
    called = np.array(CLASSES)[table.argmax(axis=1)]
    scores = {name: table[:, at] for at, name in enumerate(CLASSES)}

    found = metrics(LabelledRows(label, class_scores=scores), task="multiclass", average=average)
    assert found == as_exported(expected(label, called, task="multiclass", average=average, classes=scores))
    plain = metrics(LabelledRows(label, prediction=called), task="multiclass", average=average)
    assert plain == as_exported(expected(label, called, task="multiclass", average=average))
    assert plain.keys() == {"accuracy", "precision", "recall", "f1"}


def test_regression() -> None:
    """Errors are the exporter's, and rows without a number on either side are left out."""
    rng = np.random.default_rng(3)
    label = rng.normal(20, 5, ROWS)
    predicted = label + rng.normal(0, 2, ROWS)
    wanted = expected(label, predicted, task="regression", average="weighted")

    found = metrics(LabelledRows([*label, None, 3.0], prediction=[*predicted, 2.0, None]), task="regression")
    assert found == as_exported(wanted)
    assert found.keys() == {"mse", "rmse", "mae", "r2"}


@pytest.mark.parametrize(
    ("answers", "task", "defined"),
    [
        pytest.param(LabelledRows([None, None], prediction=[1, 0]), "binary", set(), id="no labels"),
        pytest.param(LabelledRows([1, 0]), "binary", set(), id="no predictions"),
        pytest.param(LabelledRows(["a", "b"]), "multiclass", set(), id="no predicted classes"),
        pytest.param(LabelledRows([1.0, 2.0]), "regression", set(), id="no predicted values"),
        pytest.param(
            LabelledRows([1, 1], score=[0.2, 0.9]),
            "binary",
            {"accuracy", "precision", "recall", "f1", "log_loss", "brier_score"},
            id="one class has no ROC curve",
        ),
        pytest.param(
            LabelledRows([1, 0], score=[3.5, -2.0]),
            "binary",
            {"accuracy", "precision", "recall", "f1", "roc_auc"},
            id="scores that are no probabilities have no log loss",
        ),
        pytest.param(
            LabelledRows([5, 5], prediction=[4, 6]), "regression", {"mse", "rmse", "mae"}, id="constant labels"
        ),
        pytest.param(
            LabelledRows(["a", "c"], class_scores={"a": [0.9, 0.5], "b": [0.1, 0.5]}),
            "multiclass",
            {"accuracy", "precision", "recall", "f1"},
            id="a class that never occurs",
        ),
    ],
)
def test_what_is_undefined_is_absent(answers: LabelledRows, task: Any, defined: set[str]) -> None:
    """A metric that cannot be computed is left out."""
    assert metrics(answers, task=task).keys() == defined


def test_words_for_classes() -> None:
    """Binary labels and predictions may be the words that the exporter knows."""
    found = metrics(LabelledRows(["Yes", "no", "true", "0"], prediction=[1.0, False, "t", "positive"]), task="binary")

    assert found["accuracy"] == 0.75


def test_labels_that_are_no_classes_leave_no_metrics() -> None:
    """As in the exporter: without such rows the metrics would be those of the others."""
    assert metrics(LabelledRows([1, 0, 2], prediction=[1, 0, 1]), task="binary") == {}
    assert metrics(LabelledRows(["churn", "stay"], prediction=[1, 0]), task="binary") == {}
    assert metrics(LabelledRows([1, 0, "NA", None], prediction=[1, 0, 1, 1]), task="binary")["accuracy"] == 1.0
    assert metrics(LabelledRows([-1, 1, "-1.0"], prediction=[0, 1, -1]), task="binary")["accuracy"] == 1.0


def test_no_class_in_common_leaves_no_metrics() -> None:
    """An accuracy of 0 would be no measure to compare with."""
    assert metrics(LabelledRows(["A", "B"], prediction=["a", "b"]), task="multiclass") == {}

"""Predictions and labels by task."""

from typing import Any

import pyarrow as pa
import pytest

from batch.samples import a_model, plain
from driftgauge.batch.outcomes import Outcome, labels, predictions
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.roles import resolve
from driftgauge.batch.rows import UNUSABLE_TEXT, Rows

NAN, INF = float("nan"), float("inf")


def outcome(task: Any = "binary", *, threshold: float = 0.5, score_column: bool = False, **columns: Any) -> Outcome:
    """Read the predictions of columns given as lists or arrays."""
    arrays = {name: pa.array(values) for name, values in columns.items()}
    rows = Rows(arrays, all_fine(len(next(iter(arrays.values())))))
    roles = resolve(rows, a_model(task=task))
    return predictions(rows, roles, task=task, threshold=threshold, score_column=score_column)


@pytest.mark.parametrize(
    ("description", "columns", "classes", "scores", "bad"),
    [
        ("whole numbers", {"prediction": [0, 1, None]}, ["0", "1", None], [None] * 3, [False] * 3),
        ("whole floats", {"prediction": [0.0, 1.0]}, ["0", "1"], [None] * 2, [False] * 2),
        ("booleans", {"prediction": [True, False, None]}, ["1", "0", None], [None] * 3, [False] * 3),
        ("words", {"prediction": ["Yes", " n ", "TRUE", "negative"]}, ["1", "0", "1", "0"], [None] * 4, [False] * 4),
        ("scores", {"prediction": [0.0, 1.0, 0.75, 0.2]}, ["0", "1", "1", "0"], [0.0, 1.0, 0.75, 0.2], [False] * 4),
        ("scores as text", {"prediction": ["0.75", "1", "no"]}, ["1", "1", "0"], [0.75, 1.0, None], [False] * 3),
        ("a score and a class", {"prediction": [0, 1], "score": [0.9, 0.1]}, ["0", "1"], [0.9, 0.1], [False] * 2),
        ("scores only", {"score": [0.9, None, 0.1]}, ["1", None, "0"], [0.9, None, 0.1], [False] * 3),
        ("a score next to a score", {"prediction": [0.9], "score": [0.2]}, ["0"], [0.2], [False]),
        ("a margin", {"score": [-2.5, 3.0]}, ["0", "1"], [-2.5, 3.0], [False] * 2),
        ("outside", {"prediction": [2, -1]}, [None] * 2, [None] * 2, [True] * 2),
        ("no class", {"prediction": ["abc", UNUSABLE_TEXT, None]}, [None] * 3, [None] * 3, [True, True, False]),
        ("infinity", {"prediction": [INF, NAN]}, [None] * 2, [None] * 2, [True, False]),
        ("an object", {"prediction": [b"", None]}, [None] * 2, [None] * 2, [True, False]),
        ("a broken score alone", {"score": ["x", "0.5"]}, [None, "1"], [None, 0.5], [True, False]),
        ("a broken score next to a class", {"prediction": [1], "score": ["x"]}, ["1"], [None], [False]),
        ("nothing", {"id": [1]}, [None], [None], [False]),
    ],
)
def test_binary(
    description: str, columns: dict[str, Any], classes: list[Any], scores: list[Any], bad: list[bool]
) -> None:
    """Classes, scores and mistakes are distinguished value by value."""
    result = outcome(**columns)
    assert (plain(result.predicted), plain(result.score), result.bad.tolist()) == (classes, scores, bad), description


def test_the_threshold_belongs_to_the_positive_class() -> None:
    """A score of exactly the threshold is positive."""
    assert plain(outcome(prediction=[0.69, 0.7, 0.71], threshold=0.7).predicted) == ["0", "1", "1"]


def test_a_score_column_stays_one() -> None:
    """After a block with fractions, whole numbers of later blocks are scores as well."""
    assert outcome(prediction=[0.5, 1.0]).has_fractions
    assert not outcome(prediction=[0.0, 1.0]).has_fractions
    later = outcome(prediction=[0.0, 1.0], score_column=True)
    assert (plain(later.score), later.has_fractions) == ([0.0, 1.0], True)


@pytest.mark.parametrize(
    ("values", "expected", "bad"),
    [
        ([1.5, None, NAN], [1.5, None, None], [False] * 3),
        (["1.5", "-3", "abc", ""], [1.5, -3.0, None, None], [False, False, True, False]),
        ([INF, -INF], [None, None], [True, True]),
        ([3, 4], [3.0, 4.0], [False, False]),
        ([b""], [None], [True]),
    ],
)
def test_regression(values: list[Any], expected: list[Any], bad: list[bool]) -> None:
    """Predictions are finite numbers."""
    result = outcome("regression", prediction=values)
    assert (plain(result.predicted), result.bad.tolist()) == (expected, bad)
    assert result.predicted.type == pa.float64()


@pytest.mark.parametrize(
    ("values", "expected", "bad"),
    [
        (["cat", "", None], ["cat", None, None], [False] * 3),
        ([1, 2], ["1", "2"], [False] * 2),
        ([1.0, NAN], ["1", None], [False] * 2),
        ([True, False], ["true", "false"], [False] * 2),
        (["cat", UNUSABLE_TEXT], ["cat", None], [False, True]),
        ([b"", None], [None, None], [True, False]),
    ],
)
def test_multiclass(values: list[Any], expected: list[Any], bad: list[bool]) -> None:
    """Any value names a class, and the same class is spelled the same in every format."""
    result = outcome("multiclass", prediction=values)
    assert (plain(result.predicted), result.bad.tolist()) == (expected, bad)


def test_class_scores() -> None:
    """Without a prediction the most probable class is it, the first by name among equals."""
    result = outcome(
        "multiclass",
        prediction=["c", None, None, None],
        proba_b=[0.9, 0.4, 0.5, None],
        proba_a=["0.1", "0.6", "0.5", "x"],
    )
    assert plain(result.predicted) == ["c", "a", "a", None]
    assert {name: plain(values) for name, values in result.class_scores.items()} == {
        "a": [0.1, 0.6, 0.5, None],
        "b": [0.9, 0.4, 0.5, None],
    }


@pytest.mark.parametrize(
    ("task", "values", "expected", "bad"),
    [
        ("binary", ["yes", "0", "1.0", "maybe", None], ["1", "0", "1", None, None], [False, False, False, True, False]),
        ("binary", [0.0, 1.0, 0.5], ["0", "1", None], [False, False, True]),
        ("binary", [True, False], ["1", "0"], [False, False]),
        ("regression", [1, 2], [1.0, 2.0], [False, False]),
        ("regression", ["x", "2"], [None, 2.0], [True, False]),
        ("multiclass", [1, 2], ["1", "2"], [False, False]),
        ("multiclass", [b"", None], [None, None], [True, False]),
    ],
)
def test_labels(task: Any, values: list[Any], expected: list[Any], bad: list[bool]) -> None:
    """Labels are classes or numbers, never scores."""
    rows = Rows({"actual": pa.array(values)}, all_fine(len(values)))
    label, wrong = labels(rows, resolve(rows, a_model(task=task)), task)
    assert (plain(label), wrong.tolist()) == (expected, bad)

"""Predictions and labels by task."""

import math
from typing import Any

import pyarrow as pa
import pytest

from batch.samples import a_model, decoded, plain
from batch.test_decoding import jsonl, parquet_of
from driftgauge.batch.outcomes import Outcome, OutcomeRules, labels, predictions
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.roles import resolve
from driftgauge.batch.rows import UNUSABLE_TEXT, Rows

NAN, INF = float("nan"), float("inf")


def outcome(
    task: Any = "binary",
    *,
    threshold: float = 0.5,
    score_column: bool = False,
    unscaled: bool = False,
    positive: str | None = None,
    scale: Any = None,
    **columns: Any,
) -> Outcome:
    """Read the predictions of columns given as lists or arrays."""
    arrays = {name: pa.array(values) for name, values in columns.items()}
    rows = Rows(arrays, all_fine(len(next(iter(arrays.values())))))
    roles = resolve(rows, a_model(task=task))
    how = OutcomeRules(task, threshold, positive, scale)
    return predictions(rows, roles, how, score_column=score_column, unscaled=unscaled)


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
        ("a margin", {"score": [-2.5, 0.5]}, [None] * 2, [None] * 2, [True] * 2),
        ("a margin and a class", {"prediction": [0, 1], "score": [-2.5, 0.5]}, ["0", "1"], [None] * 2, [False] * 2),
        ("a sum of floats", {"score": [1 + 1e-12]}, ["1"], [1 + 1e-12], [False]),
        ("minus and plus", {"prediction": [-1, 1, -1.0]}, ["0", "1", "0"], [None] * 3, [False] * 3),
        ("minus and plus as text", {"prediction": ["-1", "+1"]}, ["0", "1"], [None] * 2, [False] * 2),
        ("one and two", {"prediction": [1, 2]}, ["1", "2"], [None] * 2, [False] * 2),
        ("fractions outside", {"prediction": [3.7, -0.5]}, [None] * 2, [None] * 2, [True] * 2),
        ("names", {"prediction": ["churn", " Stay ", None]}, ["churn", "Stay", None], [None] * 3, [False] * 3),
        ("names and a score", {"prediction": ["churn"], "score": [0.9]}, ["churn"], [None], [False]),
        (
            "missing",
            {"prediction": ["NA", "NaN", "null", "None", "<NA>", "\\N", ""]},
            [None] * 7,
            [None] * 7,
            [False] * 7,
        ),
        ("no class", {"prediction": [UNUSABLE_TEXT, "1", None]}, [None, "1", None], [None] * 3, [True, False, False]),
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


@pytest.mark.parametrize(
    ("positive", "values", "expected"),
    [
        ("churn", ["churn", "stay", None, "churn "], ["1", "0", None, "1"]),
        ("churn", ["1", "0", "yes", "-1"], ["1", "0", "1", "0"]),
        ("2", [1, 2, None], ["0", "1", None]),
        ("2", ["1.0", "2.0"], ["0", "1"]),
        ("0", [0, 1], ["1", "0"]),
        ("no", ["yes", "no"], ["0", "1"]),
        ("true", [True, False], ["1", "0"]),
        ("-1", [-1, 1], ["1", "0"]),
        ("a", ["a", "b", "c"], ["1", "0", "0"]),
    ],
)
def test_the_positive_class(positive: str, values: list[Any], expected: list[Any]) -> None:
    """It is "1" whatever its name, in predictions as in labels, and all others are "0"."""
    assert plain(outcome(prediction=values, positive=positive).predicted) == expected
    rows = Rows({"label": pa.array(values)}, all_fine(len(values)))
    label, bad, _ = labels(rows, resolve(rows, a_model()), OutcomeRules("binary", positive_class=positive))
    assert (plain(label), bad.any()) == (expected, False)


def test_a_score_speaks_of_the_positive_class() -> None:
    """With it named, scores count and give the class where there is none; a class of its own wins."""
    result = outcome(prediction=["stay", None, "churn"], score=[0.2, 0.9, 0.4], positive="churn")
    assert (plain(result.predicted), plain(result.score)) == (["0", "1", "1"], [0.2, 0.9, 0.4])
    assert result.doubts == frozenset()
    # A fraction in the column of predictions is the score of the positive class, even where that is 0.
    assert plain(outcome(prediction=[0.9, 0.0], positive="0").predicted) == ["1", "0"]


@pytest.mark.parametrize(
    ("scale", "scores", "classes", "expected"),
    [
        ("percent", [49.0, 50.0, 100.0, 0.4], ["0", "1", "1", "0"], [0.49, 0.5, 1.0, 0.004]),
        (
            "margin",
            [-1.0, 0.0, 2.0, -800.0],
            ["0", "1", "1", "0"],
            [1 / (1 + math.e), 0.5, 1 / (1 + math.exp(-2)), 0.0],
        ),
        ("probability", [0.2, 0.5, 1.0, 0.0], ["0", "1", "1", "0"], [0.2, 0.5, 1.0, 0.0]),
    ],
)
def test_scales(scale: str, scores: list[float], classes: list[str], expected: list[float]) -> None:
    """Scores of any scale become probabilities, wherever they stand; an explicit class wins."""
    for column in ("score", "prediction"):
        result = outcome(scale=scale, **{column: scores})
        assert (plain(result.predicted), plain(result.score)) == (classes, pytest.approx(expected))
    assert plain(outcome(scale=scale, score=scores, prediction=[1] * 4).predicted) == ["1"] * 4


def test_doubts() -> None:
    """Scores that are no probabilities, or of a class that nobody named, are not used in the whole file."""
    assert outcome(score=[50.0, 0.5]).doubts == {"score_scale"}
    later = outcome(score=[0.5], unscaled=True)
    assert (plain(later.score), later.bad.tolist(), later.doubts) == ([None], [True], {"score_scale"})
    assert outcome(score=[0.5], prediction=["churn"]).doubts == {"positive_class"}
    assert outcome(prediction=["churn", "stay"]).doubts == frozenset()


@pytest.mark.parametrize(
    ("lines", "reason", "column", "example"),
    [
        ([{"probability": 87.5, "label": 1}], "score_scale", "probability", "87.5"),
        ([{"prediction": "churn", "score": 0.5}], "positive_class", "prediction", "churn"),
        ([{"prediction": name} for name in "abc"], "more_classes", "prediction", "c"),
        ([{"prediction": 1, "label": at} for at in range(4)], "more_classes", "label", "2"),
    ],
)
def test_doubts_are_noted(lines: list[dict[str, Any]], reason: str, column: str, example: str) -> None:
    """With the column, an example and the remedy."""
    (chunk,) = decoded(jsonl(lines))
    (note,) = chunk.notes
    assert (note.reason, note.column, note.example) == (reason, column, example)
    assert "write" in note.text or "name it" in note.text


def test_class_scores_of_a_named_class() -> None:
    """Of two class probabilities that of the positive class is the score."""
    lines = [{"proba_churn": 0.7, "proba_stay": 0.3}]
    assert decoded(jsonl(lines), positive_class="churn")[0].score.tolist() == [0.7]
    assert decoded(jsonl(lines), positive_class="stay")[0].score.tolist() == [0.3]


def test_lists_of_one_element_are_values() -> None:
    """Models that answer with a list per row are read, in JSON and in Parquet, as one row or many."""
    lines = [{"prediction": [[0.75]], "label": [1]}, {"prediction": [[0.25]], "label": []}]
    table = parquet_of(prediction=[[[0.75]], [[0.25]]], label=pa.array([[1], []], pa.list_(pa.int64())))
    for data, name in ((jsonl(lines), "a.jsonl"), (jsonl([*lines, 5]), "a.jsonl"), (table, "a.parquet")):  # type: ignore[list-item]
        (chunk,) = decoded(data, name)
        assert (plain(chunk.score), plain(chunk.label)) == ([0.75, 0.25], ["1", None])


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
        (["none", "NaN", "NA", "<NA>", "\\N", "null"], ["none", *[None] * 5], [False] * 6),
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
        ("binary", ["yes", "0", "1.0", "maybe", None], ["1", "0", "1", "maybe", None], [False] * 5),
        ("binary", ["NaN", "NA", "<NA>", "\\N"], [None] * 4, [False] * 4),
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
    label, wrong, _ = labels(rows, resolve(rows, a_model(task=task)), OutcomeRules(task))
    assert (plain(label), wrong.tolist()) == (expected, bad)

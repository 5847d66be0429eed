"""Columns by role."""

from typing import Any

import pyarrow as pa
import pytest

from batch.samples import a_model
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.roles import Roles, for_labels, free_columns, resolve
from driftgauge.batch.rows import Rows
from driftgauge.schema import SPELLINGS


def rows_of(*paths: str, untyped: bool = False, **columns: Any) -> Rows:
    """Return one row with the number 0.5 in each path, and other columns by name."""
    values = {path: pa.array([0.5]) for path in paths} | {name: pa.array([value]) for name, value in columns.items()}
    return Rows(values, all_fine(1), untyped=untyped)


def roles_of(*paths: str, **settings: Any) -> Roles:
    """Return the roles of columns of numbers."""
    return resolve(rows_of(*paths), a_model(**settings))


@pytest.mark.parametrize("role", SPELLINGS)
def test_every_spelling_is_recognised_in_order(role: str) -> None:
    """All spellings of a role at once are tried in the order of the vocabulary."""
    spellings = SPELLINGS[role]
    # What `outputs` holds are columns of their own where it is an object.
    assert roles_of(*reversed(spellings)).paths[role] == tuple(name for name in spellings if name != "outputs")
    for spelling in spellings:
        assert roles_of(spelling, "other").paths[role] == (spelling,)


@pytest.mark.parametrize(
    ("description", "paths", "settings", "role", "expected"),
    [
        ("a spelling in outputs", ["outputs.y_pred"], {}, "prediction", ("outputs.y_pred",)),
        ("a score in outputs", ["outputs.score", "outputs.prediction"], {}, "score", ("outputs.score",)),
        ("a single output", ["outputs.churn"], {}, "score", ("outputs.churn",)),
        ("next to a prediction", ["outputs.prediction", "outputs.churn"], {}, "score", ("outputs.churn",)),
        ("two outputs say nothing", ["outputs.a", "outputs.b"], {}, "score", ()),
        ("a single probability", ["proba_churn"], {}, "score", ("proba_churn",)),
        ("a probability in outputs", ["outputs.probability_x"], {}, "score", ("outputs.probability_x",)),
        ("the positive one of two", ["proba_0", "proba_1"], {}, "score", ("proba_1",)),
        ("by word", ["probability_False", "probability_True"], {}, "score", ("probability_True",)),
        ("two unknown classes", ["proba_a", "proba_b"], {}, "score", ()),
        ("a spelled score comes first", ["proba_1", "score"], {}, "score", ("score", "proba_1")),
        ("a mapped score alone counts", ["proba_1", "p"], {"columns": {"score": "p"}}, "score", ("p",)),
        ("a mapped column that is not there", ["score"], {"columns": {"score": "p"}}, "score", ()),
        ("taken by another role", ["label", "target"], {"columns": {"prediction": "target"}}, "label", ("label",)),
        ("a single output of a regression", ["outputs.eta"], {"task": "regression"}, "prediction", ("outputs.eta",)),
        ("no score for a regression", ["outputs.eta"], {"task": "regression"}, "score", ()),
        ("no implied class", ["outputs.x"], {"task": "multiclass"}, "prediction", ()),
    ],
)
def test_scores_and_predictions(
    description: str, paths: list[str], settings: dict[str, Any], role: str, expected: tuple[str, ...]
) -> None:
    """Outputs and probabilities find their role without a mapping."""
    assert roles_of(*paths, **settings).paths[role] == expected, description


@pytest.mark.parametrize(("value", "expected"), [("0.5", ("outputs.x",)), ("high", ())])
def test_a_single_output_as_text(value: str, expected: tuple[str, ...]) -> None:
    """In CSV a number is text; in typed formats text is no number."""
    rows = Rows({"outputs.x": pa.array([value])}, all_fine(1), untyped=True)
    assert resolve(rows, a_model()).paths["score"] == expected
    typed = Rows({"outputs.x": pa.array([value])}, all_fine(1))
    assert resolve(typed, a_model()).paths["score"] == ()


def test_class_scores() -> None:
    """Classes in names are spelled like classes in values, and one class may have two columns."""
    found = roles_of("proba_a", "outputs.probability_a", "proba_1.0", "probability_True", "proba_", task="multiclass")
    assert found.class_scores == {
        "a": ("proba_a", "outputs.probability_a"),
        "1": ("proba_1.0",),
        "true": ("probability_True",),
    }


@pytest.mark.parametrize(
    ("description", "settings", "expected"),
    [
        ("by default the request id", {}, (("request_id", "id"),)),
        ("as mapped", {"columns": {"request_id": "order"}}, (("order",),)),
        ("other columns and features", {"labels": {"key": ["order", "line"]}}, (("order",), ("features.line",))),
        ("a part that is missing", {"labels": {"key": ["request_id", "no"]}}, (("request_id", "id"), ())),
    ],
)
def test_keys(description: str, settings: dict[str, Any], expected: Any) -> None:
    """Keys are spelled ids, flat columns or features."""
    assert roles_of("id", "request_id", "order", "features.line", **settings).key == expected, description


@pytest.mark.parametrize(
    ("description", "labels", "expected"),
    [
        ("nothing written", {}, (("order_no",), ("label",))),
        ("a mapping of its own", {"columns": {"request_id": "ticket", "label": "result"}}, (("ticket",), ("result",))),
        ("the usual names", {"columns": {"request_id": "request_id"}}, (("request_id",), ("label",))),
    ],
)
def test_columns_of_label_files(description: str, labels: dict[str, Any], expected: Any) -> None:
    """`labels.columns` maps label files by itself; what `columns` maps and they do not have is spelled as usual."""
    rows = rows_of("order_no", "ticket", "request_id", "label", "result")
    model = a_model(columns={"request_id": "order_no", "label": "outcome"}, labels=labels)
    roles = resolve(rows, for_labels(model, rows))
    assert (roles.key[0], roles.paths["label"]) == expected, description


def test_free_columns() -> None:
    """What plays no role, has no prefix and is no index is free to be a feature."""
    rows = rows_of("age", "sepal.length", "id", "label", "proba_1", "order", "features", "features.x", "feature_y",
                   "outputs", "outputs.z", "__index_level_0__", "Unnamed: 0", "", "error.code", "error")  # fmt: skip
    roles = resolve(rows, a_model(labels={"key": ["order"]}))
    assert free_columns(rows, roles) == ["age", "sepal.length"]

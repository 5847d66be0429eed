"""Every shape of input and output that pyfunc allows, as columns of rows."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from driftgauge.client.shapes import Outputs, input_columns, output_columns, snapshot

FRAME: Final = pd.DataFrame({"age": [35, 40], "plan": ["A", "B"]}, index=[7, 9])


def plain(columns: Any) -> Any:
    """Return columns as lists."""
    return {name: list(column) for name, column in columns.items()}


@pytest.mark.parametrize(
    ("features", "rows", "columns"),
    [
        pytest.param(FRAME, 2, {"age": [35, 40], "plan": ["A", "B"]}, id="data frame with an index"),
        pytest.param(FRAME[:0], 0, {"age": [], "plan": []}, id="data frame without rows"),
        pytest.param({"age": 35, "plan": "AB"}, 1, {"age": [35], "plan": ["AB"]}, id="one record"),
        pytest.param({"age": 35, "tags": [1, 2]}, 1, {"age": [35], "tags": [[1, 2]]}, id="one record with a list"),
        pytest.param({"age": [35, 40], "b": [1, 2]}, 2, {"age": [35, 40], "b": [1, 2]}, id="mapping of lists"),
        pytest.param({"age": np.array([35, 40])}, 2, {"age": [35, 40]}, id="mapping of arrays"),
        pytest.param({"image": np.zeros((2, 4, 4)), "age": np.ones(2)}, 2, {"age": [1, 1]}, id="mapping with a tensor"),
        pytest.param([{"a": 1}, {"b": 2}], 2, {"a": [1, None], "b": [None, 2]}, id="records with other keys"),
        pytest.param(np.array([[1, 2], [3, 4]]), 2, {"0": [1, 3], "1": [2, 4]}, id="matrix"),
        pytest.param([[1, 2], [3, 4]], 2, {"0": [1, 3], "1": [2, 4]}, id="nested lists"),
        pytest.param(np.array([1.5, 2.5]), 2, {"input": [1.5, 2.5]}, id="vector"),
        pytest.param(["good", "bad"], 2, {"input": ["good", "bad"]}, id="texts"),
        pytest.param("good", 1, {"input": ["good"]}, id="text"),
        pytest.param(np.zeros((3, 8, 8)), 3, {}, id="images"),
        pytest.param(csr_matrix(np.eye(3)), 3, {}, id="sparse matrix"),
        pytest.param([], 0, {"input": []}, id="nothing"),
    ],
)
def test_given(features: Any, rows: int, columns: dict[str, Any]) -> None:
    """Features are columns by name, or by position where there are no names."""
    found = input_columns(features)

    assert (found.rows, plain(found.columns)) == (rows, columns)


def test_names_of_the_signature() -> None:
    """A matrix gets the names of the signature, when they are as many as its columns."""
    matrix = np.array([[1, 2]])

    assert plain(input_columns(matrix, names=["age", "tenure"]).columns) == {"age": [1], "tenure": [2]}
    assert plain(input_columns(matrix, names=["age"]).columns) == {"0": [1], "1": [2]}


PROBABILITIES: Final = np.array([[0.25, 0.75], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(np.array([0, 1]), {"prediction": [0, 1]}, id="vector"),
        pytest.param(np.array([[0], [1]]), {"prediction": [0, 1]}, id="matrix of one column"),
        pytest.param([0.5, 1], {"prediction": [0.5, 1]}, id="list"),
        pytest.param(["yes", "no"], {"prediction": ["yes", "no"]}, id="texts"),
        pytest.param(pd.Series([3, 4], index=[8, 9]), {"prediction": [3, 4]}, id="series"),
        pytest.param(pd.DataFrame({"anything": [3, 4]}), {"prediction": [3, 4]}, id="data frame of one column"),
        pytest.param(PROBABILITIES, {"score": [0.75, 0.5]}, id="probabilities of two classes"),
        pytest.param(
            pd.DataFrame({"prediction": [1, 0], "probability": [0.9, 0.2], "note": ["a", "b"]}),
            {"prediction": [1, 0], "score": [0.9, 0.2]},
            id="data frame with known names",
        ),
        pytest.param(
            pd.DataFrame(PROBABILITIES, columns=["no", "yes"]),
            {"class_scores": {"no": [0.25, 0.5], "yes": [0.75, 0.5]}},
            id="data frame of probabilities",
        ),
        pytest.param(
            [{"predicted": "a", "proba_a": 0.9}, {"predicted": "b", "proba_a": 0.3}],
            {"prediction": ["a", "b"], "class_scores": {"a": [0.9, 0.3]}},
            id="records",
        ),
        pytest.param({"predictions": [1, 2]}, {"prediction": [1, 2]}, id="mapping of lists"),
        pytest.param(np.array([[1.0, 2.0], [3.0, 4.0]]), {}, id="two outputs that are no probabilities"),
        pytest.param(np.array([[-1.0, 2.0], [0.0, 1.0]]), {}, id="two outputs of which one is negative"),
        pytest.param(np.array([1, 2, 3]), {}, id="more outputs than rows"),
        pytest.param("one text for all", {}, id="one output for two rows"),
        pytest.param(None, {}, id="nothing"),
    ],
)
def test_returned(output: Any, expected: dict[str, Any]) -> None:
    """An output of two rows gives predictions, scores or class probabilities, and nothing where it is unclear."""
    found = output_columns(output, rows=2)
    parts = {
        "prediction": None if found.prediction is None else list(found.prediction),
        "score": None if found.score is None else list(found.score),
        "class_scores": plain(found.class_scores),
    }

    assert {name: value for name, value in parts.items() if value} == expected
    assert found.empty == (not expected)


@pytest.mark.parametrize("output", ["fine", 0.5, np.float64(0.5), ["fine"], np.array([0.5])])
def test_the_one_row(output: Any) -> None:
    """A model that answers one row with a single value has predicted it."""
    (value,) = output_columns(output, rows=1).prediction

    assert value in {"fine", 0.5}


def test_classes_by_name() -> None:
    """Classes that the caller names label the columns; their order does not matter then."""
    found = output_columns(PROBABILITIES, rows=2, classes=["yes", "no"])

    assert plain(found.class_scores) == {"yes": [0.25, 0.5], "no": [0.75, 0.5]}
    assert output_columns(np.full((2, 3), 1 / 3), rows=2).class_scores.keys() == {"0", "1", "2"}


@pytest.mark.parametrize(
    ("features", "change"),
    [
        pytest.param(FRAME.copy(), lambda frame: frame.insert(0, "new", [1, 2]), id="new column"),
        pytest.param(FRAME.copy(), lambda frame: frame.pop("plan"), id="column taken out"),
        pytest.param(np.ones((2, 2)), lambda matrix: matrix.fill(9), id="matrix"),
        pytest.param({"age": np.ones(2)}, lambda columns: columns["age"].fill(9), id="mapping"),
        pytest.param([{"age": 1}], lambda records: records[0].update(age=9), id="records"),
        pytest.param([[1, 2]], lambda rows: rows[0].reverse(), id="nested lists"),
    ],
)
def test_snapshot(features: Any, change: Callable[[Any], None]) -> None:
    """What is logged does not change with what the model does to its input."""
    before = repr(input_columns(features))
    kept = snapshot(features)
    change(features)

    assert repr(input_columns(features)) != before
    assert repr(input_columns(kept)) == before


def test_a_tensor() -> None:
    """A tensor that belongs to a graph or a device is detached and brought to the processor first."""

    class Tensor:
        """Has what a torch tensor has."""

        def detach(self) -> "Tensor":
            return self

        def cpu(self) -> np.ndarray[Any, Any]:
            return np.array([0.5, 0.25])

    assert list(output_columns(Tensor(), rows=2).prediction) == [0.5, 0.25]
    assert output_columns(object(), rows=2) == Outputs()

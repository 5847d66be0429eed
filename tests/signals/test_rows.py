"""Numbers and texts of rows, the output among them."""

from typing import Any

import numpy as np
import pytest

from data_builders import make_columns
from driftgauge.grid import OUTPUT
from driftgauge.signals.rows import numbers_of, output_numbers, texts_of

NAN = float("nan")


@pytest.mark.parametrize(
    ("description", "fields", "expected"),
    [
        ("a score", {"score": [0.25, NAN], "predicted": ["0", None]}, [0.25, None]),
        ("a regression's prediction", {"predicted": np.array([3.5, NAN])}, [3.5, None]),
        ("bare classes", {"predicted": ["0", "1"]}, None),
    ],
)
def test_output_as_numbers(description: str, fields: dict[str, Any], expected: list[float | None] | None) -> None:
    """The output is the score where there is one, a regression's prediction, and no number for bare classes."""
    numbers = output_numbers(make_columns(2, **fields))

    plain = None if numbers is None else [None if np.isnan(number) else number for number in numbers]
    assert plain == expected, description


def test_the_output_is_a_column() -> None:
    """Where the output is a number it is one of the numbers; its classes are among the texts."""
    scored = make_columns(1, score=[0.5], predicted=["1"], numbers={"x": [1.0]}, categories={"plan": ["a"]})
    bare = make_columns(1, predicted=["1"], numbers={"x": [1.0]})

    assert [list(numbers_of(rows)) for rows in (scored, bare)] == [["x", OUTPUT], ["x"]]
    assert [list(texts_of(rows)) for rows in (scored, bare)] == [["plan", OUTPUT], [OUTPUT]]

"""Choosing rows of decoded columns."""

from dataclasses import replace

import numpy as np
import pytest

from data_builders import make_columns
from driftgauge.columns import Columns

ROWS = replace(
    make_columns(
        3,
        time=[1, 2, 3],
        predicted=["a", None, "b"],
        label=["x", "y", None],
        score=[0.1, 0.2, 0.3],
        latency=[1.0, 2.0, 3.0],
        failed=[False, True, False],
        class_scores={"a": [0.4, 0.5, 0.6]},
        numbers={"n": [7.0, 8.0, 9.0]},
        categories={"c": ["p", "q", None]},
    ),
    rows_read=5,
    rejected={"bad_label": 2},
)


@pytest.mark.parametrize(
    "rows", [np.array([2, 0]), np.array([0, 2]), np.array([True, False, True])], ids=["turned", "positions", "mask"]
)
def test_take(rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
    """Every field follows the chosen rows, in the order in which they were asked for."""
    taken = ROWS.take(rows)
    at = [int(row) for row in (np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)]

    assert len(taken) == 2
    assert taken.time.tolist() == [[1, 2, 3][row] for row in at]
    assert taken.version.to_pylist() == ["1", "1"]
    assert taken.key.to_pylist() == [None, None]
    assert taken.predicted.to_pylist() == [["a", None, "b"][row] for row in at]
    assert taken.label.to_pylist() == [["x", "y", None][row] for row in at]
    assert taken.score.tolist() == [[0.1, 0.2, 0.3][row] for row in at]
    assert taken.latency.tolist() == [[1.0, 2.0, 3.0][row] for row in at]
    assert taken.failed.tolist() == [[False, True, False][row] for row in at]
    assert taken.class_scores["a"].tolist() == [[0.4, 0.5, 0.6][row] for row in at]
    assert taken.numbers["n"].tolist() == [[7.0, 8.0, 9.0][row] for row in at]
    assert taken.categories["c"].to_pylist() == [["p", "q", None][row] for row in at]


def test_what_belongs_to_the_file_stays_with_the_whole() -> None:
    """Rows read and rejected are counted once, not with every selection."""
    taken = ROWS.take(np.array([True, True, True]))

    assert (ROWS.rows_read, ROWS.rejected) == (5, {"bad_label": 2})
    assert (taken.rows_read, taken.rejected) == (0, {})


def test_concat() -> None:
    """Parts follow each other in every field, and together are what they were cut from."""
    parts = [ROWS.span(slice(0, 1)), ROWS.span(slice(1, 3))]
    whole = Columns.concat(parts)

    assert len(whole) == 3
    for name in ("time", "score", "latency", "failed"):
        assert getattr(whole, name).tolist() == getattr(ROWS, name).tolist()
    for name in ("version", "key", "predicted", "label"):
        assert getattr(whole, name).to_pylist() == getattr(ROWS, name).to_pylist()
    assert whole.class_scores["a"].tolist() == [0.4, 0.5, 0.6]
    assert whole.numbers["n"].tolist() == [7.0, 8.0, 9.0]
    assert whole.categories["c"].to_pylist() == ["p", "q", None]
    assert whole.names == (("a",), ("n",), ("c",), ())
    assert Columns.concat(parts[:1]) is parts[0]

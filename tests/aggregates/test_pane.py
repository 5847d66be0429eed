"""What a pane of predictions holds."""

import numpy as np
import pytest

from data_builders import a_reference, features, make_columns
from driftgauge.aggregates.moments import Moment
from driftgauge.aggregates.pane import PredictionPane
from driftgauge.columns import Columns
from driftgauge.grid import OUTPUT

NAN = float("nan")
REFERENCE = a_reference(features(x=np.array([0.0, 1.0, 2.0])))
ROWS = make_columns(
    4,
    score=[0.25, 0.75, NAN, 0.5],
    predicted=["0", "1", None, "1"],
    failed=[False, False, True, False],
    latency=[0.01, NAN, 0.03, 0.02],
    numbers={"x": [1.0, 3.0, NAN, 2.0]},
    categories={"plan": ["a", None, "b", None]},
)


def folded(rows: Columns) -> PredictionPane:
    """Fold rows on the reference's layout."""
    return PredictionPane.fold(rows, REFERENCE.layout, category_limit=9)


def test_fold() -> None:
    """A pane counts rows, failures, latencies, present values and cells."""
    pane = folded(ROWS)

    assert (pane.rows, pane.failed) == (4, 1)
    assert pane.latency.total == 3
    assert pane.latency_sketch.quantile(0.5) == pytest.approx(0.02)
    assert pane.moments.columns == {
        "x": Moment(3, 2.0, 2.0),
        "plan": Moment(others=2),
        OUTPUT: Moment(3, 0.5, 0.125),
    }
    assert pane.distribution is not None
    assert pane.distribution.counts.sum() == 3


def test_without_a_reference() -> None:
    """Without a reference everything but the distribution is there."""
    pane = PredictionPane.fold(ROWS, None, category_limit=9)

    assert pane.distribution is None
    assert PredictionPane.combine([pane, pane]).rows == 8
    assert PredictionPane.from_state(pane.to_state()).distribution is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (make_columns(2, predicted=np.array([1.0, 3.0])), Moment(2, 2.0, 2.0)),
        (make_columns(3, predicted=["a", "b", None]), Moment(others=2)),
        (make_columns(3, predicted=["1", "0", None], score=np.array([0.9, np.nan, np.nan])), Moment(1, 0.9, 0.0, 1)),
    ],
    ids=["regression", "classes", "scores and classes"],
)
def test_output_moments(rows: Columns, expected: Moment) -> None:
    """Numbers have a mean; classes without a number are only counted."""
    assert PredictionPane.fold(rows, None, category_limit=9).moments.columns == {OUTPUT: expected}


def test_another_layout_starts_the_counts_anew() -> None:
    """With a new reference the cells are emptied, and everything else is kept."""
    pane, layout = folded(ROWS), a_reference(features(x=np.array([5.0, 6.0]))).layout

    recounted = pane.recounted_on(layout, category_limit=9)

    assert recounted.distribution is not None
    assert recounted.distribution.fingerprint == layout.fingerprint
    assert recounted.distribution.counts.sum() == 0
    assert (recounted.rows, recounted.moments) == (pane.rows, pane.moments)
    assert pane.recounted_on(None, category_limit=9).distribution is None

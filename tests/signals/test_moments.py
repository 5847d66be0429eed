"""Mean, deviation and missing values, as a signal folds and publishes them."""

import numpy as np
import pytest

from data_builders import make_columns
from driftgauge.aggregates.moments import Moment, Moments
from driftgauge.columns import Columns
from driftgauge.grid import OUTPUT
from driftgauge.samples import Sample
from driftgauge.signals.moments import FittedMoments, values

FITTED = FittedMoments(("x", "gone"), 3)


def folded(rows: Columns) -> Moments:
    """Return the moments of all rows."""
    (found,) = FITTED.fold(rows, np.array([len(rows)]))
    return found


def published(rows: Columns) -> dict[tuple[str, ...], float]:
    """Return values by family and labels."""
    found = values(folded(rows), FITTED)
    return {(name, *one.labels): one.value for name, of in found.items() for one in of if isinstance(one, Sample)}


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
    assert folded(rows).columns[OUTPUT] == expected
    assert not {"\x00class"} & {name for name, *_ in published(rows)}


def test_rows_and_answers_of_each_group() -> None:
    """Failed requests are counted apart, group by group: they have no output to be missing."""
    rows = make_columns(5, failed=[True, False, False, True, True], numbers={"x": np.arange(5.0)})

    found = FITTED.fold(rows, np.array([2, 5]))

    assert [(one.rows, one.answered) for one in found] == [(2, 1), (3, 1)]


def test_features_of_the_reference_come_first() -> None:
    """The reference's features in its order, missing ones too, then others by name, up to the limit."""
    rows = make_columns(2, numbers={"z": [1, 2], "b": [1, 2], "x": [1, 2]})

    assert FITTED.names(folded(rows)) == ["x", "gone", "b"]


def test_published() -> None:
    """Statistics from two numbers on; a feature that no row has is missing in all of them."""
    rows = make_columns(
        4,
        numbers={"x": [1.0, 3.0, np.nan, np.inf], "b": [7.0, np.nan, np.nan, np.nan]},
        failed=[False] * 3 + [True],
        predicted=["1", None, "0", None],
    )

    assert published(rows) == pytest.approx(
        {
            ("model_feature_mean", "x"): 2.0,
            ("model_feature_stddev", "x"): 1.0,
            ("model_feature_missing_ratio", "x"): 0.5,
            ("model_feature_missing_ratio", "gone"): 1.0,
            ("model_feature_missing_ratio", "b"): 0.75,
            ("model_missing_ratio",): 9 / 12,
            ("model_prediction_missing_ratio",): 1 / 3,
        }
    )


def test_no_rows() -> None:
    """Of no rows nothing is said."""
    assert published(make_columns(0)) == {}

"""Moments against numpy, where naive formulas fail."""

import warnings

import numpy as np
import pytest

from driftgauge.aggregates.moments import Moment, Moments


def test_large_mean_and_small_spread() -> None:
    """Merged in a hundred parts, a spread a billionth of the mean keeps its variance."""
    values = 1e9 + np.random.default_rng(1).normal(size=10_000)
    merged = Moments.combine(Moments.fold({"x": values}, {}, np.arange(100, 10_001, 100))).columns["x"]

    assert merged.count == 10_000
    assert merged.mean == pytest.approx(values.mean(), rel=1e-12)
    assert merged.variance == pytest.approx(values.var(), rel=1e-6)


def test_columns_are_merged_by_name() -> None:
    """A column that only one part has keeps that part's moments."""
    (one,) = Moments.fold({"y": np.array([1.0, 2.0])}, {}, np.array([2]))
    (other,) = Moments.fold({"x": np.array([7.0])}, {}, np.array([1]))

    for merged in (Moments.combine([one, other]), Moments.combine([other, one])):
        assert merged.columns == {"x": Moment(1, 7.0, 0.0), "y": Moment(2, 1.5, 0.5)}


@pytest.mark.parametrize(
    ("description", "one", "other", "expected"),
    [
        ("two numbers", Moment(1, 2.0, 0.0), Moment(1, 4.0, 0.0), Moment(2, 3.0, 2.0)),
        ("unequal parts", Moment(3, 0.0, 6.0), Moment(1, 4.0, 0.0), Moment(4, 1.0, 18.0)),
        ("nothing on one side", Moment(), Moment(1, 4.0, 0.0), Moment(1, 4.0, 0.0)),
        ("text next to numbers", Moment(1, 4.0, 0.0), Moment(others=2), Moment(1, 4.0, 0.0, others=2)),
        ("text on both sides", Moment(others=1), Moment(1, 4.0, 0.0, others=2), Moment(1, 4.0, 0.0, others=3)),
    ],
)
def test_merge(description: str, one: Moment, other: Moment, expected: Moment) -> None:
    """Counts add; means and deviations follow Chan's formula."""
    assert one.merge(other) == expected, description
    assert other.merge(one) == expected, description


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(Moment(), None), (Moment(others=3), None), (Moment(4, 1.0, 8.0), 2.0), (Moment(1, 5.0, 0.0), 0.0)],
)
def test_variance(moment: Moment, expected: float | None) -> None:
    """The variance is that of the population, and absent without numbers."""
    assert moment.variance == expected


def test_overflow_is_infinite_and_silent() -> None:
    """Values near the largest double give infinite squares without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = Moment.fold(np.array([1e308, -1e308]))
        merged = one.merge(Moment.fold(np.array([1e308])))

    assert one.m2 == np.inf
    assert merged.m2 == np.inf

"""Cells of values, looked up in a table: equal to those that a search finds, whatever the points."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from driftgauge.columns import FloatArray
from driftgauge.lookup import Lookup

Draw = Callable[[np.random.Generator], FloatArray]

SHAPES: dict[str, Draw] = {
    "normal": lambda rng: rng.normal(size=40_000),
    "uniform": lambda rng: rng.random(40_000),
    "large against its spread": lambda rng: 1.7e9 + rng.random(40_000),
    "long tail": lambda rng: rng.lognormal(0, 3, 40_000),
    "long tails on both sides": lambda rng: rng.standard_cauchy(40_000),
    "negative, long tail": lambda rng: -rng.pareto(1.2, 40_000),
    "whole numbers": lambda rng: rng.integers(0, 5000, 40_000).astype(np.float64),
    "two decimals": lambda rng: rng.lognormal(3, 1, 40_000).round(2),
    "one far outlier": lambda rng: np.append(rng.normal(size=40_000), 1e12),
}


def expected(points: FloatArray, values: FloatArray) -> list[int]:
    """Return the cells that a search finds."""
    return (2 * points.searchsorted(values) + np.isin(values, points)).tolist()


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_are_those_of_a_search(shape: str) -> None:
    """Values like the points', the points, their neighbours and values far away are all where a search finds them."""
    rng = np.random.default_rng(1)
    points = np.unique(rng.choice(SHAPES[shape](rng), 2000))
    lookup = Lookup.of(points)
    assert lookup is not None
    near = [np.nextafter(points, -np.inf), points, np.nextafter(points, np.inf)]
    far = [0.0, -0.0, 5e-324, -5e-324, 1e308, -1e308, 1e30, -1e30]
    # More of them than are looked up at a time.
    values = rng.permutation(np.concatenate([SHAPES[shape](rng), *near, far]))

    assert lookup.cells(values).tolist() == expected(points, values)


def test_no_table_is_of_use() -> None:
    """Where most points lie so near to each other that few buckets have them, there is no table."""
    rng = np.random.default_rng(1)
    assert Lookup.of(np.unique(np.concatenate([rng.normal(0, 1e-9, 5000), rng.normal(1000, 1e-9, 5000)]))) is None
    assert Lookup.of(np.array([1.0])) is None


def test_a_negative_zero_is_a_zero() -> None:
    """Both zeros are one number, as a point and as a value."""
    for zero in (0.0, -0.0):
        points = np.sort(np.append(np.random.default_rng(1).lognormal(0, 4, 2000), zero))
        lookup = Lookup.of(points)
        assert lookup is not None
        assert lookup.cells(np.array([0.0, -0.0])).tolist() == [1, 1]
    # In buckets as narrow as these, a negative zero is in one before that of the other.
    tiny = np.arange(5000) * 5e-324
    tiny[0] = -0.0
    narrow = Lookup.of(tiny)
    assert narrow is not None
    assert narrow.cells(np.array([0.0, -0.0, 5e-324])).tolist() == [1, 1, 3]


def test_points_far_beyond_the_buckets() -> None:
    """Points so far out that no integer holds their bucket are in the last one or the first, and counted there."""
    far = np.array([1e200, 1e250, 1e300])
    points = np.concatenate([-far[::-1], np.sort(np.random.default_rng(1).normal(size=2000)), far])
    lookup = Lookup.of(points)
    assert lookup is not None
    values = np.concatenate([points, points / 2, [0.0, 1e-300, 2e200, -2e200, 1e308]])

    assert lookup.cells(values).tolist() == expected(points, values)


@given(
    arrays(np.float64, st.integers(2, 60), elements=st.floats(-1e300, 1e300), unique=True),
    arrays(np.float64, st.integers(0, 40), elements=st.floats(allow_nan=False, allow_infinity=False)),
)
def test_any_points(points: FloatArray, values: FloatArray) -> None:
    """Whatever points a table is made of, it finds what a search finds."""
    points = np.unique(points)
    lookup = Lookup.of(points)
    values = np.concatenate([values, points])

    assert lookup is None or lookup.cells(values).tolist() == expected(points, values)


@pytest.mark.parametrize(
    ("shape", "most"), [("normal", 0.01), ("uniform", 0.01), ("long tail", 0.01), ("long tails on both sides", 0.2)]
)
def test_values_that_spread_like_the_points_are_seldom_searched_for(shape: str, most: float) -> None:
    """A table is for speed: few values like the points' lie more than a point further than their bucket says."""
    rng = np.random.default_rng(1)
    points = np.quantile(SHAPES[shape](rng), np.linspace(0, 1, 4000))
    lookup = Lookup.of(points)
    assert lookup is not None
    values = SHAPES[shape](rng)

    further = points.searchsorted(values) - lookup.before[lookup.buckets.of(values)]

    assert further.min() >= 0
    assert np.mean(further > 1) <= most

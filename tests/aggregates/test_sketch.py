"""The value sketch: exact while values are few, bounded when they are many, and ordered always."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from driftgauge.aggregates.latency import LIMIT as LATENCY_LIMIT
from driftgauge.aggregates.sketch import ValueSketch

TINY = 5e-324
BELOW_ONE, ABOVE_ONE = float(np.nextafter(1, 0)), float(np.nextafter(1, 2))
SAMPLE = 50_000
SEED = 20260105

unit = st.floats(0, 1)
real = st.floats(-1e150, 1e150)


def sketch(*values: float, limit: int = 64) -> ValueSketch:
    """Sketch values of one group."""
    return ValueSketch.fold(np.array(values), limit=limit)


def key(value: float) -> int:
    """Return the key of a single value."""
    return int(sketch(value).keys[0])


@given(values=st.lists(real, min_size=1, max_size=40), q=unit)
def test_quantiles_of_few_values(values: list[float], q: float) -> None:
    """Up to `limit` distinct values, quantiles are numpy's to the last bits."""
    expected = np.quantile(values, q)
    scale = float(np.abs(values).max())

    assert sketch(*values).quantile(q) == pytest.approx(expected, rel=1e-13, abs=1e-15 * scale)


@given(value=unit)
def test_values_of_the_unit_interval_are_kept_exactly(value: float) -> None:
    """A probability comes back bit for bit, denormal or next to 1."""
    assert sketch(value).quantile(0.5) == value


@given(low=real, high=real)
def test_keys_keep_the_order(low: float, high: float) -> None:
    """A larger value never has a smaller key."""
    assume(low < high)

    assert key(low) <= key(high)


@given(low=unit, high=unit)
def test_keys_tell_probabilities_apart(low: float, high: float) -> None:
    """In [0, 1] every two doubles have different keys."""
    assume(low < high)

    assert key(low) < key(high)


def test_keys_at_the_seams() -> None:
    """Keys increase over every boundary at which their formula changes."""
    half = float(np.nextafter(0.5, 0)), 0.5, float(np.nextafter(0.5, 1))
    ascending = [-1e300, -2.0, -1.0, -1e-300, 0.0, TINY, 1e-300, 0.25, *half, 0.75, BELOW_ONE, 1.0]
    above = [1 + 2**-50, 1.5, 2.0, 4.0, 1e9, 1e300]

    keys = [key(value) for value in [*ascending, *above]]

    assert keys == sorted(set(keys))


def test_both_zeros_are_one_value() -> None:
    """-0.0 and 0.0 compare equal, so they share a key."""
    assert sketch(-0.0, 0.0).counts.tolist() == [[2]]


def test_neighbours_outside_the_unit_interval_differ_by_a_bit() -> None:
    """Where a bit is lost, the value that comes back is off by no more than it."""
    for value in (-TINY, ABOVE_ONE, -1e-310, 3.7, -3.7, 1e16 + 2):
        assert sketch(value).quantile(0) == pytest.approx(value, rel=2**-51, abs=TINY)


LATENCIES = {
    "uniform": lambda rng: rng.uniform(0.001, 0.2, SAMPLE),
    "lognormal": lambda rng: rng.lognormal(-3, 1, SAMPLE),
    "six powers of ten": lambda rng: 10 ** rng.uniform(-4, 2, SAMPLE),
    "around one second": lambda rng: np.abs(rng.normal(1, 0.1, SAMPLE)),
}


@pytest.mark.parametrize("name", LATENCIES)
def test_error_of_collapsed_latencies(name: str) -> None:
    """Quantiles of very many latencies are within 2 %."""
    values = LATENCIES[name](np.random.default_rng(SEED))
    collapsed = sketch(*values, limit=LATENCY_LIMIT)

    assert collapsed.level > 0
    for q in (0, 0.01, 0.5, 0.9, 0.99, 1):
        assert collapsed.quantile(q) == pytest.approx(np.quantile(values, q), rel=0.02)


def test_collapses_no_further_than_needed() -> None:
    """The level is the smallest at which the cells fit the limit."""
    values = np.random.default_rng(SEED).normal(size=1000)
    full = sketch(*values, limit=1000)
    collapsed = sketch(*values, limit=50)

    assert full.level == 0
    assert len(collapsed.keys) <= 50 < len(np.unique(full.keys >> (collapsed.level - 1)))
    assert np.array_equal(collapsed.keys, np.unique(full.keys >> collapsed.level))
    assert collapsed.total == 1000


def test_groups_are_counted_apart() -> None:
    """Each value is counted in the column of its group."""
    found = ValueSketch.fold(np.array([0.2, 0.2, 0.1]), np.array([0, 1, 1]), groups=3, limit=8)

    assert found.counts.tolist() == [[0, 1, 0], [1, 1, 0]]
    assert found.total == 3


def test_nothing_has_no_quantile() -> None:
    """Without values there is no quantile to tell."""
    assert sketch().quantile(0.5) is None
    assert ValueSketch.empty(groups=2, limit=8).counts.shape == (0, 2)

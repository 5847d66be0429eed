"""Columns that are compared in fewer bits: scipy on both sides in that precision is the oracle."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from data_builders import compared, features
from driftgauge.columns import Columns, Facts, FloatArray
from driftgauge.drift import ColumnDrift

KINDS = {16: np.float16, 32: np.float32, 64: np.float64}
RNG = np.random.default_rng(17)


def column(values: FloatArray, bits: int) -> Columns:
    """Return a column as a file of floats of so many bits has it."""
    rows = features(x=values.astype(KINDS[bits]).astype(np.float64))
    return replace(rows, facts=Facts(precision={"x": bits} if bits < 64 else {}))


def drift_of(reference: Columns, window: Columns) -> ColumnDrift:
    """Compare them."""
    return compared(reference, window)["x"]


@pytest.mark.parametrize(
    ("description", "values"),
    [
        ("prices", np.array([0.99, 4.99, 9.99, 19.99, 49.99, 99.9])),
        ("many values", RNG.normal(size=700)),
        ("large whole numbers, of which several become one", np.arange(300) + 2.0**28),
    ],
)
@pytest.mark.parametrize(("known", "seen"), [(32, 64), (64, 32), (16, 64), (64, 16), (32, 16), (16, 32), (32, 32)])
def test_ks_in_the_precision_of_both(description: str, values: FloatArray, known: int, seen: int) -> None:
    """The distance is scipy's of both sides in the fewer bits, to the last one."""
    rng = np.random.default_rng(5)
    reference, window = rng.choice(values, 900), rng.choice(values, 400) + (rng.random(400) < 0.1)
    bits = KINDS[min(known, seen)]
    largest = float(np.finfo(bits).max)
    both = [np.clip(side, -largest, largest).astype(bits).astype(np.float64) for side in (reference, window)]
    with np.errstate(over="ignore"):
        found = drift_of(
            column(np.clip(reference, -largest, largest), known), column(np.clip(window, -largest, largest), seen)
        )
    if len(np.unique(both[0])) > 1:
        assert found.statistics["ks_statistic"] == pytest.approx(ks_2samp(*both).statistic, abs=1e-12), description


@pytest.mark.parametrize("grid", [100, 10_000])
def test_wasserstein_where_points_become_one(grid: int) -> None:
    """Also of a reference with more values than its grid has points."""
    rng = np.random.default_rng(6)
    reference, window = rng.normal(50, 5, 4_000), rng.normal(52, 5, 1_000)
    found = compared(column(reference, 64), column(window, 16), grid=grid)["x"]
    both = [side.astype(np.float16).astype(np.float64) for side in (reference, window)]
    expected = wasserstein_distance(*both) / both[0].std()
    assert found.statistics["wasserstein_distance"] == pytest.approx(expected, rel=5e-3)
    assert found.statistics["ks_statistic"] == pytest.approx(ks_2samp(*both).statistic, abs=1 / grid)
    assert found.outliers == pytest.approx(compared(column(reference, 64), column(window, 64))["x"].outliers, abs=2)


def test_doubles_stay_doubles() -> None:
    """Without a column of fewer bits nothing is rounded."""
    reference, window = np.array([1.0, 1.0 + 1e-12] * 50), np.array([1.0] * 100)
    assert drift_of(column(reference, 64), column(window, 64)).statistics["ks_statistic"] == pytest.approx(0.5)

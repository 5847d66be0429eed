"""P-values of large samples, with scipy as the oracle; those of small ones are in test_drift.py."""

import numpy as np
import pytest
from scipy import stats

from driftgauge.kolmogorov import asymptotic_pvalue


@pytest.mark.parametrize("n", [1_000, 1_777, 10_000, 99_999, 250_000])
@pytest.mark.parametrize("scaled", [0.5, 2.19, 2.21, 3, 10, 30, 100, 300])
def test_pvalue_of_large_samples(n: int, scaled: float) -> None:
    """The quick p-value equals scipy's on both sides of the border where it takes over."""
    distance = float(np.sqrt(scaled / n))
    assert asymptotic_pvalue(n, distance) == pytest.approx(float(stats.kstwo.sf(distance, n)), rel=1e-10)


@pytest.mark.parametrize("n", [11, 140, 155, 700, 999, 1500, 4999, 5000, 30_000])
def test_pvalue_of_any_distance(n: int) -> None:
    """From distances so small that they never occur to ones that are never exceeded."""
    distances = np.array([0.4 / n, 0.9 / n, 1.1 / n, *(z / np.sqrt(n) for z in np.linspace(0.1, 4, 60)), 0.499, 0.5, 1])
    distances = distances[distances <= 1]

    found = [asymptotic_pvalue(n, distance) for distance in distances.tolist()]

    assert found == pytest.approx(np.clip(stats.kstwo.sf(distances, n), 0, 1), rel=1e-9, abs=1e-300)

"""Prometheus buckets."""

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram

from driftgauge.aggregates.buckets import Buckets


@pytest.mark.parametrize(
    ("description", "values", "counts", "total"),
    [
        ("a bound belongs to the bucket it closes", [0.1, 0.5], [1, 1, 0], 0.6),
        ("above every bound", [0.6, 100.0], [0, 0, 2], 100.6),
        ("zero and below", [0.0, -1.0], [2, 0, 0], -1.0),
        ("what is no number is no value", [np.nan, np.inf, -np.inf, 0.2], [0, 1, 0], 0.2),
        ("nothing", [], [0, 0, 0], 0.0),
    ],
)
def test_fold(description: str, values: list[float], counts: list[int], total: float) -> None:
    """Each value is counted once, in the first bucket whose bound it does not exceed."""
    found = Buckets.fold(np.array(values, dtype=np.float64), (0.1, 0.5))

    assert found.counts.tolist() == counts, description
    assert found.sum == pytest.approx(total)
    assert found.total == sum(counts)


def test_agrees_with_prometheus_client() -> None:
    """Cumulated, the counts are those of the client library's own histogram."""
    values = np.random.default_rng(1).choice([0.05, 0.1, 0.3, 0.5, 2.0], 500)
    registry = CollectorRegistry()
    oracle = Histogram("h", "help", buckets=(0.1, 0.5), registry=registry)
    for value in values:
        oracle.observe(value)

    found = Buckets.fold(values, (0.1, 0.5))

    expected = [registry.get_sample_value("h_bucket", {"le": le}) for le in ("0.1", "0.5", "+Inf")]
    assert expected == np.cumsum(found.counts).tolist()
    assert registry.get_sample_value("h_sum") == pytest.approx(found.sum)

"""Latencies and failures of groups of rows."""

import numpy as np
import pytest

from driftgauge.aggregates.latency import LIMIT, Latency

NAN = float("nan")


def test_groups() -> None:
    """Each group has its own rows, failures and seconds; what is not finite is unknown."""
    seconds = np.array([0.5, NAN, 0.1, np.inf, 2.0])
    failed = np.array([True, False, False, True, True])

    first, second = Latency.fold(seconds, failed, np.array([3, 5]))

    assert [(one.rows, one.failed, one.buckets.total) for one in (first, second)] == [(3, 1, 2), (2, 2, 1)]
    assert first.sketch.quantile(0.5) == pytest.approx(0.3)
    assert second.buckets.sum == 2.0


def test_many_latencies() -> None:
    """A million latencies over six powers of ten take a bounded sketch, with quantiles within 2 %."""
    seconds = 10 ** np.random.default_rng(1).uniform(-4, 2, 1_000_000)
    (found,) = Latency.fold(seconds, np.zeros(len(seconds), np.bool_), np.array([len(seconds)]))

    assert len(found.sketch.keys) <= LIMIT
    for q in (0.5, 0.9, 0.99):
        assert found.sketch.quantile(q) == pytest.approx(np.quantile(seconds, q), rel=0.02)

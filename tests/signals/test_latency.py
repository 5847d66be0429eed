"""Latency and failures, as a signal publishes them."""

import numpy as np
import pytest

from data_builders import make_columns
from driftgauge.aggregates.latency import Latency
from driftgauge.families import LATENCY_BUCKETS
from driftgauge.samples import HistogramSample, Sample
from driftgauge.signals.latency import FittedLatency, values

NAN = float("nan")


def test_values() -> None:
    """The share of failures, a histogram, and the quantiles that numpy finds."""
    seconds = [0.01, NAN, 0.03, 0.02, 0.9]
    (folded,) = FittedLatency().fold(
        make_columns(5, latency=seconds, failed=[True, False, False, True, False]), np.array([5])
    )

    found = values(folded, FittedLatency())

    assert found["model_error_ratio"] == [Sample((), 0.4)]
    (histogram,) = found["model_window_latency_seconds"]
    assert isinstance(histogram, HistogramSample)
    assert (histogram.labels, histogram.bounds, sum(histogram.counts)) == ((), LATENCY_BUCKETS, 4)
    assert histogram.sum == pytest.approx(0.96)
    quantiles = {one.labels: one.value for one in found["model_latency_quantile_seconds"] if isinstance(one, Sample)}
    assert quantiles == pytest.approx({(str(q),): np.nanquantile(seconds, q) for q in (0.5, 0.9, 0.99)})


def test_unknown_latencies() -> None:
    """Rows without a latency have an error ratio and no quantiles; of no rows nothing is said."""
    (unknown,) = FittedLatency().fold(make_columns(2), np.array([2]))

    assert values(unknown, FittedLatency()) == {"model_error_ratio": [Sample((), 0.0)]}
    assert values(Latency.empty(), FittedLatency()) == {}

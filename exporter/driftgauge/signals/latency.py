"""Latency and failures of requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.aggregates.latency import Latency
from driftgauge.columns import Columns, IntArray
from driftgauge.samples import HistogramSample, Sample, Samples
from driftgauge.signals.signal import Signal

QUANTILES: Final = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class FittedLatency:
    """Nothing has to be known before."""

    fingerprint: str = "1"

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Latency]:
        """Summarise the latencies and failures of each group."""
        return Latency.fold(rows.latency, rows.failed, ends)


def values(latency: Latency, _: FittedLatency) -> Samples:
    """Return the share of failed requests, the histogram of seconds, and quantiles as `numpy.quantile` has them."""
    if not latency.rows:
        return {}
    found: dict[str, list[Sample | HistogramSample]] = {
        "model_error_ratio": [Sample((), latency.failed / latency.rows)]
    }
    if latency.buckets.total:
        counts = tuple(float(count) for count in latency.buckets.counts)
        histogram = HistogramSample((), latency.buckets.bounds, counts, latency.buckets.sum)
        quantiles = [(str(q), latency.sketch.quantile(q)) for q in QUANTILES]
        found["model_window_latency_seconds"] = [histogram]
        found["model_latency_quantile_seconds"] = [
            Sample((q,), seconds) for q, seconds in quantiles if seconds is not None
        ]
    return found


SIGNAL: Final = Signal("latency", "predictions", Latency, lambda _: FittedLatency(), values)

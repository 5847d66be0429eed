"""A snapshot as prometheus_client would expose it: the oracle for our own writer, and what it is measured against."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from driftgauge.families import FAMILIES, Family, FamilyType
from driftgauge.samples import HistogramSample, Sample, Samples

# prometheus_client names a family without the suffix that its samples carry.
_SAMPLE_SUFFIX: Final[Mapping[FamilyType, str]] = {"counter": "_total", "info": "_info"}
_COUNT_AND_SUM: Final[Mapping[FamilyType, tuple[str, str]]] = {
    "histogram": ("_count", "_sum"),
    "gaugehistogram": ("_gcount", "_gsum"),
}


class SnapshotCollector(Collector):
    """A prometheus_client collector over samples that never change: families in table order, series by labels."""

    def __init__(self, samples: Samples) -> None:
        self._metrics = tuple(_metric(family, samples[name]) for name, family in FAMILIES.items() if samples.get(name))

    def collect(self) -> Iterable[Metric]:
        """Return the families that have samples."""
        return self._metrics


def _metric(family: Family, series: Sequence[Sample | HistogramSample]) -> Metric:
    suffix = _SAMPLE_SUFFIX.get(family.type, "")
    metric = Metric(family.name.removesuffix(suffix), family.help, family.type)
    for sample in sorted(series, key=lambda sample: (sample.labels, sample.segment)):
        labels = dict(zip(family.labels, sample.labels, strict=True))
        if sample.segment:
            labels["segment"] = sample.segment
        if isinstance(sample, HistogramSample):
            _add_histogram(metric, family, sample, labels)
        else:
            metric.add_sample(family.name, labels, sample.value)
    return metric


def _add_histogram(metric: Metric, family: Family, sample: HistogramSample, labels: dict[str, str]) -> None:
    total = 0.0
    for bound, count in zip((*sample.bounds, math.inf), sample.counts, strict=True):
        total += count
        metric.add_sample(f"{family.name}_bucket", {**labels, "le": floatToGoString(bound)}, total)
    count_suffix, sum_suffix = _COUNT_AND_SUM[family.type]
    metric.add_sample(family.name + count_suffix, labels, total)
    metric.add_sample(family.name + sum_suffix, labels, sample.sum)

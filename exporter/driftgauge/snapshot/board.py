"""Where samples are collected; what is returned may be rendered without further checks."""

from dataclasses import dataclass, replace
from math import isfinite

from driftgauge.aggregates.buckets import Buckets
from driftgauge.samples import HistogramSample, Sample, Samples
from driftgauge.segments import ALL_ROWS


@dataclass(frozen=True, slots=True)
class Board:
    """Collects samples under a fixed prefix of label values, about one segment; drops what is None or not finite."""

    samples: dict[str, list[Sample | HistogramSample]]
    prefix: tuple[str, ...]
    segment: str = ALL_ROWS

    def under(self, *labels: str) -> "Board":
        """Return a board for the same samples with more labels in the prefix."""
        return replace(self, prefix=(*self.prefix, *labels))

    def put(self, family: str, value: float | None, *labels: str) -> None:
        """Add one sample."""
        if value is not None and isfinite(value):
            sample = Sample((*self.prefix, *labels), float(value), self.segment)
            self.samples.setdefault(family, []).append(sample)

    def add(self, samples: Samples) -> None:
        """Add samples as they are, prefix included."""
        for family, found in samples.items():
            self.samples.setdefault(family, []).extend(found)

    def take(self, samples: Samples) -> None:
        """Add samples whose labels are those after the prefix."""
        for family, found in samples.items():
            for sample in found:
                if isinstance(sample, Sample):
                    self.put(family, sample.value, *sample.labels)
                else:
                    found_here = replace(sample, labels=(*self.prefix, *sample.labels), segment=self.segment)
                    self.samples.setdefault(family, []).append(found_here)

    def histogram(self, family: str, buckets: Buckets) -> None:
        """Add a histogram that has values."""
        if buckets.total:
            counts = tuple(float(count) for count in buckets.counts)
            self.samples.setdefault(family, []).append(
                HistogramSample(self.prefix, buckets.bounds, counts, buckets.sum, self.segment)
            )

"""The values that a snapshot gives to the collector, by metric family; which there are, `families` says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One finite number, with label values in the order of its family's `labels`.

    segment: the rows that it is about, "" for all of them; only of a family that is `segmented`.
    """

    labels: tuple[str, ...]
    value: float
    segment: str = ""

    @property
    def series(self) -> int:
        """It is one series."""
        return 1


@dataclass(frozen=True, slots=True)
class HistogramSample:
    """One distribution.

    bounds: (k,) finite upper bounds, increasing, inclusive. sum: of the observed values.
    counts: (k + 1,) observations per bucket, NOT cumulative; the last one holds what is above every bound.
    """

    labels: tuple[str, ...]
    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    sum: float
    segment: str = ""

    @property
    def series(self) -> int:
        """Series that it takes: buckets, the last of them unbounded, and count and sum."""
        return len(self.counts) + 2


Samples = Mapping[str, Sequence[Sample | HistogramSample]]

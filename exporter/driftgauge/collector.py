"""From the samples of a snapshot to the bytes of `/metrics`.

Both exposition formats, Prometheus text 0.0.4 and OpenMetrics 1.0, are written here once per refresh, with their gzip
twins, so that a scrape copies bytes and computes nothing. Only the families about this very process (`process_*`,
`python_*`) are read at the scrape: they are few, and stale ones would be wrong. prometheus_client does the escaping and
the number formats; this module knows no HTTP and no statistics.

A gauge histogram is `gaugehistogram` in OpenMetrics. Text 0.0.4 has no such type: there it is written the way
prometheus_client does, a `histogram` with buckets only, then `_gcount` and `_gsum` as gauges of their own. So both
formats expose the same series names, `histogram_quantile()` works on either, and `promtool check metrics` is content.
Window quantiles are a `summary` without sum and count, because promtool rejects a label `quantile` on anything else.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from gzip import compress
from typing import Final

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from driftgauge.families import FAMILIES, Family, FamilyType, HistogramSample, Sample, Samples

# Go's default; Python's own, 9, takes longer for the same size.
_GZIP_LEVEL: Final = 6
_END: Final = b"# EOF\n"
# prometheus_client names a family without the suffix that its samples carry.
_SAMPLE_SUFFIX: Final[Mapping[FamilyType, str]] = {"counter": "_total", "info": "_info"}
_COUNT_AND_SUM: Final[Mapping[FamilyType, tuple[str, str]]] = {
    "histogram": ("_count", "_sum"),
    "gaugehistogram": ("_gcount", "_gsum"),
}
_write_text: Callable[[Collector], bytes] = generate_latest
_write_openmetrics: Callable[[Collector], bytes] = exposition.generate_latest
_go_float: Callable[[float], str] = floatToGoString


@dataclass(frozen=True, slots=True)
class Page:
    """One rendered snapshot, ready to send in either format, plain or compressed."""

    text: bytes
    openmetrics: bytes
    text_gzip: bytes
    openmetrics_gzip: bytes

    def body(self, *, openmetrics: bool, gzip: bool) -> bytes:
        """Return the page in the wanted format; an OpenMetrics page ends with its `# EOF`."""
        if openmetrics:
            return self.openmetrics_gzip if gzip else self.openmetrics
        return self.text_gzip if gzip else self.text


class SnapshotCollector(Collector):
    """A prometheus_client collector over samples that never change: families in table order, series by labels."""

    def __init__(self, samples: Samples) -> None:
        self._metrics = tuple(_metric(family, samples[name]) for name, family in FAMILIES.items() if samples.get(name))

    def describe(self) -> Iterator[Metric]:
        """Name every family without collecting, so that registering costs nothing and clashes are found."""
        return (_metric(family, ()) for family in FAMILIES.values())

    def collect(self) -> Iterable[Metric]:
        """Return the families that have samples."""
        return self._metrics


class ProcessMetrics:
    """The families about this process and its interpreter, read anew for each scrape."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def head(self, *, openmetrics: bool) -> bytes:
        """Return the families as they stand now, without an OpenMetrics end mark: a page follows."""
        if openmetrics:
            return _write_openmetrics(self._registry).removesuffix(_END)
        return _write_text(self._registry)


def render(samples: Samples) -> Page:
    """Write one snapshot in both formats. Raise ValueError as `validate` does."""
    validate(samples)
    collector = SnapshotCollector(samples)
    text, openmetrics = _write_text(collector), _write_openmetrics(collector)
    return Page(
        text=text,
        openmetrics=openmetrics,
        text_gzip=compress(text, _GZIP_LEVEL, mtime=0),
        openmetrics_gzip=compress(openmetrics, _GZIP_LEVEL, mtime=0),
    )


def compose(page: Page, process: ProcessMetrics, *, openmetrics: bool, gzip: bool) -> bytes:
    """Return what one scrape gets: the process families, then the page.

    Compressed, these are two gzip members one after the other, which RFC 1952 defines as one stream: the large page
    is not compressed again.
    """
    head = process.head(openmetrics=openmetrics)
    body = page.body(openmetrics=openmetrics, gzip=gzip)
    return (compress(head, _GZIP_LEVEL) if gzip else head) + body


def validate(samples: Samples) -> None:
    """Raise ValueError, naming family and series, where one bad sample would spoil a whole scrape.

    Refused are unknown families, a wrong number of labels, text that is not UTF-8, duplicate series, numbers that are
    not finite, and whatever the family's type forbids. Each is a programming error, not bad input: what cannot be
    computed is left out of the snapshot.
    """
    for name, series in samples.items():
        family = FAMILIES.get(name)
        if family is None:
            raise ValueError(f"{name}: no such family in driftgauge.families")
        seen: set[tuple[str, ...]] = set()
        for sample in series:
            mistake = _label_mistake(family, sample.labels, seen) or _value_mistake(family, sample)
            if mistake:
                raise ValueError(f"{name}{sample.labels}: {mistake}")
            seen.add(sample.labels)


def _label_mistake(family: Family, values: tuple[str, ...], seen: set[tuple[str, ...]]) -> str | None:
    if len(values) != len(family.labels):
        return f"expected the labels {family.labels}"
    if values in seen:
        return "duplicate series"
    if not all(isinstance(value, str) and (value.isascii() or _is_utf8(value)) for value in values):
        return "label values must be text that UTF-8 can encode"
    return None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _value_mistake(family: Family, sample: Sample | HistogramSample) -> str | None:
    if isinstance(sample, HistogramSample):
        return _histogram_mistake(family, sample)
    if family.type in _COUNT_AND_SUM:
        return f"a {family.type} needs a HistogramSample"
    if not math.isfinite(sample.value):
        return f"{sample.value} is not a finite number"
    if family.type == "counter" and sample.value < 0:
        return "a counter cannot be negative"
    if family.type == "info" and sample.value != 1:
        return "an info metric is always 1"
    return None


def _histogram_mistake(family: Family, sample: HistogramSample) -> str | None:
    if family.type not in _COUNT_AND_SUM:
        return f"a {family.type} cannot hold a HistogramSample"
    if len(sample.counts) != len(sample.bounds) + 1:
        return f"{len(sample.bounds)} bounds need {len(sample.bounds) + 1} counts, not {len(sample.counts)}"
    if not all(map(math.isfinite, (*sample.bounds, *sample.counts, sample.sum))):
        return "bounds, counts and sum must be finite numbers"
    if any(low >= high for low, high in itertools.pairwise(sample.bounds)):
        return "bounds must increase"
    if min(sample.counts) < 0:
        return "counts cannot be negative"
    return None


def _metric(family: Family, series: Sequence[Sample | HistogramSample]) -> Metric:
    suffix = _SAMPLE_SUFFIX.get(family.type, "")
    metric = Metric(family.name.removesuffix(suffix), family.help, family.type)
    for sample in sorted(series, key=lambda sample: sample.labels):
        labels = dict(zip(family.labels, sample.labels, strict=True))
        if isinstance(sample, HistogramSample):
            _add_histogram(metric, family, sample, labels)
        else:
            metric.add_sample(family.name, labels, sample.value)
    return metric


def _add_histogram(metric: Metric, family: Family, sample: HistogramSample, labels: dict[str, str]) -> None:
    total = 0.0
    for bound, count in zip((*sample.bounds, math.inf), sample.counts, strict=True):
        total += count
        metric.add_sample(f"{family.name}_bucket", {**labels, "le": _go_float(bound)}, total)
    count_suffix, sum_suffix = _COUNT_AND_SUM[family.type]
    metric.add_sample(family.name + count_suffix, labels, total)
    metric.add_sample(family.name + sum_suffix, labels, sample.sum)

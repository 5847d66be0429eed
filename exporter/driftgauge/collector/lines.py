"""Families with their samples as lines of text 0.0.4 and of OpenMetrics 1.0.

Byte for byte what prometheus_client writes for the same families, at a tenth of its time: most lines are the same in
both formats and are written once, and the text of a series' labels is made once for all families that have it.
prometheus_client still writes the headers and defines the number format; a test holds the two together.

A gauge histogram is `gaugehistogram` in OpenMetrics. Text 0.0.4 has no such type: there it is written the way
prometheus_client does, a `histogram` with buckets only, then `_gcount` and `_gsum` as gauges of their own. So both
formats expose the same series names, `histogram_quantile()` works on either, and `promtool check metrics` is content.
Window quantiles are a `summary` without sum and count, because promtool rejects a label `quantile` on anything else.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from operator import attrgetter
from typing import Any, Final

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from driftgauge.families import FAMILIES, Family
from driftgauge.hiding import known
from driftgauge.redaction import Secrets
from driftgauge.samples import HistogramSample, Samples

END: Final = b"# EOF\n"
# prometheus_client names a family without the suffix that its samples carry.
_SAMPLE_SUFFIX: Final[Mapping[str, str]] = {"counter": "_total", "info": "_info"}
# Go, and so prometheus_client, switches to an exponent here; below, Python writes the same digits.
_FIRST_EXPONENT: Final = 1e6
write_text: Callable[[Collector], bytes] = generate_latest
write_openmetrics: Callable[[Collector], bytes] = exposition.generate_latest
_go_float: Callable[[float], str] = floatToGoString
_order: Callable[[Any], tuple[tuple[str, ...], str]] = attrgetter("labels", "segment")


@dataclass(frozen=True, slots=True)
class PageSection:
    """One family in both formats, each in pieces; a piece that both have is one and the same object."""

    name: str
    text: tuple[bytes, ...]
    openmetrics: tuple[bytes, ...]


def sections(samples: Samples) -> Iterator[PageSection]:
    """Yield the families that have samples in table order, the series of each ordered by labels, then by segment."""
    wordings: dict[tuple[str, ...], _Wording] = {}
    shown = _Shown(_secrets_in(samples))
    for name, family in FAMILIES.items():
        series = sorted(samples.get(name, ()), key=_order)
        if not series:
            continue
        histograms = [sample for sample in series if isinstance(sample, HistogramSample)]
        if not histograms:
            yield _numbers(family, series, wordings.setdefault(family.labels, _Wording(family.labels, shown)))
        elif family.type == "gaugehistogram":
            yield _gauge_histograms(family, histograms, shown)
        else:
            yield _histograms(family, histograms, shown)


def _secrets_in(samples: Samples) -> Secrets:
    """Return what is secret, nothing where no label has any: one search costs less than one in each label."""
    secrets = known()
    if not secrets:
        return secrets
    values = {value for series in samples.values() for sample in series for value in (sample.segment, *sample.labels)}
    text = "\n".join(values)
    return Secrets() if secrets.hide_known(text) == text else secrets


class _Shown(dict[str, str]):
    """Label value -> how it is written: escaped, and without what is secret; made on first use."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def __missing__(self, value: str) -> str:
        shown = self._secrets.label(value)
        self[value] = found = shown.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        return found


class _Wording(dict[tuple[str, ...], str]):
    """Label values, the segment's first -> how they are written under these names, braces included; made on first use.

    The segment is left out where it is empty.
    """

    def __init__(self, names: tuple[str, ...], shown: _Shown) -> None:
        super().__init__()
        self._names = ("segment", *names)
        self._shown = shown

    def __missing__(self, values: tuple[str, ...]) -> str:
        named = sorted(zip(self._names, values, strict=True))
        if not values[0]:
            named.remove(("segment", ""))
        written = ",".join(f'{name}="{self._shown[value]}"' for name, value in named)
        self[values] = found = f"{{{written}}}" if named else ""
        return found


def _number(value: float) -> str:
    number = float(value)
    return repr(number) if number < _FIRST_EXPONENT else _go_float(number)


def _numbers(family: Family, series: Iterable[Any], wording: _Wording) -> PageSection:
    name = family.name
    lines = "".join(
        [f"{name}{wording[sample.segment, *sample.labels]} {_number(sample.value)}\n" for sample in series]
    ).encode()
    text, openmetrics = _heads(_base_name(family), family.help, family.type)
    return PageSection(name, (text, lines), (openmetrics, lines))


def _histograms(family: Family, series: Sequence[HistogramSample], shown: _Shown) -> PageSection:
    buckets, counts, sums = _distribution(family, series, ("_count", "_sum"), shown)
    lines = b"".join(map(b"".join, zip(buckets, counts, sums, strict=True)))
    text, openmetrics = _heads(family.name, family.help, family.type)
    return PageSection(family.name, (text, lines), (openmetrics, lines))


def _gauge_histograms(family: Family, series: Sequence[HistogramSample], shown: _Shown) -> PageSection:
    buckets, counts, sums = _distribution(family, series, ("_gcount", "_gsum"), shown)
    text, openmetrics = _heads(family.name, family.help, family.type)
    of_counts, _ = _heads(f"{family.name}_gcount", family.help, "gauge")
    of_sums, _ = _heads(f"{family.name}_gsum", family.help, "gauge")
    return PageSection(
        family.name,
        (text, *buckets, of_counts, *counts, of_sums, *sums),
        (openmetrics, *map(b"".join, zip(buckets, counts, sums, strict=True))),
    )


def _distribution(
    family: Family, series: Sequence[HistogramSample], suffixes: tuple[str, str], shown: _Shown
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Return for each series its bucket lines, the line of its count and the line of its sum."""
    plain, bucket = _Wording(family.labels, shown), _Wording((*family.labels, "le"), shown)
    count, total = suffixes
    buckets, counts, sums = [], [], []
    for sample in series:
        totals = list(accumulate(map(float, sample.counts)))
        bounds = zip(map(_go_float, (*sample.bounds, math.inf)), totals, strict=True)
        labels = sample.segment, *sample.labels
        lines = [f"{family.name}_bucket{bucket[*labels, le]} {_number(many)}\n" for le, many in bounds]
        buckets.append("".join(lines).encode())
        counts.append(f"{family.name}{count}{plain[labels]} {_number(totals[-1])}\n".encode())
        sums.append(f"{family.name}{total}{plain[labels]} {_number(sample.sum)}\n".encode())
    return buckets, counts, sums


def _base_name(family: Family) -> str:
    return family.name.removesuffix(_SAMPLE_SUFFIX.get(family.type, ""))


@cache
def _heads(name: str, documentation: str, kind: str) -> tuple[bytes, bytes]:
    """Return the HELP and TYPE lines in text 0.0.4 and in OpenMetrics."""
    only = Listed([Metric(name, documentation, kind)])
    return write_text(only), write_openmetrics(only).removesuffix(END)


class Listed(Collector):
    """A collector of given metrics."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._metrics


def exposed_name(metric: Metric) -> str:
    """Return the name of a metric's family as text 0.0.4 has it."""
    return f"{metric.name}{_SAMPLE_SUFFIX.get(metric.type, '')}"


__all__ = ["END", "Listed", "PageSection", "exposed_name", "sections", "write_openmetrics", "write_text"]

"""What would spoil a whole scrape is refused before it is rendered, with family and series in the message."""

import itertools
import math
from typing import Final

from driftgauge.families import FAMILIES, Family, FamilyType
from driftgauge.samples import HistogramSample, Sample, Samples

_DISTRIBUTIONS: Final[frozenset[FamilyType]] = frozenset({"histogram", "gaugehistogram"})


def validate(samples: Samples) -> None:
    """Raise ValueError, naming family and series, where one bad sample would spoil a whole scrape.

    Refused are unknown families, a wrong number of labels, text that is not UTF-8, duplicate series, numbers that are
    not finite, and whatever the family's type forbids. Each is a programming error, not bad input: what cannot be
    computed is left out of the snapshot.
    """
    legible: set[tuple[str, ...]] = set()
    for name, series in samples.items():
        family = FAMILIES.get(name)
        if family is None:
            raise ValueError(f"{name}: no such family in driftgauge.families")
        seen: set[tuple[str, ...]] = set()
        for sample in series:
            labels = (*sample.labels, sample.segment)
            mistake = _label_mistake(family, labels, seen, legible) or _value_mistake(family, sample)
            if mistake:
                raise ValueError(f"{name}{labels if sample.segment else sample.labels}: {mistake}")
            seen.add(labels)


def _label_mistake(
    family: Family, values: tuple[str, ...], seen: set[tuple[str, ...]], legible: set[tuple[str, ...]]
) -> str | None:
    """Return what is wrong with the values of the family's labels, the segment's last."""
    if len(values) != len(family.labels) + 1:
        return f"expected the labels {family.labels}"
    if values[-1] and not family.segmented:
        return "the family has no segments"
    if values in seen:
        return "duplicate series"
    # Most families have the same series, whose texts need one look.
    if values not in legible and not all(isinstance(value, str) and _is_utf8(value) for value in values):
        return "label values must be text that UTF-8 can encode"
    legible.add(values)
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
    if family.type in _DISTRIBUTIONS:
        return f"a {family.type} needs a HistogramSample"
    if not math.isfinite(sample.value):
        return f"{sample.value} is not a finite number"
    if family.type == "counter" and sample.value < 0:
        return "a counter cannot be negative"
    if family.type == "info" and sample.value != 1:
        return "an info metric is always 1"
    return None


def _histogram_mistake(family: Family, sample: HistogramSample) -> str | None:
    if family.type not in _DISTRIBUTIONS:
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

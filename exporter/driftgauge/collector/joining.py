"""The samples of all models as one page has them, and no more than it may have."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, product
from typing import Final

from driftgauge.families import FAMILIES
from driftgauge.samples import HistogramSample, Sample, Samples

# Published per feature or class: after segments the first to go when `limits.max_series` is reached.
_DETAIL_LABELS: Final = frozenset({"feature", "class"})
# Of these, what has many series for each feature or class goes before the others.
_BULKY: Final = frozenset({"model_class_confusion", "model_feature_distribution"})
_RANKS: Final = {
    name: 2 if name in _BULKY else int(not _DETAIL_LABELS.isdisjoint(family.labels))
    for name, family in FAMILIES.items()
}


def within_limit(models: Sequence[Samples], *, max_series: int) -> tuple[Samples, int]:
    """Join the samples of all models, at most `max_series`; return them and how many were left out.

    Series of segments go first, of what is left the distributions of features and confusion matrices, then all else per
    feature or class, and of these those of the models configured last before the others, in the order of the families
    and, within one, of the layout. The same input always loses the same series, and a segment never takes the place of
    what there is about all rows.
    """
    kept: dict[str, list[Sample | HistogramSample]] = {}
    total = dropped = 0
    for of_segments, rank in product((False, True), range(3)):
        for samples in models:
            for name, series in samples.items():
                if _RANKS[name] != rank:
                    continue
                found = [sample for sample in series if bool(sample.segment) == of_segments]
                ends = list(accumulate(sample.series for sample in found))
                many = bisect_right(ends, max_series - total)
                taken = ends[many - 1] if many else 0
                total += taken
                dropped += (ends[-1] if ends else 0) - taken
                if many:
                    kept.setdefault(name, []).extend(found[:many])
    return kept, dropped

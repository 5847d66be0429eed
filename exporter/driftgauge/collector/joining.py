"""The samples of all models as one page has them, and no more than it may have."""

from collections.abc import Sequence
from itertools import product
from typing import Final

from driftgauge.families import FAMILIES
from driftgauge.samples import HistogramSample, Sample, Samples

# Published per feature or class: after segments the first to go when `limits.max_series` is reached.
_DETAIL_LABELS: Final = frozenset({"feature", "class"})


def within_limit(models: Sequence[Samples], *, max_series: int) -> tuple[Samples, int]:
    """Join the samples of all models, at most `max_series`; return them and how many were left out.

    Series of segments go first, of what is left those per feature or class, and of these those of the models configured
    last before the others, in the order of the families and, within one, of the layout. The same input always loses the
    same series, and a segment never takes the place of what there is about all rows.
    """
    kept: dict[str, list[Sample | HistogramSample]] = {}
    total = dropped = 0
    for of_segments, detail in product((False, True), repeat=2):
        for samples in models:
            for name, series in samples.items():
                if detail != bool(_DETAIL_LABELS & set(FAMILIES[name].labels)):
                    continue
                found = [sample for sample in series if bool(sample.segment) == of_segments]
                room = max(max_series - total, 0)
                total += min(room, len(found))
                dropped += max(len(found) - room, 0)
                if found[:room]:
                    kept.setdefault(name, []).extend(found[:room])
    return kept, dropped

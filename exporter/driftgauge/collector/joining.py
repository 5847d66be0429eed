"""The samples of all models as one page has them, and no more than it may have."""

from collections.abc import Sequence
from typing import Final

from driftgauge.families import FAMILIES, HistogramSample, Sample, Samples

# Published per feature or class: the first to go when `limits.max_series` is reached.
_DETAIL_LABELS: Final = frozenset({"feature", "class"})


def within_limit(models: Sequence[Samples], *, max_series: int) -> tuple[Samples, int]:
    """Join the samples of all models, at most `max_series`; return them and how many were left out.

    Series per feature or class go first, those of the models configured last before the others, in the order of the
    families and, within one, of the layout: the same input always loses the same series.
    """
    kept: dict[str, list[Sample | HistogramSample]] = {}
    total = dropped = 0
    for detail in (False, True):
        for samples in models:
            for name, found in samples.items():
                if detail != bool(_DETAIL_LABELS & set(FAMILIES[name].labels)):
                    continue
                room = max(max_series - total, 0)
                total += min(room, len(found))
                dropped += max(len(found) - room, 0)
                if found[:room]:
                    kept.setdefault(name, []).extend(found[:room])
    return kept, dropped

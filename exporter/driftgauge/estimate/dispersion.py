"""By how much estimates of a reference's own blocks of time scatter beyond what their variance says.

Rows of one day, region or customer share more than their scores say. So consecutive blocks are estimated by what was
learned of the other blocks, and the squared errors compared with the variances.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from driftgauge.schema import Average

BLOCKS: Final = 20
# Fewer rows say little about a block.
_ROWS: Final = 50
# Less is the rounding of a variance of 0: that of an area under the ROC curve where all scores are the same.
_NOTHING: Final = 1e-18
# The half width of a 95 % interval in standard errors.
Z: Final = 1.959963984540054


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How much further than its variance says an estimate may be off, by metric.

    dispersion: what variances are multiplied with. bias: estimated minus realised on the reference itself. A map that
    was fitted to a small reference follows its chance, which makes the area under the ROC curve too large.
    """

    dispersion: Mapping[str, float]
    bias: Mapping[str, float]

    @classmethod
    def of(cls, rows: Any, learned: Callable[[Any], Any], average: Average) -> Self:
        """Return that of a reference; the arguments are those of `dispersion`."""
        estimator, realised = learned(rows), rows.realised(average)
        judged = estimator.judge(estimator.tally_of(rows), average)
        bias = {name: float(value - realised[name]) for name, (value, _) in judged.items() if name in realised}
        return cls(dispersion(rows, learned, average), bias)

    def error(self, metric: str, variance: float | None) -> float | None:
        """Return the standard error of a metric, with which the 95 % interval is wider by the bias on either side.

        As intervals are that know of a bias (Armstrong and Kolesár 2018). None where the variance is not known, or 0.
        """
        if variance is None or variance < _NOTHING:
            return None
        scattered = float(np.sqrt(variance * self.dispersion.get(metric, 1.0)))
        return scattered + abs(self.bias.get(metric, 0.0)) / Z


def dispersion(rows: Any, learned: Callable[[Any], Any], average: Average) -> dict[str, float]:
    """Return by metric what variances are to be multiplied with, at least 1.

    rows: in the order of the reference's file, which is hopefully that of time, with `take` and `realised`; where they
    are shuffled the dispersion is next to 1. learned: of some rows, with `tally_of` and `judge`.
    """
    blocks = np.array_split(np.arange(len(rows)), max(2, min(BLOCKS, len(rows) // _ROWS)))
    found: dict[str, list[float]] = {}
    for at, block in enumerate(blocks):
        others = np.concatenate([other for n, other in enumerate(blocks) if n != at])
        estimator, apart = learned(rows.take(others)), rows.take(block)
        realised: Mapping[str, float] = apart.realised(average)
        for metric, (value, variance) in estimator.judge(estimator.tally_of(apart), average).items():
            if metric in realised and variance > 0:
                found.setdefault(metric, []).append((realised[metric] - value) ** 2 / variance)
    return {metric: max(1.0, float(np.mean(ratios))) for metric, ratios in found.items()}

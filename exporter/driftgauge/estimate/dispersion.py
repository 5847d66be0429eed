"""By how much estimates of a reference's own blocks of time scatter beyond what their variance says.

Rows of one day, region or customer share more than their scores say. So consecutive blocks are estimated by what was
learned of the other blocks, and the squared errors compared with the variances.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from driftgauge.schema import Average

BLOCKS: Final = 20
# Fewer rows say little about a block.
_ROWS: Final = 50


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

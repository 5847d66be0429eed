"""How sure an area under the ROC curve is, from counts of scores in cells.

Two methods, because neither holds everywhere. DeLong's variance sees how unequally positives and negatives spread, but
has too few of either to measure it by when they are few, and none where the area is 1. Newcombe's depends on the area
and the sizes alone. Where there are few rows, or the area is near its end, the wider of the two is taken.
"""

from typing import Final

import numpy as np

from driftgauge.columns import FloatArray, IntArray

# Of a standard normal distribution 2.5 % lie above this.
Z: Final = 1.959963984540054
# With fewer rows of either kind, or as close as this to 0 or 1, Newcombe's interval is looked at as well.
_FEW: Final = 100
_NEAR: Final = 0.01
Interval = tuple[float, float]


def delong(counts: IntArray) -> tuple[float, float] | None:
    """Return the area and its standard error; None with fewer than 2 negatives or positives.

    counts: (k, 2) negatives and positives in each cell of scores, in ascending order; those in one cell are tied.
    DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988): the variance is that of each positive's share of negatives
    below it, over the positives, plus the same of the negatives.
    """
    negatives, positives = counts.astype(np.float64).T
    below, above = negatives.sum(), positives.sum()
    if min(below, above) < 2:
        return None
    of_positives = (np.cumsum(negatives) - negatives / 2) / below
    of_negatives = 1 - (np.cumsum(positives) - positives / 2) / above
    area = float((positives * of_positives).sum() / above)
    variance = _variance_of_mean(of_positives, positives, area) + _variance_of_mean(of_negatives, negatives, area)
    return area, float(np.sqrt(variance))


def _variance_of_mean(values: FloatArray, counts: FloatArray, mean: float) -> float:
    rows = counts.sum()
    return float((counts * np.square(values - mean)).sum() / (rows - 1) / rows)


def newcombe(area: float, negatives: int, positives: int) -> Interval:
    """Return the 95 % interval of an area from the sizes of both groups, at least one each.

    Method 5 of Newcombe, Statistics in Medicine 25 (2006), part 2: all areas that this one is within 1.96 standard
    errors of, where the error is that of exponential scores (Hanley and McNeil, 1982) with both sizes at their mean.
    """
    from scipy.optimize import brentq

    extra = (negatives + positives) / 2 - 1
    scale = Z * Z / (negatives * positives)

    def beyond(at: float) -> float:
        spread = 1 + extra * ((1 - at) / (2 - at) + at / (1 + at))
        return float((at - area) ** 2 - scale * at * (1 - at) * spread)

    # An area of 0 or 1 is a root itself, and no other one is as close to it as this.
    nothing = 1e-12
    lower = brentq(beyond, 0.0, min(area, 1 - nothing)) if area > 0 else 0.0
    upper = brentq(beyond, max(area, nothing), 1.0) if area < 1 else 1.0
    return float(lower), float(upper)


def area_interval(counts: IntArray) -> tuple[float, float, Interval] | None:
    """Return the area, its standard error and its 95 % interval; None with one group only. counts: as of `delong`.

    DeLong's is taken on the logit, which keeps it inside 0 to 1.
    """
    negatives, positives = (int(total) for total in counts.sum(axis=0))
    if not negatives or not positives:
        return None
    found = delong(counts)
    area, error = found or (_area(counts), 0.0)
    by_size = newcombe(area, negatives, positives)
    if not error or not 0 < area < 1:
        return area, (by_size[1] - by_size[0]) / (2 * Z), by_size
    logit, half = np.log(area / (1 - area)), Z * error / (area * (1 - area))
    lower, upper = (float(1 / (1 + np.exp(-end))) for end in (logit - half, logit + half))
    is_doubtful = min(negatives, positives) < _FEW or not _NEAR < area < 1 - _NEAR
    if is_doubtful and by_size[1] - by_size[0] > upper - lower:
        return area, error, by_size
    return area, error, (lower, upper)


def _area(counts: IntArray) -> float:
    negatives, positives = counts.astype(np.float64).T
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / negatives.sum() / positives.sum())

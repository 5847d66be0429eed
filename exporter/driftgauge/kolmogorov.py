"""P-values of the two-sample Kolmogorov-Smirnov test from the largest gap alone, equal to scipy's and quick."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import stats

from driftgauge.columns import FloatArray

# Below this many rows on both sides scipy's automatic mode computes the exact p-value, above it the asymptotic one.
_EXACT_ROWS: Final = 10_000
# From here on p-values are computed by sampling Smirnov's terms, about so many of them.
_SMIRNOV_ROWS: Final = 1_000
_SMIRNOV_TERMS: Final = 2_048


class Gap(NamedTuple):
    """The largest distance between two distribution functions: all that their Kolmogorov-Smirnov test needs.

    rows: of reference and window. below: how many of either lie up to where they are so far apart.
    """

    distance: float
    rows: tuple[int, int]
    below: tuple[int, int]


def ks_pvalues(gaps: Sequence[Gap]) -> list[float]:
    """Two-sided p-values as `scipy.stats.ks_2samp` computes them: exact for small samples, asymptotic for large ones.

    Of all columns at once, so that what a call of scipy costs in itself is paid once.
    """
    found = np.zeros(len(gaps))
    large = [at for at, gap in enumerate(gaps) if max(gap.rows) > _EXACT_ROWS]
    rows = np.array([sorted(map(float, gaps[at].rows)) for at in large]).reshape(-1, 2)
    effective = np.round(rows[:, 1] * rows[:, 0] / rows.sum(axis=1))
    found[large] = asymptotic_pvalues(effective, np.array([gaps[at].distance for at in large]))
    for at in set(range(len(gaps))) - set(large):
        found[at] = _exact_pvalue(*gaps[at].rows, *gaps[at].below)
    return [float(pvalue) for pvalue in found]


@lru_cache(maxsize=65536)
def _exact_pvalue(n: int, m: int, reference_below: int, window_below: int) -> float:
    """Return scipy's exact p-value from ranks alone: it depends on the sample sizes and the largest gap only.

    Two samples of zeros and ones with that many zeros have just this gap.
    """
    reference = np.repeat([0, 1], [reference_below, n - reference_below])
    window = np.repeat([0, 1], [window_below, m - window_below])
    return float(stats.ks_2samp(reference, window).pvalue)


def asymptotic_pvalues(n: FloatArray, distance: FloatArray) -> FloatArray:
    """Return the survival function of `scipy.stats.kstwo` for `n` (k,) values each, quickly where scipy is slow.

    There scipy takes twice the one-sided probability and adds up Smirnov's formula term by term, which takes a second
    for a million rows. Beyond `_SMIRNOV_ROWS` a fraction of the terms tells the same to 13 digits.
    """
    scaled = n * np.square(distance)
    slow = (n >= _SMIRNOV_ROWS) & (distance < 0.5) & (scaled >= 2.2) & (scaled < 370)
    found = np.zeros(len(n))
    found[slow] = [2 * _smirnov(int(rows), gap) for rows, gap in zip(n[slow], distance[slow], strict=True)]
    if not slow.all():
        found[~slow] = np.clip(stats.distributions.kstwo.sf(distance[~slow], n[~slow]), 0, 1)
    return found


def _smirnov(n: int, distance: float) -> float:
    """Return the one-sided tail by Smirnov's formula (Smirnov 1944; Miller 1956).

    It is x times the sum over v = 0 ... n of C(n, v) (x + t)^(v-1) (1 - x - t)^(n-v) with t = v / n. As a function of v
    the terms are smooth and vanish with all derivatives at both ends, so a sum over evenly spaced v, the trapezoidal
    rule, converges faster than any power of their number. Binomial coefficients come from Stirling's series; the
    powers are taken against t^v (1 - t)^(n-v), so that nothing large cancels.
    """
    last = int(n * (1 - distance))
    step = max(1, last // _SMIRNOV_TERMS)
    v = np.arange(1.0, last, step)
    t, rest = v / n, n - v
    exponent = v * np.log1p(distance / t) + rest * np.log1p(-distance / (1 - t))
    exponent += _stirling_remainder(float(n)) - _stirling_remainder(v) - _stirling_remainder(rest)
    terms = np.exp(exponent) * np.sqrt(n / (2 * np.pi * v * rest)) / (distance + t)
    return float(distance * step * terms.sum())


def _stirling_remainder(k: FloatArray | float) -> Any:
    """Return ln k! - (k ln k - k + ln(2 pi k) / 2) by its asymptotic series."""
    square = 1 / (k * k)
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / k

"""The p-value of the two-sample Kolmogorov-Smirnov test from the largest gap alone, equal to scipy's and quick."""

import warnings
from functools import lru_cache
from typing import Final

import numpy as np
from scipy import special, stats

from driftgauge.columns import FloatArray

# Below this many rows on both sides scipy's automatic mode computes the exact p-value, above it the asymptotic one.
_EXACT_ROWS: Final = 10_000
# A p-value is the sum of about this many of Smirnov's terms: a third would do.
_SMIRNOV_TERMS: Final = 256
# Twice the one-sided tail is the two-sided one from this n d^2 on, and above the second one it is 0.
_SMIRNOV_SCALED: Final = 2.2
_NEVER_SCALED: Final = 370
# Up to this many rows scipy's other formulas are used.
_FEW_ROWS: Final = 140
# The series is right to 1e-10 from this many rows on, or where it gives a probability as small as this.
_MANY_ROWS: Final = 5_000
_RARE: Final = 1e-7
_SERIES_TERMS: Final = 12


def ks_pvalue_of(rows: tuple[int, int], below: tuple[int, int]) -> float:
    """Two-sided p-value as `scipy.stats.ks_2samp` computes it: exact for small samples, asymptotic for large.

    rows: of both samples. below: how many of either lie up to where their distribution functions are farthest apart.
    """
    n, m = rows
    if max(rows) <= _EXACT_ROWS:
        return _exact_pvalue(n, m, *below)
    return asymptotic_pvalue(round(n * m / (n + m)), abs(below[0] / n - below[1] / m))


@lru_cache(maxsize=65536)
def _exact_pvalue(n: int, m: int, reference_below: int, window_below: int) -> float:
    """Return scipy's exact p-value from ranks alone: it depends on the sample sizes and the largest gap only.

    Two samples of zeros and ones with that many zeros have just this gap.
    """
    reference = np.repeat([0, 1], [reference_below, n - reference_below])
    window = np.repeat([0, 1], [window_below, m - window_below])
    with warnings.catch_warnings():
        # Where the exact formula fails, scipy says so and takes the asymptotic one.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful")
        return float(stats.ks_2samp(reference, window).pvalue)


def asymptotic_pvalue(n: int, distance: float) -> float:
    """Return the survival function of `scipy.stats.kstwo`, quickly where scipy is slow.

    It follows the same plan (Simard and L'Ecuyer 2011): twice Smirnov's one-sided tail for large distances, and Pelz
    and Good's series for others. Small distances, whose p-value is nearly 1, scipy computes exactly, in milliseconds;
    the series is as good once it is below `_RARE` or there are `_MANY_ROWS`. A fraction of Smirnov's terms gives the
    same to 13 digits.
    """
    scaled = n * distance**2
    if n > _FEW_ROWS and n * distance > 1 and distance < 0.5 and scaled < _NEVER_SCALED:
        if scaled >= _SMIRNOV_SCALED:
            return min(1.0, 2 * _smirnov(n, distance))
        below = _pelz_good(n, np.sqrt(scaled))
        if n * distance**1.5 > 1.4 or n >= _MANY_ROWS or below <= _RARE:
            return min(1.0, max(0.0, 1 - below))
    return float(stats.distributions.kstwo.sf(distance, n))


def _pelz_good(n: int, z: float) -> float:
    """Return the probability that the distance of `n` values is at most z / sqrt(n), for z up to about 1.5.

    The series of Pelz and Good (1976) as given by Simard and L'Ecuyer (2011), equations 8 to 11: a sum over all whole
    numbers, of which `_SERIES_TERMS` on either side are enough for such z.
    """
    k = np.pi * np.arange(_SERIES_TERMS)
    half, whole, z2 = np.square(k + np.pi / 2), np.square(k), z**2
    # Where the terms vanish the probability does, whatever they are divided by.
    with np.errstate(under="ignore"):
        by_half, by_whole = np.exp(-half / (2 * z2)), np.exp(-whole / (2 * z2))
    first = by_half.sum()
    second = ((half - z2) * by_half).sum()
    third = ((z2**2 * (6 * z2 + 2) + half * z2 * (2 * z2 - 5) + half**2 * (1 - 2 * z2)) * by_half).sum()
    terms = half**3 * (5 - 30 * z2) + half**2 * z2 * (212 * z2 - 60) + half * z2**2 * (135 - 96 * z2)
    fourth = ((terms - z2**3 * (30 + 90 * z2)) * by_half).sum()
    third_whole, fourth_whole = (whole * by_whole).sum(), (whole * (3 * z2 - whole) * by_whole).sum()
    return float(
        np.sqrt(2 * np.pi)
        * (
            first / z
            + second / (6 * z**4 * np.sqrt(n))
            + (third / (72 * z**7) - third_whole / (36 * z**3)) / n
            + (fourth / (6480 * z**10) + fourth_whole / (216 * z**6)) / n**1.5
        )
    )


def _smirnov(n: int, x: float) -> float:
    """Return the probability that one-sided distances of `n` values exceed x (Smirnov 1944; Miller 1956).

    It is x times the sum over v = 0 ... n of C(n, v) (x + t)^(v-1) (1 - x - t)^(n-v) with t = v / n. As a function of v
    the terms are smooth and vanish with all derivatives at both ends, so a sum over evenly spaced v, the trapezoidal
    rule, converges faster than any power of their number. Binomial coefficients come from Stirling's series; the
    powers are taken against t^v (1 - t)^(n-v), so that nothing large cancels.
    """
    last = np.floor(n * (1 - x))
    step = max(1, last // _SMIRNOV_TERMS)
    v = np.arange(1, last, step)
    t, rest = v / n, n - v
    exponent = v * np.log1p(x / t) + rest * np.log1p(-x / (1 - t))
    exponent += _stirling_remainder(np.array([n])) - _stirling_remainder(v) - _stirling_remainder(rest)
    terms = np.exp(exponent) * np.sqrt(n / (2 * np.pi * v * rest)) / (x + t)
    # Where terms are left out, the one of v = 0 is as good as 0.
    return float(x * step * terms.sum() + np.exp(n * np.log1p(-x)))


def _stirling_remainder(k: FloatArray) -> FloatArray:
    """Return ln k! - (k ln k - k + ln(2 pi k) / 2), by its asymptotic series where it converges."""
    square = 1 / (k * k)
    series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / k
    return np.where(
        k < len(_SMALL_REMAINDERS), _SMALL_REMAINDERS[np.minimum(k, len(_SMALL_REMAINDERS) - 1).astype(np.intp)], series
    )


def _exact_remainders(count: int) -> FloatArray:
    k = np.arange(1, count)
    return np.concatenate([[0], special.gammaln(k + 1) - (k * np.log(k) - k + np.log(2 * np.pi * k) / 2)])


_SMALL_REMAINDERS: Final = _exact_remainders(32)

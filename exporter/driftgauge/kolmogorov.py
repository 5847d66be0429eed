"""P-values of the two-sample Kolmogorov-Smirnov test from the largest gap alone, equal to scipy's and quick."""

from functools import lru_cache
from typing import Final

import numpy as np
from scipy import special, stats

from driftgauge.columns import FloatArray, IntArray

# Below this many rows on both sides scipy's automatic mode computes the exact p-value, above it the asymptotic one.
_EXACT_ROWS: Final = 10_000
# P-values are computed from about so many of Smirnov's terms: a third would do.
_SMIRNOV_TERMS: Final = 256
# Twice the one-sided tail is the two-sided one from this n d^2 on.
_SMIRNOV_SCALED: Final = 2.2
# Up to so many rows scipy's other formulas are used.
_FEW_ROWS: Final = 140
# The series is right to 1e-10 from so many rows on, or where it gives a probability as small as this.
_MANY_ROWS: Final = 5_000
_RARE: Final = 1e-7
_SERIES_TERMS: Final = 12


def ks_pvalues(rows: IntArray, below: IntArray) -> FloatArray:
    """Two-sided p-values (s,) as `scipy.stats.ks_2samp` computes them: exact for small samples, asymptotic for large.

    rows: (s, 2) of both samples. below: (s, 2) how many of either lie up to where their distribution functions are
    farthest apart. Of all columns at once, so that what a call of scipy costs in itself is paid once.
    """
    found = np.zeros(len(rows))
    large = rows.max(axis=1, initial=0) > _EXACT_ROWS
    n, m = rows[large].astype(np.float64).T
    shares = below[large] / rows[large]
    found[large] = asymptotic_pvalues(np.round(n * m / (n + m)), np.abs(shares[:, 0] - shares[:, 1]))
    for at in np.flatnonzero(~large).tolist():
        found[at] = _exact_pvalue(*rows[at].tolist(), *below[at].tolist())
    return found


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

    It follows the same plan (Simard and L'Ecuyer 2011), value by value: takes twice Smirnov's one-sided tail for large
    distances, and Pelz and Good's series for others. Here the series is summed for all at once. Small distances, whose
    p-value is nearly 1, scipy computes exactly, in milliseconds each; the series is as good once it is below `_RARE`
    or there are `_MANY_ROWS`. Of Smirnov's terms a fraction tells the same to 13 digits.
    """
    scaled = n * np.square(distance)
    ordinary = (n > _FEW_ROWS) & (n * distance > 1) & (distance < 0.5)
    found = np.empty(len(n))
    large = ordinary & (scaled >= _SMIRNOV_SCALED) & (scaled < 370)
    found[large] = 2 * _smirnov(n[large], distance[large])
    series = ordinary & (scaled < _SMIRNOV_SCALED)
    below = _pelz_good(n[series], np.sqrt(scaled[series]))
    found[series] = 1 - below
    is_small = n[series] * distance[series] ** 1.5 <= 1.4
    left = ~(large | series)
    left[np.flatnonzero(series)[is_small & (n[series] < _MANY_ROWS) & (below > _RARE)]] = True
    if left.any():
        found[left] = stats.distributions.kstwo.sf(distance[left], n[left])
    return np.clip(found, 0, 1)


def _pelz_good(n: FloatArray, z: FloatArray) -> FloatArray:
    """Return the probability (k,) that the distance of `n` values is at most z / sqrt(n), for z up to about 1.5.

    The series of Pelz and Good (1976) as given by Simard and L'Ecuyer (2011), equations 8 to 11: a sum over all whole
    numbers, of which `_SERIES_TERMS` on either side are enough for such z.
    """
    k = np.pi * np.arange(_SERIES_TERMS)
    half, whole = np.square(k + np.pi / 2), np.square(k)
    z2 = np.square(z)[:, None]
    # Where the terms vanish the probability does, whatever they are divided by.
    with np.errstate(under="ignore"):
        by_half, by_whole = np.exp(-half / (2 * z2)), np.exp(-whole / (2 * z2))
    first = by_half.sum(axis=1)
    second = ((half - z2) * by_half).sum(axis=1)
    third = ((z2**2 * (6 * z2 + 2) + half * z2 * (2 * z2 - 5) + half**2 * (1 - 2 * z2)) * by_half).sum(axis=1)
    fourth = half**3 * (5 - 30 * z2) + half**2 * z2 * (212 * z2 - 60) + half * z2**2 * (135 - 96 * z2)
    fourth = ((fourth - z2**3 * (30 + 90 * z2)) * by_half).sum(axis=1)
    third_whole, fourth_whole = (whole * by_whole).sum(axis=1), (whole * (3 * z2 - whole) * by_whole).sum(axis=1)
    found: FloatArray = np.sqrt(2 * np.pi) * (
        first / z
        + second / (6 * z**4 * np.sqrt(n))
        + (third / (72 * z**7) - third_whole / (36 * z**3)) / n
        + (fourth / (6480 * z**10) + fourth_whole / (216 * z**6)) / n**1.5
    )
    return found


def _smirnov(n: FloatArray, distance: FloatArray) -> FloatArray:
    """Return the one-sided tail (k,) of `n` values each by Smirnov's formula (Smirnov 1944; Miller 1956).

    It is x times the sum over v = 0 ... n of C(n, v) (x + t)^(v-1) (1 - x - t)^(n-v) with t = v / n. As a function of v
    the terms are smooth and vanish with all derivatives at both ends, so a sum over evenly spaced v, the trapezoidal
    rule, converges faster than any power of their number. Binomial coefficients come from Stirling's series; the
    powers are taken against t^v (1 - t)^(n-v), so that nothing large cancels.
    """
    last = np.floor(n * (1 - distance))
    step = np.maximum(1, last // _SMIRNOV_TERMS)
    n, x = n[:, None], distance[:, None]
    v = 1 + step[:, None] * np.arange(np.ceil((last - 1) / step).max(initial=0))
    is_term = v < last[:, None]
    v = np.where(is_term, v, 1)
    t, rest = v / n, n - v
    exponent = v * np.log1p(x / t) + rest * np.log1p(-x / (1 - t))
    exponent += _stirling_remainder(n) - _stirling_remainder(v) - _stirling_remainder(rest)
    terms = np.exp(exponent) * np.sqrt(n / (2 * np.pi * v * rest)) / (x + t)
    # Where terms are left out, the one of v = 0 is as good as 0.
    tail: FloatArray = distance * step * terms.sum(axis=1, where=is_term) + np.exp(n * np.log1p(-x))[:, 0]
    return tail


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

"""The joint distribution of columns, seen through its characteristic function at random frequencies.

φ(z) = [cos Wz, sin Wz] with 32 frequencies W. The mean of φ over rows is the characteristic function of their
distribution, so two distributions differ where these means do, in whatever way columns depend on each other. Means add
up. Chwialkowski, Ramdas, Sejdinovic, Gretton: Fast two-sample testing with analytic representations of probability
measures (2015); Jitkrittum, Szabó, Chwialkowski, Gretton: Interpretable distribution features (2016), the SCF test;
the distance is that of Rahimi and Recht's random features of a Gaussian kernel (2007).

Values and frequencies are whole multiples of powers of two, with as few digits as their products' sums need to be exact
in float32. So a row has the same φ in whatever company it is computed, and sums of parts are the sum of the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from driftgauge.columns import FloatArray, IntArray

FREQUENCIES: Final = 32
# Values (a, n) of φ: cosines, then sines.
VALUES: Final = 2 * FREQUENCIES
# Standardised values beyond this are at it: a few wild rows must not hide what the others do.
CLIP: Final = 4
# Steps of a standardised value.
_STEPS: Final = 2**7
# Whole numbers up to this are exact in float32.
_EXACT: Final = 2**24
# Of the mean variance of φ, this is added to that of each direction. Those with little variance have it from few rows,
# so that it is badly known: with 1e-6, p is below .05 in 85 % of windows of two normal columns without drift.
_RIDGE: Final = 0.1
# Rows of the reference of which the median distance is taken.
_PAIRED: Final = 1_000
_AT_ONCE: Final = 16_384

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a window is from the reference. mmd2: [0, 2). pvalue: None where it cannot be told."""

    mmd2: float
    pvalue: float | None


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What is known of the reference's φ, from `rows` rows.

    frequencies: (32, d) whole numbers, in steps of 2^exponent. means: (64,) of φ. covariance: (64, 64).
    """

    frequencies: IntArray
    exponent: int
    rows: int
    means: FloatArray
    covariance: FloatArray

    @classmethod
    def fit(cls, columns: FloatArray, *, seed: int) -> Self | None:
        """Return that of reference rows (d, n), standardised; None where all rows are alike."""
        distance = _median_distance(columns)
        if not distance:
            return None
        random = np.random.default_rng(seed)
        drawn = random.normal(size=(FREQUENCIES, len(columns))) * np.sqrt(2) / distance
        # The largest sum of products is of d values at the clip, all with the largest frequency.
        largest = _EXACT / (CLIP * _STEPS * len(columns))
        exponent = int(np.ceil(np.log2(np.abs(drawn).max() / largest)))
        frequencies = np.rint(np.ldexp(drawn, -exponent)).astype(np.int64)
        bare = cls(frequencies, exponent, columns.shape[1], np.zeros(VALUES), np.zeros((VALUES, VALUES)))
        sums, squares = np.zeros(VALUES), np.zeros((VALUES, VALUES))
        for start in range(0, columns.shape[1], _AT_ONCE):
            found = bare.values(columns[:, start : start + _AT_ONCE]).astype(np.float64)
            sums += found.sum(axis=1)
            squares += found @ found.T
        means = sums / bare.rows
        covariance = (squares - bare.rows * np.outer(means, means)) / (bare.rows - 1)
        return cls(frequencies, exponent, bare.rows, means, covariance)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the spectrum that `to_state` described."""
        return cls(**{name: state[name] for name in ("frequencies", "exponent", "rows", "means", "covariance")})

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {
            "frequencies": self.frequencies,
            "exponent": self.exponent,
            "rows": self.rows,
            "means": self.means,
            "covariance": self.covariance,
        }

    def values(self, columns: FloatArray) -> Singles:
        """Return φ (64, n) of standardised columns (d, n); values that are not finite are at the clip."""
        with np.errstate(over="ignore"):
            steps = columns.astype(np.float32)
        np.clip(steps, -CLIP, CLIP, out=steps)
        steps *= _STEPS
        phases = self._weights @ np.rint(steps, out=steps)
        found = np.empty((VALUES, columns.shape[1]), np.float32)
        np.cos(phases, out=found[:FREQUENCIES])
        np.sin(phases, out=found[FREQUENCIES:])
        return found

    def compare(self, rows: int, sums: FloatArray) -> Comparison:
        """Return how far `rows` rows, at least 1, with these sums (64,) of φ are from the reference.

        q = Δᵀ (S + r)⁻¹ Δ / (1/n + 1/m), where r is a ridge. Without it q is Hotelling's T² but for the window's own
        covariance, which is S without drift. With it q is a sum of chi-squares with the weights λ / (λ + r), λ the
        variances of S; as is usual (Satterthwaite), c times one chi-square with the same mean and variance stands for
        it, and F for that because S is estimated. MMD² is ‖Δ‖² / 32 less what it would be by chance.
        """
        from scipy import special

        change = sums / rows - self.means
        chance = 1 / rows + 1 / self.rows
        spread = 1 - float(self.means @ self.means) / FREQUENCIES
        mmd2 = max(0.0, float(change @ change) / FREQUENCIES - spread * chance)
        weights, inverse = self._inverse
        if not weights.any():
            return Comparison(mmd2, None)
        scale = float(weights @ weights) / float(weights.sum())
        spans = float(weights.sum()) / scale
        left = self.rows - spans
        q = float(np.square(inverse @ change).sum()) / chance / scale
        return Comparison(mmd2, float(special.fdtrc(spans, left, q * left / (spans * (self.rows - 1)))))

    @cached_property
    def _weights(self) -> Singles:
        return np.ldexp(self.frequencies / _STEPS, self.exponent).astype(np.float32)

    @cached_property
    def _inverse(self) -> tuple[FloatArray, FloatArray]:
        """The weights (64,) of the directions of φ, and the root of the inverse of its covariance with the ridge."""
        variances, directions = np.linalg.eigh(self.covariance)
        variances = np.maximum(variances, 0.0)
        ridge = _RIDGE * float(variances.mean())
        if not ridge:
            return variances, directions.T
        return variances / (variances + ridge), directions.T / np.sqrt(variances + ridge)[:, np.newaxis]


def is_detected(found: Comparison, rows: int, *, least: float, significance: float, min_rows: int) -> bool | None:
    """Tell whether a window of so many rows moved both far (MMD² ≥ least) and beyond chance; None with few rows."""
    if rows < min_rows or found.pvalue is None:
        return None
    return found.mmd2 >= least and found.pvalue < significance


def _median_distance(columns: FloatArray) -> float:
    """Return the median distance of rows (d, n) that are not the same, clipped as `values` does; 0 if all are."""
    from scipy.spatial.distance import pdist

    rows = columns.shape[1]
    chosen = np.unique(np.linspace(0, rows - 1, min(rows, _PAIRED)).round().astype(np.int64))
    distances = pdist(np.clip(columns[:, chosen].T, -CLIP, CLIP))
    apart = distances[distances > 0]
    return float(np.median(apart)) if len(apart) else 0.0

"""How unusual a row is: its Mahalanobis distance by the reference's covariance, shrunk as by Ledoit and Wolf.

m(z) = (z - μ)ᵀ Σ⁻¹ (z - μ). Ledoit, Wolf: A well-conditioned estimator for large-dimensional covariance matrices
(2004), as `sklearn.covariance.LedoitWolf` has it. Σ is fitted on one half of the reference, and the distances that
99 % and 99.9 % of rows do not exceed are those of the other half: rows that a covariance was fitted on are too close.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from driftgauge.columns import FloatArray, IntArray
from driftgauge.estimate.rows import halves

LEVELS: Final = (0.99, 0.999)
# Rows that the covariance is fitted on, and that the cuts are taken from.
_MOST_ROWS: Final = 50_000
# Rows beyond a cut that there must be among those which it is taken from.
_BEYOND: Final = 2
# Of the mean variance, the least that a direction has: below, all is rounding.
_LEAST: Final = 1e-6
# Distances are first computed in single precision; from this share of the lowest cut on, in double.
_NEAR: Final = 0.95


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Center (d,) and roots of the inverse covariance (d, d): m is the squared norm of roots (z - center).

    cuts: by level of `LEVELS`, the distance that this share of rows does not exceed; only those that can be told.
    """

    center: FloatArray
    roots: FloatArray
    cuts: FloatArray

    @classmethod
    def fit(cls, columns: FloatArray) -> Self:
        """Return that of reference rows (d, n), standardised."""
        from sklearn.covariance import LedoitWolf

        fitted_on, others = (_thinned(half) for half in halves(columns))
        shrunk = LedoitWolf().fit(fitted_on.T)
        variances, directions = np.linalg.eigh(np.asarray(shrunk.covariance_, np.float64))
        variances = np.maximum(variances, _LEAST * float(variances.mean()))
        bare = cls(
            np.asarray(shrunk.location_, np.float64), directions.T / np.sqrt(variances)[:, np.newaxis], np.zeros(0)
        )
        enough = [level for level in LEVELS if others.shape[1] * (1 - level) >= _BEYOND - 1e-9]
        # By this rule a fresh row exceeds the cut with the probability 1 - level, whatever the number of rows.
        cuts = np.quantile(bare.distances(others), enough, method="weibull") if enough else np.zeros(0)
        return cls(bare.center, bare.roots, np.asarray(cuts, np.float64))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the surroundings that `to_state` described."""
        return cls(state["center"], state["roots"], state["cuts"])

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"center": self.center, "roots": self.roots, "cuts": self.cuts}

    def distances(self, columns: FloatArray) -> FloatArray:
        """Return m (n,) of standardised rows (d, n), infinite where one is too far out."""
        with np.errstate(over="ignore", invalid="ignore"):
            scores = self.roots @ (columns - self.center[:, np.newaxis])
            found: FloatArray = np.einsum("ij,ij->j", scores, scores)
        found[~np.isfinite(found)] = np.inf
        return found

    def unusual(self, columns: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return which rows of (d, n) are beyond the lowest cut, and their distances."""
        roots, shift = self._singles
        with np.errstate(over="ignore", invalid="ignore"):
            scores = roots @ columns.astype(np.float32)
            scores -= shift
            rough = np.einsum("ij,ij->j", scores, scores)
            near = np.flatnonzero(~(rough < _NEAR * self.cuts[0]))
        exact = self.distances(columns[:, near])
        beyond = exact > self.cuts[0]
        return near[beyond], exact[beyond]

    def contributions(self, columns: FloatArray) -> FloatArray:
        """Return what each column adds to the distance (d, n) of rows (d, n); together it is m.

        What is too far out for a sum counts as far out as possible.
        """
        largest = 1e100
        apart = np.nan_to_num(columns - self.center[:, np.newaxis], posinf=largest, neginf=-largest)
        apart = np.clip(apart, -largest, largest)
        found: FloatArray = apart * (self.roots.T @ (self.roots @ apart))
        return found

    @cached_property
    def _singles(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        return self.roots.astype(np.float32), (self.roots @ self.center).astype(np.float32)[:, np.newaxis]


def _thinned(columns: FloatArray) -> FloatArray:
    """Return at most `_MOST_ROWS` rows of (d, n), at even distances."""
    return columns[:, :: -(-columns.shape[1] // _MOST_ROWS)]

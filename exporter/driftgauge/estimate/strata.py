"""Strata: the performance to be expected of a regression from its inputs and predictions alone.

A regression tree divides the labelled rows of the reference by features and prediction into strata in which the
absolute error is about the same. What a window is expected to lose is the mean loss of each stratum, weighted by the
window's shares w: MAE = sum of w l, MSE alike, and RMSE its root. Kitagawa (1955), Oaxaca and Blinder (1973) divide the
change of a mean in the same way: into what the shares explain, and what changed within strata.

The variance of realised minus estimated mean loss is φ (sum of w v / n + sum of w² v / m): the chance of the n rows,
and the error of means that m reference rows each gave; v is the variance of the loss in a stratum, φ the `dispersion`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any, Final, Self

import numpy as np

from driftgauge.aggregates.strata import StrataSums
from driftgauge.columns import FloatArray, IntArray

# At most so many strata: one byte is kept of a row, in which 255 says that nothing is known.
MOST_STRATA: Final = 128
# Rows of a stratum; a small reference has about `_FEW_STRATA` of fewer rows.
_MOST_ROWS_A_STRATUM: Final = 100
_LEAST_ROWS_A_STRATUM: Final = 50
_FEW_STRATA: Final = 10
# Losses: absolute and squared errors.
_LOSSES: Final = {"mae": 0, "mse": 1}


def rows_a_stratum(rows: int) -> int:
    """Return how many of the rows that a tree is fitted to are at least in each stratum."""
    return max(_LEAST_ROWS_A_STRATUM, min(_MOST_ROWS_A_STRATUM, rows // _FEW_STRATA))


@dataclass(frozen=True, slots=True, eq=False)
class LabelledStrata:
    """Rows (n,) with their stratum and their absolute error."""

    strata: IntArray
    errors: FloatArray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.strata)

    def take(self, rows: IntArray) -> Self:
        """Return the rows at these positions."""
        return type(self)(self.strata[rows], self.errors[rows])

    def sums(self, leaves: int) -> StrataSums:
        """Return the sums over the rows."""
        return StrataSums.fold(self.strata, self.errors, leaves=leaves)

    def realised(self, _: Any = None) -> dict[str, float]:
        """Return what the metrics of these rows are."""
        mse = float(np.square(self.errors).mean())
        return {"mae": float(self.errors.mean()), "mse": mse, "rmse": sqrt(mse)}


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """Of each of L strata: reference `rows` (L,), mean and variance (2, L) of absolute and of squared errors.

    factor: (2,) what the means are multiplied with in a part of the rows; factor_variance: (2,) of that, as a share.
    dispersion: φ by metric.
    """

    rows: FloatArray
    means: FloatArray
    variances: FloatArray
    factor: FloatArray = field(default_factory=lambda: np.ones(len(_LOSSES)))
    factor_variance: FloatArray = field(default_factory=lambda: np.zeros(len(_LOSSES)))
    dispersion: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, sums: StrataSums) -> Self:
        """Return what labelled rows say; of a stratum without rows, what all say together."""
        everything = StrataSums(counts=sums.counts.sum(keepdims=True), losses=sums.losses.sum(axis=1, keepdims=True))
        (means, variances), (mean, variance) = _moments(sums), _moments(everything)
        return cls(
            rows=np.maximum(sums.counts, 1).astype(np.float64),
            means=np.where(sums.counts > 0, means, mean),
            variances=np.where(sums.counts > 1, variances, variance),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        """Return the strata that `arrays` described."""
        return cls(**{name: arrays[name] for name in cls.__slots__})

    @property
    def arrays(self) -> dict[str, Any]:
        """The fields as `codec` takes them."""
        return {name: getattr(self, name) for name in self.__slots__}

    def within(self, sums: StrataSums) -> Self:
        """Return the strata for a part of the rows, scaled to its labelled reference rows, of which there are some."""
        shares = sums.counts / sums.known
        means = self.means @ shares
        realised = sums.losses[:2].sum(axis=1) / sums.known
        has_loss = means > 0
        known = np.where(has_loss, means, 1.0)
        return replace(
            self,
            factor=np.where(has_loss, realised / known, 1.0),
            factor_variance=np.where(has_loss, self.variances @ shares / sums.known / known**2, 0.0),
        )

    def tally_of(self, rows: LabelledStrata) -> StrataSums:
        """Return the sums over rows whose labels are not to be known."""
        return StrataSums.fold(rows.strata, None, leaves=len(self.rows))

    def judge(self, sums: StrataSums, _: Any = None) -> dict[str, tuple[float, float]]:
        """Return by metric the estimate for rows, and the variance of realised minus estimated value; {} of no rows."""
        if not sums.known:
            return {}
        found = {metric: self._mean(sums, loss) for metric, loss in _LOSSES.items()}
        mse, variance = found["mse"]
        if mse > 0:
            found["rmse"] = sqrt(mse), variance / (4 * mse)
        return {
            metric: (value, variance * self.dispersion.get(metric, 1.0)) for metric, (value, variance) in found.items()
        }

    def _mean(self, sums: StrataSums, loss: int) -> tuple[float, float]:
        shares = sums.counts / sums.known
        plain, factor = float(shares @ self.means[loss]), float(self.factor[loss])
        chance = float(shares @ self.variances[loss]) * factor**2
        if sums.losses[loss].any():
            # Of labelled rows it is known how far their losses lie apart: one of them alone is no change of all.
            chance = max(chance, float(shares @ _moments(sums)[1][loss]))
        error = float(np.square(shares) @ (self.variances[loss] / self.rows)) * factor**2
        scaled = plain * factor
        return scaled, chance / sums.known + error + scaled**2 * float(self.factor_variance[loss])


def _moments(sums: StrataSums) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance (2, L) of absolute and of squared errors in each stratum, 0 where there are no rows."""
    counts = np.maximum(sums.counts, 1)
    # What overflows is told by what is not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        means = sums.losses[:2] / counts
        variances = (sums.losses[1:] / counts - means**2) * (counts / np.maximum(counts - 1, 1))
    return means, np.maximum(variances, 0.0)

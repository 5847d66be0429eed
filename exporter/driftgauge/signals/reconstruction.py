"""How well rows keep to the reference's correlations: their error after reconstruction from its principal components.

The error is NannyML's (see `estimate.components`): its mean over a window is by the components of all reference rows.
A window is judged by those of one half of the reference, with the error of the other half as baseline: a mean over rows
that were fitted is too low, and every window would seem to have drifted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import Columns, IntArray
from driftgauge.config import ModelConfig
from driftgauge.estimate.components import Components, errors
from driftgauge.estimate.rows import Block, RowMatrix, digest_of, halves, too_few
from driftgauge.reference import Reference
from driftgauge.samples import Sample, Samples
from driftgauge.signals.joint import fold_alone, terms_of
from driftgauge.signals.signal import Basis, Learned, Signal

# Of rows like the reference's, this share has an error up to the cut.
_INSIDE: Final = 0.99
# Rows that a reference needs in all, and for each column: the cut is a high quantile, fitted twice on half of them.
_FEW_ROWS: Final = 200
_ROWS_PER_COLUMN: Final = 10
# An error in standard deviations below which everything is rounding, as of columns that determine each other.
_ROUNDING: Final = 1e-6
_MIN_ROWS: Final = 2
# A change of fewer rows is not judged, as in `multivariate`.
MIN_ROWS: Final = 500
# A change that is large, in standard deviations of the errors of rows.
LEAST_EFFECT: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """`rows` with the `total` of their errors, that of the squares, and how many were `above` the reference's cut.

    half_total, half_squares: of errors by the components of one half of the reference.
    """

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0
    above: int = 0
    half_total: float = 0.0
    half_squares: float = 0.0

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add; `combine([])` is the identity."""
        return cls(
            sum(part.rows for part in parts),
            sum(part.total for part in parts),
            sum(part.squares for part in parts),
            sum(part.above for part in parts),
            sum(part.half_total for part in parts),
            sum(part.half_squares for part in parts),
        )

    @property
    def size(self) -> int:
        """Six numbers are of no account."""
        return 0

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the residuals that `to_state` described."""
        return cls(**state)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Errors of `rows` reference rows by components that were not fitted on them: their mean and variance.

    whole: the mean of these and of the other half's, which stands for errors by the components of all rows.
    cut: the error that 1 % of rows like the reference's exceed.
    """

    rows: int
    mean: float
    variance: float
    whole: float
    cut: float

    def score(self, residuals: Residuals) -> tuple[float, float] | None:
        """Return by how much the mean error of some rows, at least 2, differs: in standard errors, and in deviations.

        None where errors do not vary or are too large.
        """
        mean = residuals.half_total / residuals.rows
        variance = residuals.half_squares / residuals.rows - mean * mean
        if not isfinite(variance) or not self.variance:
            return None
        error = sqrt(max(0.0, variance) / (residuals.rows - 1) + self.variance / self.rows)
        return (mean - self.mean) / error, (mean - self.mean) / sqrt(self.variance)


@dataclass(frozen=True, eq=False)
class FittedReconstruction:
    """whole, half: the components of all reference rows, and of one half of them. digest: of these and the cut.

    significance: of the flag. by_effect: the flag asks for a large change too.
    """

    matrix: RowMatrix
    whole: Components
    half: Components
    baseline: Baseline
    digest: str
    significance: float
    by_effect: bool

    @property
    def fingerprint(self) -> str:
        """Errors from other components, or counted above another cut, do not add."""
        return self.digest

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Residuals]:
        """Add up the errors of each group."""
        return fold_alone(self, Residuals, rows, ends)

    def begin(self, rows: Columns, ends: IntArray) -> "_Adding":  # noqa: ARG002 - of the seam
        """Return sums of nothing."""
        return _Adding(self, ends)

    def is_detected(self, residuals: Residuals, *, significance: float) -> bool | None:
        """Tell whether a window's mean error changed, at this significance; None where it cannot be judged."""
        from scipy import special

        found = self.baseline.score(residuals) if residuals.rows >= MIN_ROWS else None
        if found is None:
            return None
        score, effect = found
        least = LEAST_EFFECT if self.by_effect else 0.0
        return bool(abs(effect) >= least and 2 * special.ndtr(-abs(score)) < significance)


class _Adding:
    def __init__(self, fitted: FittedReconstruction, ends: IntArray) -> None:
        self._fits = [fitted.whole, fitted.half]
        self._cut = fitted.baseline.cut
        self._rows = np.diff(ends, prepend=0)
        self._sums = np.zeros((4, len(ends)))
        self._above = np.zeros((1, len(ends)), np.int64)

    def add(self, block: Block) -> None:
        whole, half = errors(self._fits, block.shares)
        with np.errstate(over="ignore"):
            block.add_to(self._sums, np.stack([whole, np.square(whole), half, np.square(half)]))
        block.add_to(self._above, (whole > self._cut)[np.newaxis])

    def aggregates(self) -> Sequence[Residuals]:
        found = zip(self._rows.tolist(), *self._sums.tolist(), *self._above.tolist(), strict=True)
        return [
            Residuals(rows, total, squares, above, half_total, half_squares)
            for rows, total, squares, half_total, half_squares, above in found
        ]


def learn(chunks: Sequence[Columns], reference: Reference, _model: ModelConfig) -> Learned:
    """Return what `FittedReconstruction` is made of; or, as `reason`, why there is none."""
    matrix = RowMatrix.of(reference)
    reason = too_few(reference, len(matrix.share_names), rows=_FEW_ROWS, per_column=_ROWS_PER_COLUMN)
    if reason:
        return {"reason": reason}
    shares = matrix.sampled_shares(chunks)
    whole = Components.fit(shares)
    # No row is measured by components that were fitted on it: that would make the cut and the baseline too low.
    one, other = halves(shares)
    half = Components.fit(one)
    (of_other,), (of_one,) = errors([half], other), errors([Components.fit(other)], one)
    both = np.concatenate([of_one, of_other])
    cut = max(float(np.quantile(both, _INSIDE)), _ROUNDING)
    baseline = {
        "rows": len(of_other),
        "mean": float(of_other.mean()),
        "variance": float(of_other.var()),
        "whole": float(both.mean()),
        "cut": cut,
    }
    arrays = whole.directions, half.directions, np.array([cut, whole.kept, half.kept])
    digest = digest_of("halves", matrix.fingerprint, *arrays)
    return {"digest": digest, "whole": whole.to_state(), "half": half.to_state(), "baseline": baseline}


def fit(basis: Basis) -> FittedReconstruction | None:
    """Return the signal as it was learned from the reference, None where it could not be."""
    found = basis.learned("reconstruction", "digest")
    if found is None:
        return None
    reference, learned = found
    whole, half = (Components.from_state(learned[name]) for name in ("whole", "half"))
    baseline = Baseline(**learned["baseline"])
    return FittedReconstruction(RowMatrix.of(reference), whole, half, baseline, learned["digest"], *terms_of(basis))


def values(residuals: Residuals, fitted: FittedReconstruction) -> Samples:
    """Return the mean error and what it was, the share of rows above the cut, from 2 rows on, and the flag."""
    if residuals.rows < _MIN_ROWS:
        return {}
    said = {
        "model_reconstruction_error": residuals.total / residuals.rows,
        "model_reconstruction_error_baseline": fitted.baseline.whole,
        "model_reconstruction_outlier_ratio": residuals.above / residuals.rows,
        "model_reconstruction_drift_detected": fitted.is_detected(residuals, significance=fitted.significance),
    }
    return {family: [Sample((), float(value))] for family, value in said.items() if value is not None}


SIGNAL: Final = Signal("reconstruction", "predictions", Residuals, fit, values, learn)

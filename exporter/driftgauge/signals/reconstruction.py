"""How well rows keep to the reference's correlations: their error after reconstruction from its principal components.

The numeric features are standardised by the reference's mean and standard deviation, and the components that explain
65 % of its variance are kept, as NannyML does (`DataReconstructionDriftCalculator`). A row's error is the norm of what
these leave of it, in standard deviations. A missing value counts as the mean. Columns that are constant in the
reference are left out; with fewer than two others, or too few rows, there is no such signal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import Columns, FloatArray, IntArray
from driftgauge.config import ModelConfig
from driftgauge.reference import NumericProfile, Reference
from driftgauge.samples import Sample, Samples
from driftgauge.signals.signal import Basis, Learned, Signal

# Share of the variance that the kept components explain.
_EXPLAINED: Final = 0.65
# Of rows like the reference's, this share has an error up to the cut.
_INSIDE: Final = 0.99
# Rows that a reference needs in all, and for each column: the cut is a high quantile, fitted twice on half of them.
_FEW_ROWS: Final = 200
_ROWS_PER_COLUMN: Final = 10
# A larger reference is fitted on rows at even distances, with this many values in all: 134 MB.
_MOST_VALUES: Final = 2**24
# An error in standard deviations below which everything is rounding, as of columns that determine each other.
_ROUNDING: Final = 1e-6
# Values standardised at a time, so that they stay in the processor's cache.
_AT_ONCE: Final = 2**17
_MIN_ROWS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """`rows` with the `total` of their errors, that of the squares, and how many were `above` the reference's cut."""

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0
    above: int = 0

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add; `combine([])` is the identity."""
        return cls(
            sum(part.rows for part in parts),
            sum(part.total for part in parts),
            sum(part.squares for part in parts),
            sum(part.above for part in parts),
        )

    @property
    def size(self) -> int:
        """Four numbers are of no account."""
        return 0

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"rows": self.rows, "total": self.total, "squares": self.squares, "above": self.above}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the residuals that `to_state` described."""
        return cls(**state)


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Means and standard deviations (d,) of the reference's `columns`."""

    columns: tuple[str, ...]
    means: FloatArray
    deviations: FloatArray

    @classmethod
    def of(cls, reference: Reference) -> Self:
        """Return that of the numeric features that vary."""
        found = {
            name: (profile.mean, profile.stddev)
            for name, profile in reference.profiles.items()
            if name in reference.features and isinstance(profile, NumericProfile) and not profile.constant
            if np.isfinite([profile.mean, profile.stddev]).all() and profile.stddev > 0
        }
        means, deviations = np.array(list(found.values())).reshape(-1, 2).T
        return cls(tuple(found), means, deviations)

    def standardised(self, numbers: Mapping[str, FloatArray], rows: int) -> Iterator[FloatArray]:
        """Yield the columns (d, m) of m of the rows after each other, 0 where missing, in the same memory each time."""
        step = max(1, _AT_ONCE // len(self.columns))
        found = np.empty((len(self.columns), min(step, rows)))
        for start in range(0, rows, step):
            some = found[:, : min(step, rows - start)]
            for at, name in enumerate(self.columns):
                if name not in numbers:
                    some[at] = 0.0
                    continue
                values = numbers[name][start : start + step]
                with np.errstate(over="ignore", invalid="ignore"):
                    np.subtract(values, self.means[at], out=some[at])
                    some[at] /= self.deviations[at]
                finite = np.isfinite(values)
                if not finite.all():
                    some[at, ~finite] = 0.0
            yield some


@dataclass(frozen=True, eq=False)
class FittedReconstruction:
    """What the kept components leave is what lies in the directions of `residual` (r, d), which are orthonormal.

    cut: the error that 1 % of rows like the reference's exceed.
    """

    scale: Scale
    residual: FloatArray
    cut: float

    @cached_property
    def fingerprint(self) -> str:
        """Errors from other components, or counted above another cut, do not add."""
        arrays = (self.scale.means, self.scale.deviations, self.residual, np.array([self.cut]))
        parts = (repr(self.scale.columns).encode(), *(array.astype("<f8").tobytes() for array in arrays))
        return blake2b(b"".join(parts), digest_size=16).hexdigest()

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Residuals]:
        """Add up the errors of each group."""
        if not len(rows):
            return [Residuals() for _ in ends]
        errors = np.concatenate(
            [_norms(self.residual, some) for some in self.scale.standardised(rows.numbers, len(rows))]
        )
        starts = np.concatenate([[0], ends[:-1]])
        with np.errstate(over="ignore"):
            sums = [np.add.reduceat(values, starts) for values in (errors, np.square(errors))]
        above = np.add.reduceat(errors > self.cut, starts, dtype=np.int64)
        found = (np.diff(ends, prepend=0), *sums, above)
        return [Residuals(*group) for group in zip(*(values.tolist() for values in found), strict=True)]


def learn(chunks: Sequence[Columns], reference: Reference, _: ModelConfig) -> Learned:
    """Return scale, residual and cut of `FittedReconstruction`; or, as `reason`, why there are none."""
    scale = Scale.of(reference)
    columns = len(scale.columns)
    if columns < 2:
        return {"reason": f"needs 2 numeric features that vary in the reference, but has {columns}"}
    needed = max(_FEW_ROWS, _ROWS_PER_COLUMN * columns)
    if reference.rows < needed:
        return {"reason": f"needs {needed} reference rows for {columns} numeric features, but has {reference.rows}"}
    rows = _sampled(scale, chunks, reference.rows)
    kept, directions = _components(rows)
    # No row is measured by components that were fitted on it: that would make the cut too low.
    halves = rows[::2], rows[1::2]
    errors = [_norms(_components(halves[1 - at])[1][kept:], half.T) for at, half in enumerate(halves)]
    cut = float(np.quantile(np.concatenate(errors), _INSIDE))
    scaled = {"columns": scale.columns, "means": scale.means, "deviations": scale.deviations}
    return {**scaled, "residual": directions[kept:], "cut": max(cut, _ROUNDING)}


def fit(basis: Basis) -> FittedReconstruction | None:
    """Return the signal as it was learned from the reference, None where it could not be."""
    learned = basis.reference.learned.get("reconstruction") if basis.reference else None
    if learned is None or "reason" in learned:
        return None
    scale = Scale(tuple(learned["columns"]), learned["means"], learned["deviations"])
    return FittedReconstruction(scale, learned["residual"], learned["cut"])


def values(residuals: Residuals, _: FittedReconstruction) -> Samples:
    """Return the mean error, and the share of rows above the cut, from 2 rows on."""
    if residuals.rows < _MIN_ROWS:
        return {}
    return {
        "model_reconstruction_error": [Sample((), residuals.total / residuals.rows)],
        "model_reconstruction_outlier_ratio": [Sample((), residuals.above / residuals.rows)],
    }


def _norms(residual: FloatArray, standard: FloatArray) -> FloatArray:
    """Return the error of each row (m,) of standardised columns (d, m), infinite where a value is too far out."""
    with np.errstate(over="ignore", invalid="ignore"):
        left = residual @ standard
        norms: FloatArray = np.sqrt(np.square(left, out=left).sum(axis=0))
    norms[np.isnan(norms)] = np.inf
    return norms


def _sampled(scale: Scale, chunks: Sequence[Columns], rows: int) -> FloatArray:
    """Return rows (n, d) of the reference, standardised: all of them, or some at even distances."""
    step = -(-rows * len(scale.columns) // _MOST_VALUES)
    found, before = [], 0
    for chunk in chunks:
        chosen = slice(-before % step, None, step)
        numbers = {name: chunk.numbers[name][chosen] for name in scale.columns if name in chunk.numbers}
        found += [some.T.copy() for some in scale.standardised(numbers, len(range(len(chunk))[chosen]))]
        before += len(chunk)
    return np.concatenate(found)


def _components(rows: FloatArray) -> tuple[int, FloatArray]:
    """Return how many components are kept, and all directions (d, d), those that explain most first.

    One direction is always left, which matters for two columns that hardly correlate.
    """
    from sklearn.decomposition import PCA

    fitted = PCA(svd_solver="covariance_eigh").fit(rows)
    # scikit-learn's rule for `n_components=0.65`.
    kept = int(np.searchsorted(fitted.explained_variance_ratio_.cumsum(), _EXPLAINED, side="right")) + 1
    return min(kept, rows.shape[1] - 1), np.asarray(fitted.components_, np.float64)


SIGNAL: Final = Signal("reconstruction", "predictions", Residuals, fit, values, learn)

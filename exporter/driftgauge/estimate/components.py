"""Principal components of rows, and how much they leave of a row: NannyML's reconstruction error.

Rows are standardised, and the components that explain 65 % of their variance are kept, as in NannyML's
`DataReconstructionDriftCalculator`. A row's error is the norm of what these leave of it, in standard deviations.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import FloatArray

# Share of the variance that the kept components explain.
_EXPLAINED: Final = 0.65


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Orthonormal directions (k, d): either those that are kept or, if they are fewer, those that are left.

    An error is what is left of a row, ‖left z‖² = ‖z‖² - ‖kept z‖².
    """

    directions: FloatArray
    kept: bool

    @classmethod
    def fit(cls, columns: FloatArray) -> Self:
        """Return the components of standardised rows (d, n).

        One direction is always left, which matters for two columns that hardly correlate.
        """
        from sklearn.decomposition import PCA

        fitted = PCA(svd_solver="covariance_eigh").fit(columns.T)
        # scikit-learn's rule for `n_components=0.65`.
        found = int(np.searchsorted(fitted.explained_variance_ratio_.cumsum(), _EXPLAINED, side="right")) + 1
        kept = min(found, len(columns) - 1)
        directions = np.asarray(fitted.components_, np.float64)
        # Exact where rows hardly leave the components; half the work where these are few.
        return cls(directions[:kept], kept=True) if 2 * kept <= len(columns) else cls(directions[kept:], kept=False)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the components that `to_state` described."""
        return cls(state["directions"], bool(state["kept"]))

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"directions": self.directions, "kept": self.kept}


def errors(fits: "list[Components]", columns: FloatArray) -> list[FloatArray]:
    """Return, for each of some fits, the errors (n,) of standardised rows (d, n); infinite where one is too far out."""
    with np.errstate(over="ignore", invalid="ignore"):
        seen = np.concatenate([fit.directions for fit in fits]) @ columns
        lengths = np.einsum("ij,ij->j", columns, columns)
        found, start = [], 0
        for fit in fits:
            part = seen[start : start + len(fit.directions)]
            start += len(part)
            squares = np.einsum("ij,ij->j", part, part)
            # Rounding can leave less than nothing.
            norms = np.sqrt(np.maximum(lengths - squares, 0.0) if fit.kept else squares)
            norms[~np.isfinite(norms)] = np.inf
            found.append(norms)
    return found

"""Drift of the joint distribution of the features, also where none of them moves; see `estimate.frequencies`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import Columns, FloatArray, IntArray
from driftgauge.config import ModelConfig
from driftgauge.estimate.frequencies import VALUES, Comparison, Spectrum, is_detected
from driftgauge.estimate.rows import Block, RowMatrix, digest_of, too_few
from driftgauge.reference import Reference
from driftgauge.samples import Sample, Samples
from driftgauge.signals.joint import fold_alone, terms_of
from driftgauge.signals.signal import Basis, Learned, Signal

# A change of fewer rows is not judged, nor one from a reference of fewer rows: with 500, up to 7 % of windows without
# drift were flagged.
MIN_ROWS: Final = 500
MIN_REFERENCE_ROWS: Final = 2_000
# MMD² of a drift that is large.
LEAST_MMD2: Final = 0.0005
# Rows that a reference needs in all, and for each column.
_FEW_ROWS: Final = 500
_ROWS_PER_COLUMN: Final = 2
_MIN_ROWS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Frequencies:
    """`rows`, and the sums (64,) of φ over them."""

    rows: int = 0
    sums: FloatArray = field(default_factory=lambda: np.zeros(VALUES))

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add; `combine([])` is the identity."""
        return cls(sum(part.rows for part in parts), np.sum([np.zeros(VALUES), *(part.sums for part in parts)], axis=0))

    @property
    def size(self) -> int:
        """65 numbers are of no account."""
        return 0

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"rows": self.rows, "sums": self.sums}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the frequencies that `to_state` described."""
        return cls(**state)


@dataclass(frozen=True, eq=False)
class FittedMultivariate:
    """digest: of all that φ depends on. significance: of the flag. by_effect: the flag asks for a large MMD² too."""

    matrix: RowMatrix
    spectrum: Spectrum
    digest: str
    significance: float
    by_effect: bool

    @property
    def fingerprint(self) -> str:
        """Sums at other frequencies, or of other numbers, do not add."""
        return self.digest

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Frequencies]:
        """Add up φ over each group."""
        return fold_alone(self, Frequencies, rows, ends)

    def begin(self, rows: Columns, ends: IntArray) -> "_Adding":  # noqa: ARG002 - of the seam
        """Return sums of nothing."""
        return _Adding(self.spectrum, ends)

    def compare(self, found: Frequencies) -> Comparison | None:
        """Return how far a window is from the reference, from 2 rows on."""
        return self.spectrum.compare(found.rows, found.sums) if found.rows >= _MIN_ROWS else None

    def is_detected(self, found: Frequencies, *, significance: float) -> bool | None:
        """Tell whether a window drifted, at this significance; None where it cannot be judged."""
        compared = self.compare(found)
        if compared is None or self.spectrum.rows < MIN_REFERENCE_ROWS:
            return None
        least = LEAST_MMD2 if self.by_effect else 0.0
        return is_detected(compared, found.rows, least=least, significance=significance, min_rows=MIN_ROWS)


class _Adding:
    def __init__(self, spectrum: Spectrum, ends: IntArray) -> None:
        self._spectrum = spectrum
        self._rows = np.diff(ends, prepend=0)
        self._sums = np.zeros((VALUES, len(ends)))

    def add(self, block: Block) -> None:
        block.add_to(self._sums, self._spectrum.values(block.ranks))

    def aggregates(self) -> Sequence[Frequencies]:
        return [Frequencies(rows, sums.copy()) for rows, sums in zip(self._rows.tolist(), self._sums.T, strict=True)]


def learn(chunks: Sequence[Columns], reference: Reference, _model: ModelConfig) -> Learned:
    """Return the reference's spectrum; or, as `reason`, why there is none."""
    matrix = RowMatrix.of(reference)
    reason = too_few(reference, len(matrix.rank_names), rows=_FEW_ROWS, per_column=_ROWS_PER_COLUMN)
    if reason:
        return {"reason": reason}
    ranks = matrix.sampled_ranks(chunks)
    # Never of the clock: the same reference gives the same frequencies.
    spectrum = Spectrum.fit(ranks, seed=int(reference.layout.fingerprint, 16))
    if spectrum is None:
        return {"reason": "all rows of the reference are alike"}
    state = spectrum.to_state()
    digest = digest_of(matrix.fingerprint, repr(spectrum.exponent), spectrum.frequencies)
    return {**state, "digest": digest}


def fit(basis: Basis) -> FittedMultivariate | None:
    """Return the signal as it was learned from the reference, None where it could not be."""
    found = basis.learned("multivariate", "digest")
    if found is None:
        return None
    reference, learned = found
    matrix, spectrum = RowMatrix.of(reference), Spectrum.from_state(learned)
    return FittedMultivariate(matrix, spectrum, learned["digest"], *terms_of(basis))


def values(found: Frequencies, fitted: FittedMultivariate) -> Samples:
    """Return distance and p-value from 2 rows on, and the flag from 500 on."""
    compared = fitted.compare(found)
    if compared is None:
        return {}
    detected = fitted.is_detected(found, significance=fitted.significance)
    said = {
        "model_multivariate_drift_mmd2": compared.mmd2,
        "model_multivariate_drift_pvalue": compared.pvalue,
        "model_multivariate_drift_detected": detected,
    }
    return {family: [Sample((), float(value))] for family, value in said.items() if value is not None}


SIGNAL: Final = Signal("multivariate", "predictions", Frequencies, fit, values, learn)

"""Performance of a regression estimated from its inputs: of predictions, and of labelled rows.

Both count rows in the strata of one tree, which is learned from the reference's labelled rows (`estimate.strata`). A
labelled row that comes back from the store brings its stratum along (`estimate.coding`). Rows of no known stratum are
counted, and where there are any there is no estimate: what is left of a window would be a biased remainder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite, sqrt
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.aggregates.distribution import as_floats
from driftgauge.aggregates.strata import StrataSums
from driftgauge.columns import Columns, FloatArray, IntArray, ValueArray
from driftgauge.config import ModelConfig
from driftgauge.estimate.coding import MISSING, STRATA, Coding, coding_of
from driftgauge.estimate.dispersion import dispersion
from driftgauge.estimate.estimator import Estimate, Estimates
from driftgauge.estimate.strata import MOST_STRATA, LabelledStrata, Strata, rows_a_stratum
from driftgauge.estimate.tree import SingleArray, Tree
from driftgauge.reference import Reference
from driftgauge.signals.signal import Basis, Learned, Signal

# Labelled rows that a reference needs, and its slice for a segment.
_FEW_ROWS: Final = 500
_FEW_OF_A_SEGMENT: Final = 100
# A tree is fitted to rows at even distances, at most so many, with at most so many values in all.
_MOST_ROWS: Final = 100_000
_MOST_VALUES: Final = 2_100_000
# Errors whose fourth power is a number.
_LARGEST: Final = 1e75
# Of the variance of the labels, as much is explained by models on the rows that they were trained on.
_PERFECT: Final = 0.999
_TRAINED_ON: Final = (
    "the model makes nearly no errors on its reference, as on the rows that it was trained on: then estimates are too "
    "good, and later errors look like concept drift. A reference should be of rows that training has not seen"
)


@dataclass(frozen=True, slots=True, eq=False)
class FittedStrata:
    """Counts predictions in the strata of a coding; `strata` says what is to be expected there."""

    by: Coding
    strata: Strata

    @property
    def fingerprint(self) -> str:
        """Rows in the strata of different trees do not add."""
        return self.by.fingerprint

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[StrataSums]:
        """Count the rows of each group that have a prediction."""
        return _groups(self.by, rows, ends, _numbers(rows.predicted), labelled=False)

    def estimates(self, aggregate: Any, *, rows: int, scored: bool) -> Estimates:  # noqa: ARG002 - there are no scores
        """Return the estimates of a window, as `Estimator` describes them."""
        if not isinstance(aggregate, StrataSums) or aggregate.rows != rows or aggregate.unknown:
            return {}
        return {
            metric: Estimate(value, sqrt(variance) if variance > 0 and isfinite(variance) else None)
            for metric, (value, variance) in self.strata.judge(aggregate).items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class FittedLabelledStrata(FittedStrata):
    """The same for labelled rows, with what they lost."""

    @property
    def coding(self) -> Coding:
        """By what rows are kept until their labels come."""
        return self.by

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[StrataSums]:
        """Add up the errors of each group."""
        return _groups(self.by, rows, ends, _errors(rows), labelled=True)


def learn(chunks: Sequence[Columns], reference: Reference, model: ModelConfig) -> Learned:
    """Return the tree and what is known of its strata, or of a part of the reference the latter alone.

    Nothing for classes, and as `reason` why a regression has none. warning: as of a reference that looks like training
    data.
    """
    if model.task != "regression":
        return {}
    rows = _labelled(chunks)
    count = sum(map(len, rows))
    errors = np.concatenate([_errors(each) for each in rows])
    whole = reference.learned.get(STRATA)
    if whole is not None:
        return _learn_part(rows, errors, coding_of(reference), whole)
    if count < _FEW_ROWS:
        return {"reason": f"needs {_FEW_ROWS} labelled reference rows, but has {count}"}
    if not errors.any():
        return {"reason": f"needs errors in the reference, but has none: {_TRAINED_ON}"}
    coding = Coding.of(reference)
    step = max(1, -(-count // min(_MOST_ROWS, _MOST_VALUES // (len(coding.columns) + 1))))
    tree = _tree(_inputs(coding, rows, step), errors[::step])
    strata = _strata_of(replace(coding, tree=tree), rows)
    found = LabelledStrata(strata, errors)

    def learned(some: LabelledStrata) -> Strata:
        return Strata.of(some.sums(tree.leaves))

    scatter = dispersion(found, learned, model.average)
    arrays = replace(learned(found), dispersion=scatter).arrays | {"tree": tree.to_state()}
    labels = np.concatenate([as_floats(each.label) for each in rows])
    perfect = np.square(errors).mean() < (1 - _PERFECT) * labels.var()
    return arrays | {"warning": _TRAINED_ON} if perfect else arrays


def fit(basis: Basis) -> FittedStrata | None:
    """Return the signal of predictions as it was learned from the reference, None where it could not be."""
    found = _fitted(basis)
    return found and FittedStrata(*found)


def fit_labelled(basis: Basis) -> FittedLabelledStrata | None:
    """Return the signal of labelled rows."""
    found = _fitted(basis)
    return found and FittedLabelledStrata(*found)


def _fitted(basis: Basis) -> tuple[Coding, Strata] | None:
    found = basis.learned(STRATA, "means")
    return found and (coding_of(found[0]), Strata.from_arrays(found[1]))


def _learn_part(rows: Sequence[Columns], errors: FloatArray, coding: Coding, whole: Learned) -> Learned:
    """Return the strata of the whole, scaled to what rows of a segment lost."""
    if coding.tree is None:
        return {"reason": str(whole.get("reason", "the whole reference has no strata"))}
    if len(errors) < _FEW_OF_A_SEGMENT:
        return {"reason": f"needs {_FEW_OF_A_SEGMENT} labelled reference rows in the segment, but has {len(errors)}"}
    found = LabelledStrata(_strata_of(coding, rows), errors)
    return Strata.from_arrays(whole).within(found.sums(coding.tree.leaves)).arrays


def _tree(inputs: Sequence[SingleArray], errors: FloatArray) -> Tree:
    return Tree.fitted(inputs, errors, leaves=MOST_STRATA, rows_a_leaf=rows_a_stratum(len(errors)))


def _errors(rows: Columns) -> FloatArray:
    """Return the absolute error of each row (n,), NaN where there is none or where it is too large to be squared."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.abs(_numbers(rows.predicted) - _numbers(rows.label))
        return np.where(found < _LARGEST, found, np.nan)


def _numbers(values: ValueArray) -> FloatArray:
    """Return predictions or labels (n,) as numbers, NaN where there are none."""
    return as_floats(values) if pa.types.is_floating(values.type) else np.full(len(values), np.nan)


def _labelled(chunks: Sequence[Columns]) -> list[Columns]:
    """Return the rows of the reference that have an error."""
    return [chunk.take(np.isfinite(_errors(chunk))) for chunk in chunks]


def _inputs(coding: Coding, chunks: Sequence[Columns], step: int) -> list[SingleArray]:
    """Return what a tree divides rows by, of every `step`th of all rows."""
    found, before = [], 0
    for chunk in chunks:
        found.append(coding.inputs(chunk.span(slice(-before % step, None, step))))
        before += len(chunk)
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _strata_of(coding: Coding, chunks: Sequence[Columns]) -> IntArray:
    return np.concatenate([coding.strata(chunk) for chunk in chunks]).astype(np.int64)


def _groups(coding: Coding, rows: Columns, ends: IntArray, errors: FloatArray, *, labelled: bool) -> list[StrataSums]:
    """Add up each group of rows; errors: (n,) those of rows that cannot be judged are NaN."""
    leaves = coding.tree.leaves if coding.tree else 0
    strata = coding.strata(rows).astype(np.int64)
    known = strata != MISSING
    judged = np.isfinite(errors)
    found = []
    for start, end in pairwise([0, *ends.tolist()]):
        here = slice(start, end)
        usable = judged[here] & known[here]
        found.append(
            StrataSums.fold(
                strata[here][usable],
                errors[here][usable] if labelled else None,
                leaves=leaves,
                rows=end - start,
                unknown=int(np.count_nonzero(judged[here] & ~known[here])),
            )
        )
    return found


SIGNAL: Final = Signal("strata", "predictions", StrataSums, fit, learn=learn)
OUTCOMES: Final = Signal("strata_outcomes", "labelled", StrataSums, fit_labelled)

"""Performance of a classifier estimated from its scores: of predictions (`estimate`) and of labelled rows (`concept`).

Both count rows on the cells of one estimator, which is learned from the reference's labelled rows: `estimate.binary` or
`estimate.multiclass`. Rows that cannot be judged are counted, and where there are any there is no estimate: what is
left of a window would be a biased remainder.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.aggregates.expected import Expected
from driftgauge.columns import BoolArray, Columns, FloatArray, IntArray, TextArray
from driftgauge.config import ModelConfig
from driftgauge.estimate.binary import BinaryEstimator, BinaryRows
from driftgauge.estimate.calibration import PERFECT_RANKING, calibration_helps
from driftgauge.estimate.dispersion import Spread
from driftgauge.estimate.estimator import Estimate, Estimates
from driftgauge.estimate.multiclass import ClassRows, MulticlassEstimator
from driftgauge.grid import ends_among
from driftgauge.reference import Reference
from driftgauge.schema import Average
from driftgauge.signals.signal import Basis, Learned, Signal

# Labelled rows that the reference needs.
_FEW_ROWS: Final = 500
# A larger reference is learned from rows at even distances, with this many scores in all.
_MOST_SCORES: Final = 600_000
# Every pair of classes is a sum in every pane.
_MOST_CLASSES: Final = 50
_TRAINED_ON: Final = (
    "the model is nearly always right on its reference, as on the rows that it was trained on: then estimates are too "
    "good, and later performance looks like concept drift. A reference should be of rows that training has not seen"
)


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """Of rows (n,): where there is a prediction that can be judged, and how many of each group are what else.

    usable: (n,). codes: (u,) what is predicted, of the usable ones. unusable, zeros, ones: (p,), as in `Expected`.
    """

    usable: BoolArray
    codes: IntArray
    unusable: IntArray
    zeros: IntArray
    ones: IntArray


@dataclass(frozen=True, eq=False)
class FittedBinary:
    """The estimator of a binary model, by `average`, and how far it may be off."""

    estimator: BinaryEstimator
    average: Average
    spread: Spread

    @property
    def fingerprint(self) -> str:
        """That of the cells."""
        return self.estimator.fingerprint

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Expected]:
        """Count each group of rows on the cells of scores."""
        score = rows.score
        parts = _split(rows, ends, _valid(score), ("0", "1"), missing=np.isnan(score))
        at = ends_among(parts.usable, ends)
        return _groups(parts, ends, self.estimator.tally(score[parts.usable], parts.codes.astype(np.float64), at))

    def estimates(self, aggregate: Any, *, rows: int, scored: bool) -> Estimates:
        """Return the estimates of a window, as `Estimator` describes them."""
        if not isinstance(aggregate, Expected) or aggregate.rows != rows:
            return {}
        bare = self._as_scores(aggregate) if scored else aggregate
        return _estimates(self.estimator.judge(bare, self.average), bare, self.spread)

    def predictions(self, expected: Expected) -> int:
        """Return how many rows the estimates are of, where there are any."""
        return int(expected.counts.sum()) + expected.zeros + expected.ones

    def _as_scores(self, expected: Expected) -> Expected:
        """Return them with rows that have the class 0 or 1 alone counted as if that were the score."""
        counts = np.array([expected.zeros, expected.ones])
        known = counts > 0
        if not known.any():
            return expected
        values = np.array([0.0, 1.0])
        scores, told = np.repeat(values[known], 1), values[known]
        ((keys, ones, sums),) = self.estimator.tally(scores, told, np.array([len(scores)]))
        added = Expected(keys=keys, counts=ones * counts[known], sums=sums * counts[known])
        rest = Expected(expected.rows, expected.unusable, 0, 0, expected.keys, expected.counts, expected.sums)
        return Expected.combine([rest, added])


@dataclass(frozen=True, eq=False)
class FittedMulticlass:
    """The estimator of a model of these `classes`, in ascending order; the others are as in `FittedBinary`."""

    classes: tuple[str, ...]
    estimator: MulticlassEstimator
    average: Average
    spread: Spread

    @property
    def fingerprint(self) -> str:
        """That of cells and maps, and the names of the classes."""
        return f"{self.estimator.fingerprint}:{self.classes!r}"

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Expected]:
        """Count each group of rows on the cells of their classes' scores, with their probabilities."""
        scores = _class_scores(rows, self.classes)
        parts = _split(rows, ends, np.asarray(_valid(scores).all(axis=0)), self.classes)
        at = ends_among(parts.usable, ends)
        return _groups(parts, ends, self.estimator.tally(scores[:, parts.usable], parts.codes, at))

    def estimates(self, aggregate: Any, *, rows: int, scored: bool) -> Estimates:  # noqa: ARG002 - classes have no bits
        """Return the estimates of a window, as `Estimator` describes them."""
        if not isinstance(aggregate, Expected) or aggregate.rows != rows:
            return {}
        return _estimates(self.estimator.judge(aggregate, self.average), aggregate, self.spread)

    def predictions(self, expected: Expected) -> int:
        """Return how many rows the estimates are of, where there are any."""
        return self.estimator.rows_of(expected)


def learn(chunks: Sequence[Columns], _: Reference, model: ModelConfig) -> Learned:
    """Return the arrays of the estimator and the dispersion of its variances; or, as `reason`, why there are none.

    warning: what is to be said of a reference that looks like training data.
    """
    if model.task == "regression":
        return {"reason": "scores are of classes; a regression has none"}
    return (_learn_binary if model.task == "binary" else _learn_multiclass)(_labelled(chunks), model.average)


def fit(basis: Basis) -> FittedBinary | FittedMulticlass | None:
    """Return the signal as it was learned from the reference, None where it could not be."""
    return estimator_of(basis.model, basis.reference)


def estimator_of(model: ModelConfig, reference: Reference | None) -> FittedBinary | FittedMulticlass | None:
    """Return what estimates performance, None where the reference could not teach it."""
    learned = reference.learned.get("estimate", {}) if reference else {}
    if "dispersion" not in learned:
        return None
    average, spread = model.average, Spread(learned["dispersion"], learned["bias"])
    if "classes" in learned:
        estimator = MulticlassEstimator.from_arrays(learned)
        return FittedMulticlass(tuple(learned["classes"]), estimator, average, spread)
    return FittedBinary(BinaryEstimator.from_arrays(learned), average, spread)


def _estimates(judged: Mapping[str, tuple[float, float | None]], expected: Expected, spread: Spread) -> Estimates:
    """Return the metrics with their standard errors, none where some rows could not be judged."""
    if expected.unusable or expected.zeros or expected.ones:
        return {}
    return {name: Estimate(value, spread.error(name, variance)) for name, (value, variance) in judged.items()}


def _valid(scores: FloatArray) -> BoolArray:
    """Tell which scores are in [0, 1]."""
    found: BoolArray = (scores >= 0) & (scores <= 1)
    return found


def _split(
    rows: Columns, ends: IntArray, valid: BoolArray, classes: Sequence[str], *, missing: BoolArray | None = None
) -> _Split:
    """Return which rows can be judged; missing: (n,) where there is no score, so that a bit may be one."""
    codes = _codes(rows.predicted, classes)
    answered = pc.is_valid(rows.predicted).to_numpy(zero_copy_only=False)
    usable = valid & (codes >= 0)
    nothing = np.zeros(len(rows), np.bool_)
    bare = nothing if missing is None else missing & (codes >= 0)
    masks = (answered & ~usable & ~bare, bare & (codes == 0), bare & (codes == 1))
    return _Split(usable, codes[usable], *(_counted(mask, ends) for mask in masks))


def _codes(text: TextArray, classes: Sequence[str]) -> IntArray:
    """Return the position of each text (n,) among the classes, -1 where it is none of them."""
    if not pa.types.is_string(text.type):
        return np.full(len(text), -1)
    found = pc.index_in(text, value_set=pa.array(classes, pa.string()))
    codes: IntArray = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _counted(mask: BoolArray, ends: IntArray) -> IntArray:
    """Return how many rows (n,) of each group are chosen; ends: (p,)."""
    sums = np.concatenate([[0], np.cumsum(mask)])[ends]
    return np.diff(sums, prepend=0)


def _groups(parts: _Split, ends: IntArray, tallies: Sequence[tuple[Any, ...]]) -> list[Expected]:
    sizes = np.diff(ends, prepend=0).tolist()
    counts = (each.tolist() for each in (parts.unusable, parts.zeros, parts.ones))
    return [Expected(*numbers, *cells) for *numbers, cells in zip(sizes, *counts, tallies, strict=True)]


def _labelled(chunks: Sequence[Columns]) -> list[Columns]:
    """Return the rows of the reference with label and prediction, in the order of its file."""
    known = [pc.and_(pc.is_valid(chunk.label), pc.is_valid(chunk.predicted)) for chunk in chunks]
    return [
        chunk.take(rows.to_numpy(zero_copy_only=False).astype(np.bool_))
        for chunk, rows in zip(chunks, known, strict=True)
    ]


def _learn_binary(chunks: Sequence[Columns], average: Average) -> Learned:
    scores, codes, labels = (np.concatenate(each) for each in zip(*map(_binary_parts, chunks), strict=True))
    if reason := _refused(scores[np.newaxis], labels):
        return {"reason": reason}
    known = np.isfinite(scores) & (codes >= 0) & (labels >= 0)
    rows = BinaryRows(scores[known], codes[known].astype(np.float64), labels[known].astype(np.float64))
    if min(rows.positive.sum(), len(rows) - rows.positive.sum()) < 1 or len(rows) < _FEW_ROWS:
        return {"reason": f"needs {_FEW_ROWS} labelled reference rows of both classes with scores, but has {len(rows)}"}
    rows = rows.take(_thinned(len(rows), _MOST_SCORES))
    helps = calibration_helps(rows.scores, rows.positive)

    def learned(some: BinaryRows) -> BinaryEstimator:
        return BinaryEstimator.of(some, calibrated=helps)

    realised = rows.realised("binary")
    found = learned(rows).arrays | _spread_of(rows, learned, average)
    perfect = realised.get("roc_auc", 0.0) > PERFECT_RANKING or realised["accuracy"] == 1
    return found | {"warning": _TRAINED_ON} if perfect else found


def _binary_parts(chunk: Columns) -> tuple[FloatArray, IntArray, IntArray]:
    """Return scores (n,), NaN where there are none, and the positions of predicted classes and labels in 0, 1."""
    codes, labels = (_codes(text, ("0", "1")) for text in (chunk.predicted, chunk.label))
    bare = np.isnan(chunk.score) & (codes >= 0) & chunk.facts.has_scores
    return np.where(bare, codes, chunk.score), codes, labels


def _learn_multiclass(chunks: Sequence[Columns], average: Average) -> Learned:
    classes = sorted({name for chunk in chunks for name in chunk.class_scores})
    if not 2 <= len(classes) <= _MOST_CLASSES:
        return {"reason": f"needs the scores of 2 to {_MOST_CLASSES} classes in the reference, but has {len(classes)}"}
    scores = np.concatenate([_class_scores(chunk, classes) for chunk in chunks], axis=1)
    codes, labels = (
        np.concatenate([_codes(text, classes) for text in texts])
        for texts in ([chunk.predicted for chunk in chunks], [chunk.label for chunk in chunks])
    )
    if reason := _refused(scores, labels):
        return {"reason": reason}
    known = np.isfinite(scores).all(axis=0) & (codes >= 0)
    rows = ClassRows(scores[:, known], codes[known], labels[known])
    rows = rows.take(_thinned(len(rows), _MOST_SCORES // len(classes)))
    if len(rows) < _FEW_ROWS or len(np.unique(rows.label)) < 2:
        return {"reason": f"needs {_FEW_ROWS} labelled reference rows with scores of classes, but has {len(rows)}"}
    helps = [calibration_helps(rows.scores[at], rows.of_class(at)) for at in range(len(classes))]

    def learned(some: ClassRows) -> MulticlassEstimator:
        return MulticlassEstimator.of(some, calibrated=helps)

    found = learned(rows).arrays | {"classes": classes} | _spread_of(rows, learned, average)
    return found | {"warning": _TRAINED_ON} if rows.realised(average)["accuracy"] == 1 else found


def _spread_of(rows: Any, learned: Callable[[Any], Any], average: Average) -> dict[str, Any]:
    found = Spread.of(rows, learned, average)
    return {"dispersion": found.dispersion, "bias": found.bias}


def _class_scores(rows: Columns, classes: Sequence[str]) -> FloatArray:
    """Return the scores (classes, n) of rows, NaN where there are none."""
    missing = np.full(len(rows), np.nan)
    return np.array([rows.class_scores.get(name, missing) for name in classes]).reshape(len(classes), len(rows))


def _refused(scores: FloatArray, labels: IntArray) -> str | None:
    """Return why labelled rows with scores (classes, n) cannot be learned from; labels: (n,) positions of classes."""
    present = scores[np.isfinite(scores)]
    if not len(present):
        return "needs scores in the reference, beside labels"
    if (outside := present[(present < 0) | (present > 1)]).size:
        return f"needs scores from 0 to 1 in the reference, but has {outside[0]:g}"
    if len(np.unique(labels[labels >= 0])) < 2:
        return "needs labels of more than one class in the reference"
    return None


def _thinned(rows: int, most: int) -> IntArray:
    """Return the positions of all rows, or of some at even distances."""
    return np.arange(0, rows, max(1, -(-rows // most)))


ESTIMATE: Final = Signal("estimate", "predictions", Expected, fit, learn=learn)
CONCEPT: Final = Signal("concept", "labelled", Expected, fit)

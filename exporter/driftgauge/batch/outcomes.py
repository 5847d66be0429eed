"""Predictions and labels, by task: classes, scores, class probabilities and values.

Binary columns are read value by value: booleans, 0 and 1 and the words of `schema` are classes; a number
strictly between 0 and 1 is a score, and its class follows from the threshold. Once a column has shown such a
number, its other numbers are scores too, so that in 0.75, 1.0, 0.0 the last two are scores of 1 and 0; a column of
nothing but 0.0 and 1.0 has no scores. An explicit class wins over the class that a score would give.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.roles import Roles
from driftgauge.batch.rows import Rows
from driftgauge.batch.values import category_text, first_present, mask, numbers, unusable
from driftgauge.columns import BoolArray, FloatArray, ValueArray
from driftgauge.schema import NEGATIVE_WORDS, POSITIVE_WORDS, Task

CodeArray = npt.NDArray[np.int8]

_NO_CLASS: Final = -1
_POSITIVE: Final = pa.array(sorted(POSITIVE_WORDS))
_NEGATIVE: Final = pa.array(sorted(NEGATIVE_WORDS))
_CLASSES: Final = pa.array(["0", "1"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a block's rows predict.

    predicted, score, class_scores: as in `Columns`. bad: (n,) a prediction is there that the task cannot use.
    has_fractions: the prediction column holds scores.
    """

    predicted: ValueArray
    score: FloatArray
    bad: BoolArray
    class_scores: Mapping[str, FloatArray] = field(default_factory=dict)
    has_fractions: bool = False

    def without(self, rows: BoolArray) -> Self:
        """Return the same with nothing predicted in these rows (n,)."""
        if not rows.any():
            return self
        return replace(
            self,
            predicted=pc.if_else(pa.array(rows), pa.scalar(None, self.predicted.type), self.predicted),
            score=np.where(rows, np.nan, self.score),
            class_scores={name: np.where(rows, np.nan, values) for name, values in self.class_scores.items()},
        )


@dataclass(frozen=True, slots=True)
class _Binary:
    """codes: (n,) 0, 1 or -1 for none. numbers: (n,) values that were numbers, else NaN. bad: (n,)."""

    codes: CodeArray
    numbers: FloatArray
    bad: BoolArray

    def fractions(self) -> BoolArray:
        return (self.numbers > 0) & (self.numbers < 1)


def predictions(rows: Rows, roles: Roles, *, task: Task, threshold: float, score_column: bool) -> Outcome:
    """Read the predictions of a block; `score_column` says that earlier blocks showed fractions (binary only)."""
    column = first_present(rows, roles.paths["prediction"])
    if task == "binary":
        given = first_present(rows, roles.paths["score"])
        return _binary_outcome(column, given, threshold=threshold, score_column=score_column)
    if task == "regression":
        return _values(column)
    class_scores = {
        name: numbers(first_present(rows, paths)).values for name, paths in sorted(roles.class_scores.items())
    }
    return _class_outcome(column, class_scores)


def labels(rows: Rows, roles: Roles, task: Task) -> tuple[ValueArray, BoolArray]:
    """Return the labels of a block, null where absent, and where there is one that the task cannot use."""
    column = first_present(rows, roles.paths["label"])
    if pa.types.is_null(column.type):
        nothing = pa.nulls(len(rows), pa.float64() if task == "regression" else pa.string())
        return nothing, np.zeros(len(rows), dtype=np.bool_)
    if task == "binary":
        read = _read_binary(column)
        return _class_array(read.codes), read.bad | read.fractions()
    outcome = _values(column) if task == "regression" else _class_outcome(column, {})
    return outcome.predicted, outcome.bad


def _binary_outcome(prediction: Any, given: Any, *, threshold: float, score_column: bool) -> Outcome:
    read = _read_binary(prediction)
    fractions = read.fractions()
    has_fractions = score_column or bool(fractions.any())
    own = read.numbers if has_fractions else np.where(fractions, read.numbers, np.nan)
    explicit = numbers(given)
    score = np.where(np.isnan(explicit.values), own, explicit.values)
    from_score = np.where(np.isnan(score), _NO_CLASS, score >= threshold).astype(np.int8)
    codes = np.where(read.codes == _NO_CLASS, from_score, read.codes)
    # A score that is no number only matters where nothing else gives the class.
    bad = read.bad | (explicit.bad & (codes == _NO_CLASS))
    return Outcome(_class_array(codes), score, bad, has_fractions=has_fractions)


def _read_binary(column: Any) -> _Binary:
    if pa.types.is_boolean(column.type):
        codes = pc.fill_null(column.cast(pa.int8()), _NO_CLASS).to_numpy(zero_copy_only=False)
        return _Binary(codes, np.full(len(column), np.nan), np.zeros(len(column), dtype=np.bool_))
    values, bad = numbers(column)
    codes = np.select([values == 0, values == 1], [0, 1], _NO_CLASS).astype(np.int8)
    if pa.types.is_string(column.type) and bad.any():
        folded = pc.utf8_lower(pc.utf8_trim_whitespace(column))
        positive, negative = mask(pc.is_in(folded, value_set=_POSITIVE)), mask(pc.is_in(folded, value_set=_NEGATIVE))
        codes[bad & positive], codes[bad & negative] = 1, 0
        bad = bad & ~positive & ~negative
    outside = (values < 0) | (values > 1)
    return _Binary(codes, np.where(outside, np.nan, values), bad | outside)


def _class_array(codes: CodeArray) -> ValueArray:
    return _CLASSES.take(pa.array(codes, mask=codes == _NO_CLASS))


def _values(column: Any) -> Outcome:
    """Regression: finite numbers."""
    values, bad = numbers(column)
    return Outcome(pa.array(values, mask=np.isnan(values)), np.full(len(column), np.nan), bad)


def _class_outcome(column: Any, class_scores: Mapping[str, FloatArray]) -> Outcome:
    """Multiclass: any text names a class; without one the class with the highest probability is the prediction."""
    text = category_text(column)
    if class_scores and text.null_count:
        text = pc.coalesce(text, _most_probable(class_scores))
    return Outcome(text, np.full(len(column), np.nan), unusable(column), class_scores)


def _most_probable(class_scores: Mapping[str, FloatArray]) -> ValueArray:
    """Return the class of the highest probability, the first by name among equals; null where there is none."""
    matrix = np.column_stack([np.where(np.isnan(values), -np.inf, values) for values in class_scores.values()])
    best = matrix.argmax(axis=1)
    return pa.array(list(class_scores)).take(pa.array(best, mask=np.isneginf(matrix.max(axis=1))))

"""Predictions and labels, by task: classes, scores, class probabilities and values.

Binary columns are read value by value. Booleans, 0 and 1, -1 and +1 and the words of `schema` are the classes "0" and
"1"; other whole numbers and words are classes of their own name, unless `positive_class` says which of them is "1".
A number strictly between 0 and 1 is a score, and its class follows from the threshold. Once a column has shown such a
number, its other numbers are scores too, so that in 0.75, 1.0, 0.0 the last two are scores of 1 and 0; a column of
nothing but 0.0 and 1.0 has no scores. An explicit class wins over the class that a score would give.

A score says how likely the positive class is. Where classes have other names and nothing says which is positive, and
where scores are no probabilities and nothing says what they are, there is no score: that is noted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.roles import Paths, Roles
from driftgauge.batch.rows import Rows
from driftgauge.batch.values import class_text, first_present, mask, numbers, unusable
from driftgauge.columns import BoolArray, FloatArray, ValueArray
from driftgauge.schema import NEGATIVE_WORDS, POSITIVE_WORDS, ScoreScale, Task

Doubt = Literal["score_scale", "positive_class"]
CodeArray = npt.NDArray[np.int8]

_NO_CLASS: Final = -1
_POSITIVE: Final = pa.array(sorted(POSITIVE_WORDS))
_NEGATIVE: Final = pa.array(sorted(NEGATIVE_WORDS))
_CLASSES: Final = pa.array(["0", "1"])
# How far a sum of floats may lie outside a probability.
_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a block's rows predict.

    predicted, score, class_scores: as in `Columns`. bad: (n,) a prediction is there that the task cannot use.
    has_fractions: the prediction column holds scores. has_classes: some classes were written.
    named: binary classes have names of their own.
    doubts: why there are no scores although a column has some.
    """

    predicted: ValueArray
    score: FloatArray
    bad: BoolArray
    class_scores: Mapping[str, FloatArray] = field(default_factory=dict)
    has_fractions: bool = False
    has_classes: bool = False
    named: bool = False
    doubts: frozenset[Doubt] = frozenset()

    def read_from(self, roles: Roles) -> Paths:
        """Return the columns that scores come from or, without any, predictions."""
        has_scores = bool(np.isfinite(self.score).any())
        return (roles.paths["score"] if has_scores else ()) or roles.paths["prediction"]

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
class OutcomeRules:
    """How a model's outcomes are read. positive_class: as it is written; scale: what scores are, None if not said."""

    task: Task
    threshold: float = 0.5
    positive_class: str | None = None
    scale: ScoreScale | None = None


@dataclass(frozen=True, slots=True)
class _Binary:
    """codes: (n,) 0, 1 or -1 for none. numbers: (n,) values in [0, 1], else NaN. bad: (n,).

    names: (n,) text of the classes that have a name of their own, None where none has.
    """

    codes: CodeArray
    numbers: FloatArray
    bad: BoolArray
    names: ValueArray | None = None

    def classes(self, positive_class: str | None, otherwise: CodeArray | None = None) -> ValueArray:
        """Return the classes (n,) as text, those of `otherwise` where there is none."""
        if self.names is None and positive_class is None:
            return _class_array(self.codes if otherwise is None else _first_code(self.codes, otherwise))
        own = _class_array(self.codes)
        classes = _with_positive(own if self.names is None else pc.coalesce(own, self.names), positive_class)
        return classes if otherwise is None else pc.coalesce(classes, _class_array(otherwise))

    @property
    def has_classes(self) -> bool:
        """Whether any class was written."""
        return self.names is not None or bool((self.codes != _NO_CLASS).any())

    def fractions(self) -> BoolArray:
        return (self.numbers > 0) & (self.numbers < 1)


def predictions(rows: Rows, roles: Roles, how: OutcomeRules, *, score_column: bool, unscaled: bool = False) -> Outcome:
    """Read the predictions of a block.

    score_column, unscaled (binary only): earlier blocks showed fractions, and scores that are no probabilities.
    """
    column = first_present(rows, roles.paths["prediction"])
    if how.task == "binary":
        given = first_present(rows, roles.paths["score"])
        return _binary_outcome(column, given, how, score_column=score_column, unscaled=unscaled)
    if how.task == "regression":
        return _values(column)
    class_scores = {
        name: numbers(first_present(rows, paths)).values for name, paths in sorted(roles.class_scores.items())
    }
    return _class_outcome(column, class_scores)


def labels(rows: Rows, roles: Roles, how: OutcomeRules) -> tuple[ValueArray, BoolArray, bool]:
    """Return the labels of a block, null where absent, where there is one that the task cannot use, and `named`."""
    column = first_present(rows, roles.paths["label"])
    if pa.types.is_null(column.type):
        nothing = pa.nulls(len(rows), pa.float64() if how.task == "regression" else pa.string())
        return nothing, np.zeros(len(rows), dtype=np.bool_), False
    if how.task == "binary":
        read = _read_binary(column)
        return read.classes(how.positive_class), read.bad | read.fractions(), read.names is not None
    outcome = _values(column) if how.task == "regression" else _class_outcome(column, {})
    return outcome.predicted, outcome.bad, False


def _binary_outcome(prediction: Any, given: Any, how: OutcomeRules, *, score_column: bool, unscaled: bool) -> Outcome:
    if how.scale not in (None, "probability") and pa.types.is_null(given.type):
        prediction, given = given, prediction
    read = _read_binary(prediction)
    fractions = read.fractions()
    has_fractions = score_column or bool(fractions.any())
    own = read.numbers if has_fractions else np.where(fractions, read.numbers, np.nan)
    explicit = numbers(given)
    scaled = _SCALES[how.scale or "probability"](explicit.values)
    has_given = not pa.types.is_null(given.type)
    unscaled = unscaled or (has_given and bool(((scaled < -_ROUNDING) | (scaled > 1 + _ROUNDING)).any()))
    nameless = read.names is not None and how.positive_class is None
    score = np.where(np.isnan(scaled), own, scaled)
    if unscaled or nameless:
        score = np.full(len(score), np.nan)
    from_score = np.where(np.isnan(score), _NO_CLASS, score >= how.threshold).astype(np.int8)
    predicted = read.classes(None if has_fractions else how.positive_class, from_score)
    # A score that is no number, or no probability, only matters where nothing else gives the class.
    lost = explicit.bad | (~np.isnan(scaled) if unscaled else False)
    bad = read.bad | (lost & ~mask(predicted.is_valid()))
    has_scores = not np.isnan(scaled).all() or bool(fractions.any())
    doubts: dict[Doubt, bool] = {"score_scale": unscaled, "positive_class": nameless and has_scores}
    return Outcome(
        predicted,
        score,
        bad,
        has_fractions=has_fractions,
        has_classes=not has_fractions and read.has_classes,
        named=read.names is not None,
        doubts=frozenset(reason for reason, applies in doubts.items() if applies),
    )


def _read_binary(column: Any) -> _Binary:
    if pa.types.is_boolean(column.type):
        codes = pc.fill_null(column.cast(pa.int8()), _NO_CLASS).to_numpy(zero_copy_only=False)
        return _Binary(codes, np.full(len(column), np.nan), np.zeros(len(column), dtype=np.bool_))
    values, bad = numbers(column)
    codes = np.select([values == 0, values == 1], [0, 1], _NO_CLASS).astype(np.int8)
    named = outside = (values < 0) | (values > 1)
    if outside.any():
        codes[values == -1] = 0
        # Between whole numbers lies no class.
        bad = bad | (outside & (np.trunc(values) != values))
        named = outside & (values != -1) & ~bad
    if pa.types.is_string(column.type) and bad.any():
        folded = pc.utf8_lower(pc.utf8_trim_whitespace(column))
        positive, negative = mask(pc.is_in(folded, value_set=_POSITIVE)), mask(pc.is_in(folded, value_set=_NEGATIVE))
        codes[bad & positive & ~outside], codes[bad & negative & ~outside] = 1, 0
        words = bad & ~positive & ~negative & ~unusable(column) & ~outside
        # A column of fractions holds scores, and a word among them is no class.
        if ((values > 0) & (values < 1)).any():
            words[:] = False
        bad = bad & ~words & ~((positive | negative) & ~outside)
        named = named | words
    names = _without(class_text(column), ~named) if named.any() else None
    return _Binary(codes, np.where(outside, np.nan, values), bad, names)


def _first_code(codes: CodeArray, otherwise: CodeArray) -> CodeArray:
    return np.where(codes == _NO_CLASS, otherwise, codes)


def _with_positive(classes: ValueArray, positive_class: str | None) -> ValueArray:
    """Return "1" for the positive class and "0" for others; "0" and "1" stay beside a positive class that is a word."""
    if positive_class is None:
        return classes
    (positive,) = _read_binary(pa.array([positive_class])).classes(None).to_pylist()
    is_positive = pc.equal(classes, positive)
    if not _is_number(positive):
        is_positive = pc.or_(is_positive, pc.equal(classes, "1"))
    return pc.if_else(is_positive, "1", "0")


def _is_number(text: str | None) -> bool:
    return text is not None and not numbers(pa.array([text])).bad.any()


def _without(classes: ValueArray, rows: BoolArray) -> ValueArray:
    return pc.if_else(pa.array(rows), pa.scalar(None, pa.string()), classes) if rows.any() else classes


def _class_array(codes: CodeArray) -> ValueArray:
    return _CLASSES.take(pa.array(codes, mask=codes == _NO_CLASS))


def _logistic(margins: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-margins)), dtype=np.float64)


# From what a score is to the probability of the positive class.
_SCALES: Final[dict[ScoreScale, Callable[[FloatArray], FloatArray]]] = {
    "probability": lambda values: values,
    "percent": lambda values: values / 100,
    "margin": _logistic,
}


def _values(column: Any) -> Outcome:
    """Regression: finite numbers."""
    values, bad = numbers(column)
    return Outcome(pa.array(values, mask=np.isnan(values)), np.full(len(column), np.nan), bad)


def _class_outcome(column: Any, class_scores: Mapping[str, FloatArray]) -> Outcome:
    """Multiclass: any text names a class; without one the class with the highest probability is the prediction."""
    text = class_text(column)
    if class_scores and text.null_count:
        text = pc.coalesce(text, _most_probable(class_scores))
    return Outcome(text, np.full(len(column), np.nan), unusable(column), class_scores, has_classes=True)


def _most_probable(class_scores: Mapping[str, FloatArray]) -> ValueArray:
    """Return the class of the highest probability, the first by name among equals; null where there is none."""
    matrix = np.column_stack([np.where(np.isnan(values), -np.inf, values) for values in class_scores.values()])
    best = matrix.argmax(axis=1)
    return pa.array(list(class_scores)).take(pa.array(best, mask=np.isneginf(matrix.max(axis=1))))

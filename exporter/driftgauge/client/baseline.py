"""How good a model is on the rows of its reference: the metrics that later predictions are compared with.

The numbers are scikit-learn's, with the names and definitions of `model_performance_baseline`, so that the metrics of
the MLflow run equal those that the exporter computes from the same file. This module is pure; it imports scikit-learn
when it computes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.schema import NEGATIVE_WORDS, NO_CLASS_WORDS, POSITIVE_WORDS, Average, Task

Array = npt.NDArray[Any]
_SCORING: Final = ("precision", "recall", "f1")
_NONE: Final = ""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """n labelled rows: label (n,), and if there are any, prediction (n,), score (n,) and class -> probability (n,)."""

    label: Sequence[Any]
    prediction: Sequence[Any] | None = None
    score: Sequence[Any] | None = None
    class_scores: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def metrics(
    data: LabelledRows, *, task: Task, average: Average = "weighted", threshold: float = 0.5
) -> dict[str, float]:
    """Return the metrics of the task that are defined on these rows; rows without a label are left out."""
    if task == "regression":
        return _known(_regression(data))
    if task == "binary":
        return _known(_binary(data, average, threshold))
    return _known(_multiclass(data, average))


def _regression(data: LabelledRows) -> dict[str, float]:
    from sklearn import metrics as sk  # noqa: PLC0415 - takes a second, and serving code does not need it

    label, predicted = _floats(data.label, data), _floats(data.prediction, data)
    rows = np.isfinite(label) & np.isfinite(predicted)
    if not rows.any():
        return {}
    label, predicted = label[rows], predicted[rows]
    mse = float(sk.mean_squared_error(label, predicted))
    found = {"mse": mse, "rmse": mse**0.5, "mae": float(sk.mean_absolute_error(label, predicted))}
    return found | ({"r2": float(sk.r2_score(label, predicted))} if np.ptp(label) > 0 else {})


def _binary(data: LabelledRows, average: Average, threshold: float) -> dict[str, float]:
    from sklearn import metrics as sk  # noqa: PLC0415 - as above

    label, score, given = _codes(data.label), _floats(data.score, data), _floats(data.prediction, data)
    if any(np.isnan(code) and _text(value) != _NONE for code, value in zip(label, data.label, strict=True)):
        # The exporter has no baseline either: without these rows the metrics would be those of some classes.
        return {}
    if ((given > 0) & (given < 1)).any():
        # The exporter reads a column with numbers between 0 and 1 as scores.
        score = np.where(np.isnan(score), given, score)
        predicted = np.full(len(label), np.nan)
    else:
        predicted = _codes(data.prediction) if data.prediction is not None else given
    predicted = np.where(np.isnan(predicted) & np.isfinite(score), score >= threshold, predicted)
    rows = np.isfinite(label) & np.isfinite(predicted)
    found = _classified(label[rows], predicted[rows], average, positive=1.0)
    rows = np.isfinite(label) & np.isfinite(score)
    label, score = label[rows], score[rows]
    if len(np.unique(label)) == 2:
        found["roc_auc"] = float(sk.roc_auc_score(label, score))
    if len(label) and ((score >= 0) & (score <= 1)).all():
        found["log_loss"] = float(sk.log_loss(label, score, labels=[0, 1]))
        found["brier_score"] = float(np.square(score - label).mean())
    return found


def _multiclass(data: LabelledRows, average: Average) -> dict[str, float]:
    classes, label = sorted(data.class_scores), _texts(data.label)
    scores = [_floats(data.class_scores[name], data) for name in classes]
    table = np.array(scores).reshape(len(classes), len(label)).T
    if data.prediction is not None:
        predicted = _texts(data.prediction)
    elif classes:
        predicted = np.array(classes)[table.argmax(axis=1)]
    else:
        return {}
    rows = (label != _NONE) & (predicted != _NONE)
    if set(label[rows]).isdisjoint(predicted[rows]):
        return {}
    return _classified(label[rows], predicted[rows], average) | _graded(label, table, classes, average)


def _graded(label: Array, scores: Array, classes: Sequence[str], average: Average) -> dict[str, float]:
    """Return the metrics of class probabilities, one class against the rest; {} when a class never occurs."""
    from sklearn import metrics as sk  # noqa: PLC0415 - as above

    rows = np.isfinite(scores).all(axis=1) & np.isin(label, classes)
    label, scores = label[rows], scores[rows]
    if len(classes) < 2 or set(label) != set(classes) or not ((scores >= 0) & (scores <= 1)).all():
        return {}
    truth = (label[:, None] == np.array(classes)).astype(int)
    likelihood = np.clip(scores, np.finfo(np.float64).eps, 1)[truth.astype(bool)]
    return {
        "roc_auc": float(sk.roc_auc_score(truth, scores, average=average)),
        "log_loss": float(-np.log(likelihood).mean()),
        "brier_score": float(np.square(scores - truth).sum(axis=1).mean()),
    }


def _classified(label: Array, predicted: Array, average: Average, *, positive: Any = None) -> dict[str, float]:
    from sklearn import metrics as sk  # noqa: PLC0415 - as above

    if not len(label):
        return {}
    of_class = {"pos_label": positive} if average == "binary" else {}
    found = sk.precision_recall_fscore_support(label, predicted, average=average, zero_division=0, **of_class)
    scored = {name: float(value) for name, value in zip(_SCORING, found, strict=False)}
    return {"accuracy": float(sk.accuracy_score(label, predicted)), **scored}


def _codes(values: Sequence[Any]) -> Array:
    """Return binary classes as 1 and 0, NaN for other values."""
    words = (_text(value).lower() for value in values)
    negative = NEGATIVE_WORDS | {"-1"}
    return np.array([1.0 if w in POSITIVE_WORDS else 0.0 if w in negative else np.nan for w in words])


def _floats(values: Sequence[Any] | None, data: LabelledRows) -> Array:
    """Return values as numbers, NaN for other values; all NaN when `values` is None."""
    return np.full(len(data.label), np.nan) if values is None else np.array([_float(value) for value in values])


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _texts(values: Sequence[Any]) -> Array:
    return np.array([_text(value) for value in values])


def _text(value: Any) -> str:
    """Return the name of a class: whole numbers without ".0", `_NONE` for a missing value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _NONE
    text = str(value).strip()
    return _NONE if text in NO_CLASS_WORDS else text.removesuffix(".0")


def _known(found: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if math.isfinite(value)}

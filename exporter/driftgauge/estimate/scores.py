"""Scores of a confusion matrix with expected, not whole, counts: those that `performance` publishes of whole ones.

The functions are rational in the counts, so that a complex step gives their exact derivative (Squire and Trapp 1998).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from driftgauge.columns import FloatArray
from driftgauge.schema import Average

_STEP: Final = 1e-30


def class_metrics(
    support: Iterable[Any], predicted: Iterable[Any], hits: Iterable[Any], average: Average
) -> dict[str, Any]:
    """Return accuracy, precision, recall and F1 of classes, without those that are undefined.

    support, predicted, hits: by class, rows of it, rows predicted as it, and rows that are both; of two classes the
    positive one comes last. They may be fractions, or complex numbers.
    """
    classes = list(zip(support, predicted, hits, strict=True))
    total = sum(rows for rows, _, _ in classes)
    if not total:
        return {}
    accuracy = sum(right for _, _, right in classes) / total
    found = {"accuracy": accuracy}
    for name, of_class in _METRICS.items():
        values = [of_class(*each) for each in classes]
        if average == "binary":
            value = values[-1]
        elif average == "micro":
            value = accuracy
        else:
            weights = [rows if average == "weighted" else 1 for rows, _, _ in classes]
            value = sum((v or 0.0) * w for v, w in zip(values, weights, strict=True)) / sum(weights)
        if value is not None:
            found[name] = value
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """How many rows of two classes are predicted positive and negative, and how their metrics are averaged."""

    positives: int
    negatives: int
    average: Average


def binary_metrics(hits: Any, missed: Any, told: Told) -> dict[str, Any]:
    """Return the same of two classes: `hits` are positive of those predicted so, `missed` of the others."""
    return class_metrics(
        (told.positives - hits + told.negatives - missed, hits + missed),
        (told.negatives, told.positives),
        (told.negatives - missed, hits),
        told.average,
    )


def binary_slopes(hits: float, missed: float, told: Told) -> dict[str, tuple[float, float]]:
    """Return by metric how it changes with `missed` and with `hits`, the numbers predicted staying the same."""
    by_missed = binary_metrics(hits, complex(missed, _STEP), told)
    by_hits = binary_metrics(complex(hits, _STEP), missed, told)
    return {name: (by_missed[name].imag / _STEP, by_hits[name].imag / _STEP) for name in by_hits}


def area(positive: FloatArray, negative: FloatArray) -> float | None:
    """Return the area under the ROC curve of weights (k,) on cells in ascending order; members of a cell are ties."""
    pairs = positive.sum() * negative.sum()
    return float((positive * _below(negative)).sum() / pairs) if pairs > 0 else None


def area_slopes(positive: FloatArray, negative: FloatArray) -> FloatArray:
    """Return how the area changes when a member of each cell (k,) becomes positive."""
    found, all_positive, all_negative = area(positive, negative) or 0.0, positive.sum(), negative.sum()
    below = _below(negative) / all_negative
    above = 1 - _below(positive) / all_positive
    slopes: FloatArray = (below - found) / all_positive - (above - found) / all_negative
    return slopes


def _below(weights: FloatArray) -> FloatArray:
    """Return the weight in lower cells (k,) and half of that in the same."""
    halves: FloatArray = np.cumsum(weights) - weights / 2
    return halves


def _precision(_: Any, predicted: Any, hits: Any) -> Any:
    return hits / predicted if predicted else None


def _recall(support: Any, _: Any, hits: Any) -> Any:
    return hits / support if support else None


def _f1(support: Any, predicted: Any, hits: Any) -> Any:
    return 2 * hits / (support + predicted) if support + predicted else None


_METRICS: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
}

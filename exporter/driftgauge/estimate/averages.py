"""Precision, recall and F1 averaged over the classes of a confusion matrix, and how sure such an average is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final, Self

import numpy as np

from driftgauge.aggregates.outcomes import POSITIVE
from driftgauge.columns import FloatArray, IntArray
from driftgauge.schema import Average


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A confusion matrix of K classes by its occupied cells: `true` and `found` (c,) with `counts` (c,).

    hits, labelled, predicted: (K,) rows of each class, by what is right, by label and by prediction.
    """

    true: IntArray
    found: IntArray
    counts: FloatArray
    hits: FloatArray
    labelled: FloatArray
    predicted: FloatArray
    names: tuple[str, ...]

    @classmethod
    def of(cls, confusion: Mapping[tuple[str, str], int]) -> Self:
        """Return the table of these pairs of true and predicted class, at least one, by name."""
        names = sorted({name for pair in confusion for name in pair})
        at = {name: number for number, name in enumerate(names)}
        true, found = np.array([(at[one], at[two]) for one, two in confusion], np.int64).reshape(-1, 2).T
        counts = np.array([*confusion.values()], np.float64)
        size = len(names)
        hits = np.bincount(true, counts * (true == found), size)
        labelled, predicted = (np.bincount(side, counts, size).astype(np.float64) for side in (true, found))
        return cls(true, found, counts, hits.astype(np.float64), labelled, predicted, tuple(names))

    @property
    def rows(self) -> float:
        """All of them."""
        return float(self.counts.sum())

    def averaged(self, name: str, average: Average, *, added: float = 0.0) -> tuple[float, float]:
        """Return a metric averaged over classes, and its standard error by the delta method.

        sd² = Σ c g², g being the derivative by a cell's count c: for such metrics Σ c g = 0. added: rows added to each
        of the K² cells before.
        """
        size = len(self.names)
        hits, rows = self.hits + added, self.rows + added * size * size
        labelled, predicted = self.labelled + added * size, self.predicted + added * size
        with np.errstate(divide="ignore", invalid="ignore"):
            values, *slopes = (np.nan_to_num(found) for found in SLOPES[name](hits, labelled, predicted))
        weights = self._weights(average, labelled / rows)
        total = float(weights @ values)
        by_label, by_prediction, by_hit = (weights * slope for slope in slopes)
        if average == "weighted":
            by_label = by_label + (values - total) / rows
        moved = by_label[self.true] + by_prediction[self.found] + by_hit[self.true] * (self.true == self.found)
        variance = float(self.counts @ np.square(moved))
        if added:
            # The sum over all K² cells of (a_i + b_j)², and what hits make of those on the diagonal.
            sums = size * (by_label @ by_label + by_prediction @ by_prediction)
            sums += 2 * by_label.sum() * by_prediction.sum()
            variance += added * float(sums + (by_hit * (by_hit + 2 * (by_label + by_prediction))).sum())
        return total, sqrt(max(variance, 0.0))

    def _weights(self, average: Average, shares: FloatArray) -> FloatArray:
        if average == "weighted":
            return shares
        if average == "binary":
            return np.array([float(name == POSITIVE) for name in self.names])
        return np.full(len(self.names), 1 / len(self.names))


def _precision(hits: FloatArray, labelled: FloatArray, predicted: FloatArray) -> tuple[FloatArray, ...]:
    return hits / predicted, np.zeros_like(labelled), -hits / predicted**2, 1 / predicted


def _recall(hits: FloatArray, labelled: FloatArray, predicted: FloatArray) -> tuple[FloatArray, ...]:
    return hits / labelled, -hits / labelled**2, np.zeros_like(predicted), 1 / labelled


def _f1(hits: FloatArray, labelled: FloatArray, predicted: FloatArray) -> tuple[FloatArray, ...]:
    either = labelled + predicted
    return 2 * hits / either, -2 * hits / either**2, -2 * hits / either**2, 2 / either


def label_slopes(name: str, confusion: FloatArray, average: Average) -> FloatArray:
    """Return how a metric averaged over K classes moves as a row's label becomes each class: (K, K).

    confusion: (K, K) rows by label and prediction. The columns of both are predictions, which stay as they are.
    """
    size, rows = len(confusion), confusion.sum()
    hits, labelled = confusion.diagonal(), confusion.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values, by_label, _, by_hit = (
            np.nan_to_num(found, posinf=0.0, neginf=0.0)
            for found in SLOPES[name](hits, labelled, confusion.sum(axis=0))
        )
    weights = labelled / rows if average == "weighted" else np.full(size, 1 / size)
    moved = weights * by_label
    if average == "weighted":
        moved = moved + (values - weights @ values) / rows
    slopes: FloatArray = moved[:, np.newaxis] + np.diag(weights * by_hit)
    return slopes


# Value of each class and its derivatives by the class's labels, predictions and hits.
SLOPES: Final[Mapping[str, Callable[[FloatArray, FloatArray, FloatArray], tuple[FloatArray, ...]]]] = {
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
}

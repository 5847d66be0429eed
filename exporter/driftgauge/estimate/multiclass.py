"""M-CBPE: the performance to be expected of a classifier of several classes from the scores of its classes.

As NannyML has it: each class's scores are calibrated against the others, and a row's probabilities divided by their
sum. Sums of them by predicted class are the expected confusion matrix; with the raw score of a class as rank they are
the weights of its expected ROC curve. Dividing couples the classes, so that rows are summed up one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final, Self

import numpy as np

from driftgauge.aggregates.expected import Expected
from driftgauge.columns import FloatArray, IntArray
from driftgauge.estimate.averages import SLOPES, label_slopes
from driftgauge.estimate.binary import BINS, at_ranks, share_error, weighed
from driftgauge.estimate.calibration import Calibration
from driftgauge.estimate.scores import area, class_metrics
from driftgauge.grid import NumericGrid, Tally, tallied
from driftgauge.schema import Average

# Points of the grid of all classes' scores. Rows between two of them are ties on the ROC curve.
_RANKS: Final = 2048
_EVEN: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class ClassRows:
    """Rows (n,) with scores (classes, n) in [0, 1], and which class is predicted, and which it is.

    predicted, label: (n,) positions among the classes; -1 is a label that the model does not know.
    """

    scores: FloatArray
    predicted: IntArray
    label: IntArray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.predicted)

    def take(self, rows: IntArray) -> Self:
        """Return the rows at these positions."""
        return type(self)(self.scores[:, rows], self.predicted[rows], self.label[rows])

    def of_class(self, at: int) -> FloatArray:
        """Return whether each row (n,) is of a class, as 1.0 or 0.0."""
        return np.asarray(self.label == at, np.float64)

    def realised(self, average: Average) -> dict[str, float]:
        """Return the metrics whose variances are known."""
        classes, right = len(self.scores), self.label == self.predicted
        supports, told, hits = (
            np.bincount(found, minlength=classes).tolist()
            for found in (self.label[self.label >= 0], self.predicted, self.label[right])
        )
        return class_metrics(supports, told, hits, average) | {"accuracy": float(right.mean())}


@dataclass(frozen=True, eq=False)
class MulticlassEstimator:
    """A map for each class, the `points` (G,) of the grid of all scores, and how often the reference is right.

    bin_rows, bin_shares: (b,) by bins of the probability that the predicted class is right, cut at `edges` (b - 1,).
    told: (classes,) how many rows of the reference are predicted as each class.
    A cell of the estimator is one of the grid, after those of the classes before; then a pair of expected and predicted
    class; then a bin.
    """

    calibrations: tuple[Calibration, ...]
    points: FloatArray
    edges: FloatArray
    bin_rows: FloatArray
    bin_shares: FloatArray
    told: FloatArray

    @classmethod
    def of(cls, rows: ClassRows, *, calibrated: Sequence[bool]) -> Self:
        """Return the estimator of labelled rows."""
        maps = tuple(
            Calibration.isotonic(scores, rows.of_class(at)) if fitted else Calibration.identity()
            for at, (scores, fitted) in enumerate(zip(rows.scores, calibrated, strict=True))
        )
        points = np.union1d(at_ranks(np.sort(rows.scores, axis=None), _RANKS), np.linspace(0, 1, _EVEN + 1))
        right = _right(_probabilities(maps, rows.scores), rows.predicted)
        edges = at_ranks(np.sort(right), BINS)[1:-1]
        bins = edges.searchsorted(right)
        counts = weighed(bins, np.ones(len(rows)), len(edges) + 1)
        hits = weighed(bins, np.asarray(rows.label == rows.predicted, np.float64), len(edges) + 1)
        told = np.bincount(rows.predicted, minlength=len(rows.scores)).astype(np.float64)
        return cls(maps, points, edges, counts, hits / np.maximum(counts, 1), told)

    @property
    def arrays(self) -> dict[str, Any]:
        """The estimator as `codec` stores it."""
        return {
            "scores": np.concatenate([each.scores for each in self.calibrations]),
            "shares": np.concatenate([each.shares for each in self.calibrations]),
            "knots": [len(each.scores) for each in self.calibrations],
            "points": self.points,
            "edges": self.edges,
            "bin_rows": self.bin_rows,
            "bin_shares": self.bin_shares,
            "told": self.told,
        }

    @classmethod
    def from_arrays(cls, arrays: Any) -> Self:
        """Return the estimator that `arrays` described."""
        ends = np.cumsum(arrays["knots"])[:-1]
        maps = zip(np.split(arrays["scores"], ends), np.split(arrays["shares"], ends), strict=True)
        # An earlier release has not counted these.
        told = arrays.get("told", np.zeros(len(arrays["knots"])))
        others = (*(arrays[name] for name in ("points", "edges", "bin_rows", "bin_shares")), told)
        return cls(tuple(Calibration(*each) for each in maps), *others)

    @cached_property
    def fingerprint(self) -> str:
        """Sums of other probabilities, or on other cells, do not add."""
        arrays = self.arrays
        parts = (np.asarray(arrays[name], "<f8").tobytes() for name in ("scores", "shares", "knots", "points", "edges"))
        return blake2b(b"|".join(parts), digest_size=16).hexdigest()

    @cached_property
    def grid(self) -> NumericGrid:
        """The grid that the scores of each class are counted on."""
        return NumericGrid(self.points)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.calibrations)

    def tally(self, scores: FloatArray, predicted: IntArray, ends: IntArray) -> list[Tally]:
        """Count each group of rows, with scores (classes, n), of which `ends` (p,) says where it ends.

        The sums are of probabilities, and in bins of the variance of being right.
        """
        chance = _probabilities(self.calibrations, scores)
        cells, classes = self.grid.cells, self.classes
        right = _right(chance, predicted)
        start = classes * cells + classes * classes
        keys = [
            *(self.grid.locate(scores[at]) + at * cells for at in range(classes)),
            *(predicted + (classes * cells + at * classes) for at in range(classes)),
            self.edges.searchsorted(right) + start,
        ]
        values = [*chance, *chance, right * (1 - right)]
        width = start + len(self.bin_rows)
        parts = [tallied(key, value, ends, width=width) for key, value in zip(keys, values, strict=True)]
        return [_joined(group) for group in zip(*parts, strict=True)]

    def tally_of(self, rows: ClassRows) -> Expected:
        """Count rows of the reference."""
        ((keys, counts, sums),) = self.tally(rows.scores, rows.predicted, np.array([len(rows)]))
        return Expected(len(rows), keys=keys, counts=counts, sums=sums)

    def rows_of(self, expected: Expected) -> int:
        """Return how many rows were counted: each once among the pairs of the first class with that predicted."""
        first = self.classes * self.grid.cells
        start, end = expected.keys.searchsorted([first, first + self.classes])
        return int(expected.counts[start:end].sum())

    def judge(self, expected: Expected, average: Average) -> dict[str, tuple[float, float | None]]:
        """Return the metrics of the rows and their variances; that of areas is not known."""
        if not len(expected.keys):
            return {}
        cells, classes = self.grid.cells, self.classes
        ends = [classes * cells, classes * (cells + classes)]
        curves, pairs, bins = np.split(np.arange(len(expected.keys)), expected.keys.searchsorted(ends))
        at = np.divmod(expected.keys[pairs] - ends[0], classes)
        confusion, told = np.zeros((classes, classes)), np.zeros((classes, classes))
        confusion[at], told[at] = expected.sums[pairs], expected.counts[pairs]
        predicted = told[0]
        found = class_metrics(confusion.sum(axis=1), predicted, confusion.diagonal(), average)
        auc = self._area(expected, curves, confusion.sum(axis=1), average)
        if auc is not None:
            found["roc_auc"] = auc
        rows = float(predicted.sum())
        weights = np.zeros(len(self.bin_rows))
        weights[expected.keys[bins] - ends[1]] = expected.counts[bins] / rows
        known = share_error(weights, self.bin_shares, self.bin_rows)
        variances: dict[str, float] = {"accuracy": float(expected.sums[bins].sum()) / rows**2 + known}
        if average == "micro":
            variances |= dict.fromkeys(SLOPES, variances["accuracy"])
        elif self.told.any():
            thin = self._thinner(weights, known)
            variances |= {
                name: self._variance(label_slopes(name, confusion, average), confusion, thin) for name in SLOPES
            }
        return {name: (float(value), variances.get(name)) for name, value in found.items()}

    def _thinner(self, weights: FloatArray, known: float) -> float:
        """Return by how much less is known of a window's accuracy than if its probabilities were the reference's.

        weights: (b,) shares of the window's rows by bin. known: the variance that the reference leaves.
        """
        alike = float((weights * self.bin_shares * (1 - self.bin_shares)).sum()) / self.bin_rows.sum()
        return max(1.0, known / alike) if alike > 0 else 1.0

    def _variance(self, slopes: FloatArray, confusion: FloatArray, thin: float) -> float:
        """Return at most the variance of a metric with these slopes (K, K) by label and prediction.

        Labels of rows predicted as one class are taken for draws from their mean probabilities, which vary more than
        draws from each row's own; and what the reference knows of these as the shares of so many rows of its own.
        """
        predicted = confusion.sum(axis=0)
        shares = confusion / np.maximum(predicted, 1e-300)
        scatter = (slopes**2 * shares).sum(axis=0) - (slopes * shares).sum(axis=0) ** 2
        return float((np.maximum(scatter, 0) * (predicted + thin * predicted**2 / np.maximum(self.told, 1))).sum())

    def _area(self, expected: Expected, curves: IntArray, support: FloatArray, average: Average) -> float | None:
        """Return the area of one class against the rest, averaged over all classes, or of all pairs together."""
        keys, cells = expected.keys[curves], self.grid.cells
        positive, counts = expected.sums[curves], expected.counts[curves]
        groups = np.zeros(len(keys), np.int64) if average == "micro" else keys // cells
        areas = []
        for group in range(1 if average == "micro" else self.classes):
            here = groups == group
            _, at = np.unique(keys[here] % cells, return_inverse=True)
            found = area(weighed(at, positive[here]), weighed(at, (counts - positive)[here]))
            if found is None:
                return None
            areas.append(found)
        return float(np.average(areas, weights=support if average == "weighted" else None))


def _probabilities(maps: Sequence[Calibration], scores: FloatArray) -> FloatArray:
    """Return the calibrated scores (classes, n) divided by their sum; where all are 0, classes are equally likely."""
    chance = np.array([calibration(row) for calibration, row in zip(maps, scores, strict=True)])
    total = chance.sum(axis=0)
    nothing = total == 0
    chance /= np.where(nothing, 1.0, total)
    chance[:, nothing] = 1 / len(maps)
    return chance


def _right(chance: FloatArray, predicted: IntArray) -> FloatArray:
    found: FloatArray = np.take_along_axis(chance, predicted[np.newaxis], axis=0)[0]
    return found


def _joined(parts: Sequence[Tally]) -> Tally:
    """Return as one the parts of a group: cells follow each other, but for pairs of classes, which alternate."""
    keys, counts, sums = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    return keys[order], counts[order], sums[order]

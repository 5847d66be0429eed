"""CBPE: the performance to be expected of a binary classifier from its scores alone.

Kivimäki, Białek, Kuberski and Nurminen (arXiv 2505.05295), as NannyML has it: the calibrated score of a row is the
probability that its label is positive, so that sums of it are the expected confusion matrix, and weights of it the
expected ROC curve. Rows are counted on cells between whose ends the calibration is linear, so that the sum of
probabilities in a cell is exactly the number of its rows times the probability of their mean score.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final, Self

import numpy as np

from driftgauge.aggregates.expected import Expected
from driftgauge.columns import FloatArray, IntArray
from driftgauge.estimate.calibration import Calibration
from driftgauge.estimate.scores import Told, area, area_slopes, binary_metrics, binary_slopes
from driftgauge.grid import NumericGrid, Tally, tallied
from driftgauge.schema import Average

# Bins of equal count, by which the reference's own error is known.
BINS: Final = 50
# Points of the grid beside the knots: at even ranks of the reference's scores, and at even distances. Rows between two
# of them are ties on the ROC curve.
_RANKS: Final = 1024
_EVEN: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class BinaryRows:
    """Rows (n,) with a score in [0, 1], whether they are predicted positive, and whether they are, as 1.0 or 0.0."""

    scores: FloatArray
    predicted: FloatArray
    positive: FloatArray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.scores)

    def take(self, rows: IntArray) -> Self:
        """Return the rows at these positions."""
        return type(self)(self.scores[rows], self.predicted[rows], self.positive[rows])

    def realised(self, average: Average) -> dict[str, float]:
        """Return what the metrics of these rows are."""
        told = self.predicted > 0
        counts = Told(int(told.sum()), int((~told).sum()), average)
        found = binary_metrics(float(self.positive[told].sum()), float(self.positive[~told].sum()), counts)
        _, at = np.unique(self.scores, return_inverse=True)
        auc = area(weighed(at, self.positive), weighed(at, 1 - self.positive))
        return found if auc is None else found | {"roc_auc": auc}


@dataclass(frozen=True, eq=False)
class BinaryEstimator:
    """The map, the `points` (G,) of the grid, knots and edges among them, and what the reference has by bin of scores.

    edges: (b - 1,) where bins are cut. bin_rows, bin_shares: (b,) its rows, and the share of them that are positive.
    """

    calibration: Calibration
    points: FloatArray
    edges: FloatArray
    bin_rows: FloatArray
    bin_shares: FloatArray

    @classmethod
    def of(cls, rows: BinaryRows, *, calibrated: bool) -> Self:
        """Return the estimator of labelled rows."""
        calibration = Calibration.isotonic(rows.scores, rows.positive) if calibrated else Calibration.identity()
        ordered = np.sort(rows.scores)
        edges = at_ranks(ordered, BINS)[1:-1]
        even = np.linspace(0, 1, _EVEN + 1)
        points = np.unique(np.concatenate([calibration.scores, edges, at_ranks(ordered, _RANKS), even]))
        bins = edges.searchsorted(rows.scores)
        counts = weighed(bins, np.ones(len(rows)), len(edges) + 1)
        positive = weighed(bins, rows.positive, len(edges) + 1)
        return cls(calibration, points, edges, counts, positive / np.maximum(counts, 1))

    @property
    def arrays(self) -> dict[str, Any]:
        """The estimator as `codec` stores it."""
        return {
            "scores": self.calibration.scores,
            "shares": self.calibration.shares,
            "points": self.points,
            "edges": self.edges,
            "bin_rows": self.bin_rows,
            "bin_shares": self.bin_shares,
        }

    @classmethod
    def from_arrays(cls, arrays: Any) -> Self:
        """Return the estimator that `arrays` described."""
        others = (arrays[name] for name in ("points", "edges", "bin_rows", "bin_shares"))
        return cls(Calibration(arrays["scores"], arrays["shares"]), *others)

    @cached_property
    def fingerprint(self) -> str:
        """Counts on other cells do not add."""
        return blake2b(self.points.astype("<f8").tobytes(), digest_size=16).hexdigest()

    @cached_property
    def grid(self) -> NumericGrid:
        """The grid of scores; a cell of the estimator is twice one of it, and one more if predicted positive."""
        return NumericGrid(self.points)

    def tally(self, scores: FloatArray, predicted: FloatArray, ends: IntArray) -> list[Tally]:
        """Count each group of rows (n,), of which `ends` (p,) says where it ends; the sums are of scores."""
        cells = 2 * self.grid.locate(scores) + predicted.astype(np.int64)
        return tallied(cells, scores, ends, width=2 * self.grid.cells)

    def tally_of(self, rows: BinaryRows) -> Expected:
        """Count rows of the reference."""
        ((keys, counts, sums),) = self.tally(rows.scores, rows.predicted, np.array([len(rows)]))
        return Expected(len(rows), keys=keys, counts=counts, sums=sums.astype(np.float64))

    def judge(self, expected: Expected, average: Average) -> dict[str, tuple[float, float]]:
        """Return the metrics of the rows and their variances: the chance of the labels and the error of the map."""
        if not len(expected.keys):
            return {}
        cells, predicted = np.divmod(expected.keys, 2)
        counts = expected.counts.astype(np.float64)
        chance = self.calibration(expected.sums / counts)
        told = predicted > 0
        hits, missed = float((counts * chance)[told].sum()), float((counts * chance)[~told].sum())
        split = Told(int(counts[told].sum()), int(counts[~told].sum()), average)
        values = binary_metrics(hits, missed, split)
        slopes = {
            name: np.where(told, by_hits, by_missed)
            for name, (by_missed, by_hits) in binary_slopes(hits, missed, split).items()
            if name in values
        }
        _, at = np.unique(cells, return_inverse=True)
        positive, negative = (weighed(at, counts * share) for share in (chance, 1 - chance))
        auc = area(positive, negative)
        if auc is not None:
            values["roc_auc"], slopes["roc_auc"] = auc, area_slopes(positive, negative)[at]
        return {
            name: (value, self._variance(slopes[name], counts, chance, self._bins(cells)))
            for name, value in values.items()
        }

    def _bins(self, cells: IntArray) -> IntArray:
        """Return the bin of scores on each cell (k,); no edge lies inside a cell."""
        at, is_point = np.divmod(cells, 2)
        points = np.append(self.points, np.inf)
        # Between two points no edge lies, so that the edges below the upper one are those below the values.
        bins: IntArray = self.edges.searchsorted(points[at], side="left")
        return np.where(is_point > 0, bins, np.where(at < len(self.points), bins, len(self.edges)))

    def _variance(self, slopes: FloatArray, counts: FloatArray, chance: FloatArray, bins: IntArray) -> float:
        of_labels = float((slopes**2 * counts * chance * (1 - chance)).sum())
        weights = weighed(bins, slopes * counts, len(self.bin_rows))
        return of_labels + share_error(weights, self.bin_shares, self.bin_rows)


def weighed(at: IntArray, weights: FloatArray, length: int = 0) -> FloatArray:
    """Return the sums of weights (n,) on cells that are given as numbers (n,) below `length`, or as far as they go."""
    return np.bincount(at, weights, length).astype(np.float64)


def share_error(weights: FloatArray, shares: FloatArray, rows: FloatArray) -> float:
    """Return the variance of a weighted sum of shares (b,), each known from so many rows."""
    return float((weights**2 * shares * (1 - shares) / np.maximum(rows, 1)).sum())


def at_ranks(ordered: FloatArray, parts: int) -> FloatArray:
    """Return the values at even ranks of ascending ones, the first and the last among them, without repetition."""
    return np.unique(ordered[np.linspace(0, len(ordered) - 1, parts + 1).round().astype(np.int64)])

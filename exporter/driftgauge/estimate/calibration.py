"""What share of rows with a score have the label: isotonic regression on the reference, used only where it helps."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from driftgauge.columns import FloatArray

# NannyML's rule (`nannyml.calibration.needs_calibration`), which the estimates agree with.
_SPLITS: Final = 10
_HELD_OUT: Final = 0.1
_SEED: Final = 42
_BINS: Final = 10
# A model that ranks its reference better is taken as it is.
PERFECT_RANKING: Final = 0.999


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A map from scores to probabilities: linear between the knots (k,) `scores`, level beyond them."""

    scores: FloatArray
    shares: FloatArray

    @classmethod
    def identity(cls) -> Self:
        """Return the map that leaves a score in [0, 1] as it is."""
        return cls(np.array([0.0, 1.0]), np.array([0.0, 1.0]))

    @classmethod
    def isotonic(cls, scores: FloatArray, positive: FloatArray) -> Self:
        """Return the rising map with the least squared error on rows (n,); positive: 1.0 or 0.0."""
        from sklearn.isotonic import isotonic_regression

        # What `IsotonicRegression` does, which takes several times as long to find the knots.
        distinct, at = np.unique(scores, return_inverse=True)
        rows = np.bincount(at).astype(np.float64)
        shares = np.asarray(isotonic_regression(np.bincount(at, positive) / rows, sample_weight=rows), np.float64)
        steps = np.concatenate([[True], shares[1:] != shares[:-1], [True]])
        knots = steps[1:] | steps[:-1]
        return cls(distinct[knots], shares[knots])

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Return the probability of each score (n,)."""
        return np.interp(scores, self.scores, self.shares)


def calibration_helps(scores: FloatArray, positive: FloatArray) -> bool:
    """Tell whether isotonic regression lowers the calibration error of rows (n,) that it was not fitted on.

    The error is that of 10 bins of equal count over the tenths left out of 10 stratified splits.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedShuffleSplit

    if min(positive.sum(), len(positive) - positive.sum()) < 2:  # Nothing can be stratified.
        return False
    if roc_auc_score(positive, scores) > PERFECT_RANKING:
        return False
    splits = StratifiedShuffleSplit(n_splits=_SPLITS, test_size=_HELD_OUT, random_state=_SEED)
    labels, before, after = [], [], []
    for train, test in splits.split(scores, positive):
        labels.append(positive[test])
        before.append(scores[test])
        after.append(Calibration.isotonic(scores[train], positive[train])(scores[test]))
    truth = np.concatenate(labels)
    return _calibration_error(truth, np.concatenate(before)) > _calibration_error(truth, np.concatenate(after))


def _calibration_error(positive: FloatArray, probabilities: FloatArray) -> float:
    # Stable, so that rows with the same score are in the same bins on every processor.
    order = probabilities.argsort(kind="stable")
    width = len(order) // _BINS
    bounds = [*range(0, width * _BINS, width), len(order)]
    starts, ends = bounds[:-1], bounds[1:]
    return float(
        sum(
            abs(probabilities[order[start:end]].mean() - positive[order[start:end]].mean()) * (end - start)
            for start, end in zip(starts, ends, strict=True)
        )
        / len(order)
    )

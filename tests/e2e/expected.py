"""What a binary classifier's scores let expect, row by row, by scikit-learn; metrics are averaged by support.

Nothing of the product is used.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedShuffleSplit

Floats = npt.NDArray[np.float64]
# A metric of labels, which may be probabilities, for rows with a predicted class and a score.
Metric = Callable[[Floats, Floats, Floats], float]


class Rows(NamedTuple):
    """Scores, predicted classes and labels as 0.0 and 1.0."""

    score: Floats
    predicted: Floats
    label: Floats

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "Rows":
        """Return the answered rows of a frame."""
        frame = frame.dropna(subset="score")
        return cls(*(frame[name].astype(float).to_numpy(np.float64) for name in ("score", "predicted", "label")))

    def take(self, at: npt.NDArray[np.int64]) -> "Rows":
        """Return some of the rows."""
        return Rows(*(each[at] for each in self))


def estimates(reference: Rows, window: Rows) -> dict[str, tuple[float, float]]:
    """Return by metric what is expected of the window, and its standard error with the reference's dispersion.

    An error of 0 stays 0, which says that nothing is known of it: of the area where all scores are the same.
    """
    calibrated, ratios = _helps(reference), {name: [] for name in METRICS}  # type: ignore[var-annotated]
    blocks = np.array_split(np.arange(len(reference.score)), 20)
    for block in blocks:
        others, apart = np.delete(np.arange(len(reference.score)), block), reference.take(block)
        for name, (value, error) in _single(reference.take(others), apart, calibrated=calibrated).items():
            realised = METRICS[name](apart.label, apart.predicted, apart.score)
            ratios[name].append(((realised - value) / error) ** 2)
    found = {}
    itself = _single(reference, reference, calibrated=calibrated)
    for name, (value, error) in _single(reference, window, calibrated=calibrated).items():
        bias = itself[name][0] - METRICS[name](reference.label, reference.predicted, reference.score)
        scattered = float(error * np.sqrt(max(1.0, np.mean(ratios[name]))) + abs(bias) / 1.959964)
        found[name] = value, scattered if error > 1e-9 else 0.0
    return found


def _single(reference: Rows, window: Rows, *, calibrated: bool) -> dict[str, tuple[float, float]]:
    chance = window.score
    if calibrated:
        chance = IsotonicRegression(out_of_bounds="clip").fit(reference.score, reference.label).predict(window.score)
    ordered = np.sort(reference.score)
    edges = np.unique(ordered[np.round(np.linspace(0, len(ordered) - 1, 51)).astype(int)])[1:-1]
    bins = pd.DataFrame({"bin": np.searchsorted(edges, reference.score), "label": reference.label}).groupby("bin")
    known = bins["label"].agg(["size", "mean"])
    found = {}
    for name, metric in METRICS.items():
        slopes = _slopes(metric, chance, window)
        weights = pd.Series(slopes).groupby(np.searchsorted(edges, window.score)).sum().reindex(known.index).fillna(0.0)
        chances = np.sum(slopes**2 * chance * (1 - chance))
        errors = np.sum(weights**2 * known["mean"] * (1 - known["mean"]) / known["size"])
        found[name] = metric(chance, window.predicted, window.score), float(np.sqrt(chances + errors))
    return found


def _slopes(metric: Metric, chance: Floats, window: Rows) -> Floats:
    """Return how much a metric changes with the label of each row: on paper for the area, else by differences."""
    if metric is _area:
        found, positive, negative = metric(chance, *window[1::-1]), chance.sum(), (1 - chance).sum()
        below = _below(window.score, 1 - chance) / negative
        above = 1 - _below(window.score, chance) / positive
        return np.asarray((below - found) / positive - (above - found) / negative)
    slopes = np.zeros(len(chance))
    for side in (0, 1):
        alike, step = window.predicted == side, 1e-3
        if alike.any():
            share = step / alike.sum()
            up, down = (metric(chance + sign * share * alike, window.predicted, window.score) for sign in (1, -1))
            slopes[alike] = (up - down) / (2 * step)
    return slopes


def _below(score: Floats, weight: Floats) -> Floats:
    """Return for each row the weight of lower scores, and half of that of the same."""
    table = pd.Series(weight).groupby(score).sum()
    return np.asarray((table.cumsum() - table / 2).loc[score])


def _accuracy(label: Floats, predicted: Floats, _: Floats) -> float:
    return float(np.mean(np.where(predicted > 0, label, 1 - label)))


def _by_support(of_class: Callable[[float, float, float], float]) -> Metric:
    def metric(label: Floats, predicted: Floats, _: Floats) -> float:
        values = []
        for truth, told in ((label, predicted), (1 - label, 1 - predicted)):
            support, hits = float(truth.sum()), float((truth * told).sum())
            values.append(support * of_class(support, float(told.sum()), hits))
        return sum(values) / len(label)

    return metric


def _area(label: Floats, _: Floats, score: Floats) -> float:
    truth, weight = np.repeat([1, 0], len(label)), np.concatenate([label, 1 - label])
    return float(sk.roc_auc_score(truth, np.tile(score, 2), sample_weight=weight))


METRICS: dict[str, Metric] = {
    "accuracy": _accuracy,
    "precision": _by_support(lambda support, told, hits: hits / told if told else 0.0),  # noqa: ARG005
    "recall": _by_support(lambda support, told, hits: hits / support if support else 0.0),  # noqa: ARG005
    "f1": _by_support(lambda support, told, hits: 2 * hits / (support + told) if support + told else 0.0),
    "roc_auc": _area,
}


def _helps(reference: Rows) -> bool:
    """Tell whether calibration lowers the calibration error of rows that were left out."""
    splits = StratifiedShuffleSplit(n_splits=10, test_size=0.1, random_state=42)
    before, after, label = [], [], []
    for train, test in splits.split(reference.score, reference.label):
        fitted = IsotonicRegression(out_of_bounds="clip").fit(reference.score[train], reference.label[train])
        before.append(reference.score[test])
        after.append(fitted.predict(reference.score[test]))
        label.append(reference.label[test])

    def error(parts: list[Floats]) -> float:
        table = pd.DataFrame({"chance": np.concatenate(parts), "label": np.concatenate(label)})
        table = table.sort_values("chance", kind="stable", ignore_index=True)
        tenth = np.minimum(table.index // (len(table) // 10), 9)
        gaps = table.groupby(tenth).agg(["mean", "size"])
        return float((np.abs(gaps["chance"]["mean"] - gaps["label"]["mean"]) * gaps["label"]["size"]).sum())

    return error(before) > error(after)

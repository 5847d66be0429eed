"""Bands of estimates under covariate shift, and what is called concept drift.

`PYTHONPATH=tests python -m tests.benchmarks.estimating bands`, `classes` or `concept` prints a table of
docs/statistics.md. For the first two, rows of a model that is too bold are simulated, of two classes or of several, and
a window's scores are shifted. For the last, a
random half of one of NannyML's references is the reference, and windows are drawn from the other half, so that the
relation of label and score is the same; another half each 20 windows. Windows are tilted by a random column, up to e²
times as often at one end, or have 4 % of their labels flipped. Seeds are others than those the method was chosen with.
"""

import argparse
import sys
from itertools import product
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from driftgauge.estimate.binary import BinaryEstimator, BinaryRows
from driftgauge.estimate.calibration import calibration_helps
from driftgauge.estimate.dispersion import Spread
from driftgauge.estimate.estimator import Estimate
from driftgauge.estimate.multiclass import ClassRows, MulticlassEstimator
from driftgauge.snapshot.board import Board
from driftgauge.snapshot.estimated import put_record
from nannyml_data import data_set

Floats = npt.NDArray[np.float64]
METRICS: Final = ("accuracy", "precision", "recall", "f1", "roc_auc")
SEED: Final = 20261130
REFERENCES: Final = (1_000, 5_000, 50_000)
WINDOWS: Final = (300, 2_000, 20_000)
SHIFTS: Final = (0.0, 0.6, -0.9)
COLUMNS: Final = {
    "synthetic": ("y_pred_proba", "y_pred"),
    "car_loan": ("y_pred_proba", "y_pred"),
    "employment": ("predicted_probability", "prediction"),
}
WINDOW: Final = 3_000


# Of several classes: how many there are, and how a reference is averaged.
SEVERAL: Final = ((3, "macro"), (6, "macro"), (6, "weighted"))


class Known(NamedTuple):
    """What the product learns of a reference."""

    estimator: BinaryEstimator
    spread: Spread

    @classmethod
    def of(cls, reference: BinaryRows) -> "Known":
        """Learn."""
        helps = calibration_helps(reference.scores, reference.positive)

        def learned(some: BinaryRows) -> BinaryEstimator:
            return BinaryEstimator.of(some, calibrated=helps)

        return cls(learned(reference), Spread.of(reference, learned, "weighted"))

    def estimates(self, window: BinaryRows) -> dict[str, Estimate]:
        """Return what is expected of a window."""
        judged = self.estimator.judge(self.estimator.tally_of(window), "weighted")
        return {name: Estimate(value, self.spread.error(name, variance)) for name, (value, variance) in judged.items()}

    def record(self, window: BinaryRows) -> dict[str, float]:
        """Return the flag, and of accuracy the z-score."""
        board = Board({}, ())
        put_record(board, {}, window.realised("weighted"), self.estimates(window), rows=len(window))
        z = next(each for each in board.samples["model_concept_drift_zscore"] if each.labels == ("accuracy",))
        return {"flagged": board.samples["model_concept_drift_detected"][0].value, "beyond": abs(z.value) > 1.96}  # type: ignore[union-attr]


def simulated(rng: np.random.Generator, rows: int, shift: float) -> BinaryRows:
    """Return rows of a model that is too bold, with other scores by a shift of their log odds."""
    odds = rng.normal(-0.4 + shift, 1.6 + abs(shift) / 2, rows)
    score = 1 / (1 + np.exp(-odds))
    positive = rng.random(rows) < 1 / (1 + np.exp(-odds / 1.3 - 0.1))
    return BinaryRows(score, (score >= 0.5).astype(float), positive.astype(float))


def bands(repeats: int) -> None:
    """Print how often the realised metric is within the bounds, of references and windows drawn anew each time."""
    for reference in REFERENCES:
        rng = np.random.default_rng([SEED, reference])
        inside: dict[tuple[int, float, str], list[bool]] = {}
        for _ in range(repeats):
            known = Known.of(simulated(rng, reference, 0.0))
            for window, shift in product(WINDOWS, SHIFTS):
                rows = simulated(rng, window, shift)
                realised = rows.realised("weighted")
                for name, estimate in known.estimates(rows).items():
                    right = abs(realised[name] - estimate.value) <= 1.96 * (estimate.stderr or 0.0)
                    inside.setdefault((window, shift, name), []).append(right)
        for window, shift in product(WINDOWS, SHIFTS):
            shares = (np.mean(inside[window, shift, name]) for name in METRICS)
            _say([f"{reference:,}", f"{window:,}", f"{shift:g}", *(f"{share:.2f}" for share in shares)])


def simulated_classes(rng: np.random.Generator, rows: int, classes: int, shift: float) -> ClassRows:
    """Return rows of a model of classes of unequal size that is too bold; a shift makes the last more frequent."""
    odds = rng.normal(0, 1.8, (classes, rows)) - np.linspace(0, 1.5, classes)[:, None]
    odds[-1] += shift
    scores = np.exp(odds) / np.exp(odds).sum(axis=0)
    flat = np.exp(odds / 1.4)
    chance = np.cumsum(flat / flat.sum(axis=0), axis=0)
    label = np.minimum((rng.random(rows) > chance).sum(axis=0), classes - 1)
    return ClassRows(scores, scores.argmax(axis=0), label)


def several(repeats: int) -> None:
    """Print the same as `bands` of several classes."""
    for (classes, average), reference in product(SEVERAL, REFERENCES[:2]):
        rng = np.random.default_rng([SEED, classes, reference])
        inside: dict[tuple[int, float, str], list[bool]] = {}
        for _ in range(repeats):
            rows = simulated_classes(rng, reference, classes, 0.0)
            helps = [calibration_helps(rows.scores[at], rows.of_class(at)) for at in range(classes)]

            def learned(some: ClassRows, helps: list[bool] = helps) -> MulticlassEstimator:
                return MulticlassEstimator.of(some, calibrated=helps)

            estimator, spread = learned(rows), Spread.of(rows, learned, average)
            for size, shift in product(WINDOWS, (0.0, 1.0, -1.5)):
                window = simulated_classes(rng, size, classes, shift)
                realised = window.realised(average)
                for name, (value, variance) in estimator.judge(estimator.tally_of(window), average).items():
                    if name in realised:
                        right = abs(realised[name] - value) <= 1.96 * (spread.error(name, variance) or 0.0)
                        inside.setdefault((size, shift, name), []).append(right)
        for size, shift in product(WINDOWS, (0.0, 1.0, -1.5)):
            shares = (np.mean(inside[size, shift, name]) for name in METRICS[:-1])
            head = [f"{classes}, {average}", f"{reference:,}", f"{size:,}", f"{shift:g}"]
            _say([*head, *(f"{share:.2f}" for share in shares)])


def concept(repeats: int) -> None:
    """Print how often concept drift is flagged, and how often z is beyond 1.96."""
    for name, (score, predicted) in COLUMNS.items():
        found = data_set(name)
        frame, rng = found.reference, np.random.default_rng([SEED, len(name)])
        rows = BinaryRows(*(frame[column].to_numpy(np.float64) for column in (score, predicted, found.label)))
        others = {score, predicted, found.label, "id"}
        numeric = [column for column in frame.select_dtypes("number") if column not in others]
        ranks = frame[numeric].rank(pct=True).to_numpy(np.float64)
        told: dict[str, list[dict[str, float]]] = {}
        for at in range(repeats):
            if at % 20 == 0:
                half = np.sort(rng.permutation(len(rows))[: len(rows) // 2])
                rest, known = np.setdiff1d(np.arange(len(rows)), half), Known.of(rows.take(half))
            tilt = np.exp(rng.uniform(1, 2) * rng.choice([-1, 1]) * ranks[rest, rng.integers(len(numeric))])
            plain = rows.take(rng.choice(rest, WINDOW, replace=False))
            tilted = rows.take(rng.choice(rest, WINDOW, p=tilt / tilt.sum()))
            windows = {"nothing": plain, "a column tilted": tilted}
            windows |= {"4 % flipped": _flipped(rng, plain), "both": _flipped(rng, tilted)}
            for kind, window in windows.items():
                told.setdefault(kind, []).append(known.record(window))
        for kind, each in told.items():
            _say([name, kind, *(f"{np.mean([one[what] for one in each]):.3f}" for what in ("flagged", "beyond"))])


def _flipped(rng: np.random.Generator, rows: BinaryRows) -> BinaryRows:
    turned = rng.random(len(rows)) < 0.04
    return BinaryRows(rows.scores, rows.predicted, np.where(turned, 1 - rows.positive, rows.positive))


def _say(cells: list[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.estimating", description=__doc__)
    parser.add_argument("table", choices=("bands", "classes", "concept"))
    parser.add_argument("--repeats", type=int, default=200)
    options = parser.parse_args()
    {"bands": bands, "classes": several, "concept": concept}[options.table](options.repeats)

"""How often the intervals of realised metrics hold the truth, for data whose truth is known by formula.

`make coverage` prints the table of docs/statistics.md; tests/estimate/test_intervals.py runs a part of it.
Everything is drawn from fixed seeds.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from scipy import stats

from driftgauge.aggregates.outcomes import SCORE_LIMIT, Outcomes
from driftgauge.aggregates.sketch import ValueSketch
from driftgauge.columns import FloatArray
from driftgauge.estimate.intervals import measured
from driftgauge.schema import Average, Task

SEED: Final = 20261130
ROWS: Final = (50, 200, 1000, 5000)
SAMPLES: Final = 2000
Draw = Callable[[np.random.Generator, int], Outcomes]


@dataclass(frozen=True)
class Case:
    """Rows of a kind: how outcomes of some are drawn, and what each metric is of all there could be."""

    draw: Draw
    truth: Mapping[str, float]
    task: Task = "binary"
    average: Average = "binary"


def covered(case: Case, rows: int, *, samples: int, seed: int, shrink: float = 1.0) -> dict[str, float]:
    """Return by metric the share of samples whose interval holds the truth, of those in which the metric is defined.

    shrink: by what the distance of both ends from the value is multiplied.
    """
    rng = np.random.default_rng([SEED, seed, rows])
    held: dict[str, list[bool]] = {name: [] for name in case.truth}
    for _ in range(samples):
        found = measured(case.draw(rng, rows), task=case.task, average=case.average)
        for name, truth in case.truth.items():
            if name in found:
                one = found[name]
                lower, upper = (one.value + shrink * (end - one.value) for end in (one.lower, one.upper))
                held[name].append(lower <= truth <= upper)
    return {name: float(np.mean(of)) for name, of in held.items() if of}


def classes(shares: Sequence[Sequence[float]], average: Average) -> Case:
    """Return rows that fall on the cells of a confusion matrix (K, K) with these shares."""
    expected = np.asarray(shares, dtype=np.float64)
    expected = expected / expected.sum()
    hits, labelled, predicted = expected.diagonal(), expected.sum(axis=1), expected.sum(axis=0)
    names = [str(at) for at in range(len(expected))]
    of_class = {"precision": hits / predicted, "recall": hits / labelled, "f1": 2 * hits / (labelled + predicted)}
    weights = {"binary": np.eye(len(names))[1], "macro": np.full(len(names), 1 / len(names)), "weighted": labelled}
    truth = {name: float(weights[average] @ values) for name, values in of_class.items()}

    def draw(rng: np.random.Generator, rows: int) -> Outcomes:
        counts = rng.multinomial(rows, expected.ravel()).reshape(expected.shape)
        cells = {(names[at], names[to]): int(count) for (at, to), count in np.ndenumerate(counts) if count}
        return Outcomes(rows=rows, confusion=cells)

    task: Task = "binary" if len(names) == 2 else "multiclass"
    return Case(draw, {"accuracy": float(hits.sum()), **truth}, task, average)


def two_classes(prevalence: float, recall: float, specificity: float) -> Case:
    """Return rows of which a share is positive, with shares of these and of the negatives recognised."""
    negative = 1 - prevalence
    rows = (
        (negative * specificity, negative * (1 - specificity)),
        (prevalence * (1 - recall), prevalence * recall),
    )
    return classes(rows, "binary")


def many_classes(priors: Sequence[float], right: float, average: Average) -> Case:
    """Return rows of classes with these shares, of which a share is right and the others are spread evenly."""
    others = (1 - right) / (len(priors) - 1)
    return classes([[p * (right if at == to else others) for to in range(len(priors))] for at, p in enumerate(priors)],
                   average)  # fmt: skip


def areas(area: float, positive: float, *, spread: float = 1.0, digits: int = 9) -> Case:
    """Return normal scores of which those of the positives spread this much more, rounded to some digits."""
    apart = stats.norm.ppf(area) * np.hypot(1, spread)
    if digits < 9:
        # Of rounded scores, pairs in one cell are ties.
        edges = np.arange(-12, 12, 10.0**-digits) + 0.5 * 10.0**-digits
        below, above = (np.diff(stats.norm.cdf(edges, at, sd)) for at, sd in ((0, 1), (apart, spread)))
        area = float((above * (below.cumsum() - below / 2)).sum())

    def draw(rng: np.random.Generator, rows: int) -> Outcomes:
        positives = int(rng.binomial(rows, positive))
        scores = np.round(np.append(rng.normal(size=rows - positives), rng.normal(apart, spread, positives)), digits)
        group = np.repeat([0, 1], [rows - positives, positives])
        return Outcomes(rows=rows, scores={"1": ValueSketch.fold(scores, group, groups=2, limit=SCORE_LIMIT)})

    return Case(draw, {"roc_auc": float(area)})


def probabilities() -> Case:
    """Return scores that are probabilities, all equally frequent."""

    def draw(rng: np.random.Generator, rows: int) -> Outcomes:
        score = rng.random(rows)
        return _folded(np.where(rng.random(rows) < score, "1", "0"), np.where(score < 0.5, "0", "1"), score)

    return Case(draw, {"log_loss": 0.5, "brier_score": 1 / 6})


def errors(of: Any, label: Any) -> Case:
    """Return errors and labels of these distributions of scipy."""
    absolute, square = float(of.expect(abs)), float(of.expect(np.square))
    truth = {"mae": absolute, "rmse": square**0.5, "r2": 1 - square / float(label.var())}

    def draw(rng: np.random.Generator, rows: int) -> Outcomes:
        labels = label.rvs(rows, random_state=rng)
        return _folded(labels, labels + of.rvs(rows, random_state=rng), np.full(rows, np.nan))

    return Case(draw, truth, "regression")


def _folded(label: Any, predicted: Any, score: FloatArray) -> Outcomes:
    return Outcomes.fold(label=pa.array(label), predicted=pa.array(predicted), score=score, class_scores={})


THREE: Final = (0.34, 0.33, 0.33)
FIVE: Final = (0.55, 0.2, 0.12, 0.08, 0.05)
NORMAL: Final = stats.norm(scale=2)
CASES: Final[Mapping[str, Case]] = {
    **{
        f"two classes, {share:.0%} positive": two_classes(share, recall, specificity)
        for share, recall, specificity in ((0.08, 0.7, 0.97), (0.25, 0.75, 0.92), (0.45, 0.85, 0.8))
    },
    **{
        f"{name}, {average}": many_classes(priors, right, average)
        for name, priors, right in (("three even classes", THREE, 0.78), ("five uneven classes", FIVE, 0.85))
        for average in ("macro", "weighted")
    },
    "three classes, 97 % right, macro": many_classes((0.5, 0.3, 0.2), 0.97, "macro"),
    **{f"area {area:g}, 40 % positive": areas(area, 0.4) for area in (0.6, 0.8, 0.95, 0.995)},
    "area 0.85, 10 % positive": areas(0.85, 0.1),
    "area 0.85, positives spread thrice": areas(0.85, 0.3, spread=3),
    "area 0.85, negatives spread thrice": areas(0.85, 0.3, spread=1 / 3),
    "area of scores with one digit": areas(0.75, 0.3, digits=0),
    "probabilities": probabilities(),
    "normal errors, normal labels": errors(NORMAL, stats.norm(scale=4)),
    "normal errors, skewed labels": errors(NORMAL, stats.gamma(2, scale=3)),
    "errors of Student's t (5)": errors(stats.t(5), stats.norm(scale=3)),
    "lognormal errors": errors(stats.lognorm(1), stats.norm(scale=5)),
}


def table() -> None:
    """Print the share of intervals that hold the truth, by kind of rows, metric and number of rows."""
    sys.stdout.write(f"| rows | metric | {' | '.join(f'{rows:,}' for rows in ROWS)} |\n")
    sys.stdout.write(f"| --- | --- | {' | '.join('---:' for _ in ROWS)} |\n")
    for seed, (name, case) in enumerate(CASES.items()):
        found = [covered(case, rows, samples=SAMPLES, seed=seed) for rows in ROWS]
        for metric in case.truth:
            cells = " | ".join(f"{of[metric]:.3f}" if metric in of else "" for of in found)
            sys.stdout.write(f"| {name} | {metric} | {cells} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    table()

"""How good the predictions were: every metric from mergeable outcomes, and how much worse than the baseline.

Definitions and averaging are scikit-learn's (`sklearn.metrics`, `zero_division=0` inside averages). A metric that is
undefined (no labels, one class, 0/0) is left out of the result instead of being given a number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.aggregates.outcomes import POSITIVE, Outcomes
from driftgauge.aggregates.sketch import ValueSketch
from driftgauge.columns import FloatArray
from driftgauge.schema import NEGATIVE_WORDS, POSITIVE_WORDS, Average, Task

# Metrics of which more is better: degradation is the absolute difference. Of the others less is better, and
# degradation is relative to the baseline.
SCORES: Final = frozenset({"accuracy", "precision", "recall", "f1", "roc_auc", "r2"})


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Rows of one class (`support`), rows predicted as it (`predicted`), and rows that are both (`hits`)."""

    support: int
    predicted: int
    hits: int

    @property
    def precision(self) -> float | None:
        """Share of the rows predicted as the class that are of it; None when none was predicted."""
        return self.hits / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the rows of the class that were predicted as it; None when there are none."""
        return self.hits / self.support if self.support else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None when the class neither occurred nor was predicted."""
        either = self.support + self.predicted
        return 2 * self.hits / either if either else None


def class_counts(outcomes: Outcomes) -> dict[str, ClassCounts]:
    """Return the counts of every class that occurred or was predicted, by name, sorted; none of too many classes."""
    if outcomes.beyond:
        return {}
    names = sorted({name for pair in outcomes.confusion for name in pair})
    support, predictions, hits = dict.fromkeys(names, 0), dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for (true, predicted), count in outcomes.confusion.items():
        support[true] += count
        predictions[predicted] += count
        hits[true] += count if true == predicted else 0
    return {name: ClassCounts(support[name], predictions[name], hits[name]) for name in names}


def metrics(outcomes: Outcomes, *, task: Task, average: Average) -> dict[str, float]:
    """Return the defined metrics of the task, by the names the label `metric` uses."""
    if task == "regression":
        return _known({name: metric(outcomes) for name, metric in _REGRESSION.items()})
    if outcomes.beyond:
        return {} if task == "binary" else _of_many_classes(outcomes, average)
    classes = class_counts(outcomes)
    if (task == "binary" and not _are_two_classes(outcomes)) or no_class_in_common(outcomes.confusion):
        return {}
    found = {"accuracy": _accuracy(classes)}
    for name, of_class in _CLASS_METRICS.items():
        found[name] = _averaged(classes, of_class, average)
    return _known(found | _of_scores(outcomes, average))


def _of_scores(outcomes: Outcomes, average: Average) -> dict[str, float | None]:
    found = {"roc_auc": _averaged_auc(outcomes, average)}
    # One row whose scores are no probabilities makes the mean of the others misleading.
    if outcomes.graded and not outcomes.ungraded:
        found |= {"log_loss": outcomes.log_loss / outcomes.graded, "brier_score": outcomes.brier / outcomes.graded}
    return found


def _of_many_classes(outcomes: Outcomes, average: Average) -> dict[str, float]:
    """Return what needs no class told apart from the others; nothing where no prediction was right, as of ids."""
    hits = outcomes.hits + sum(count for (true, predicted), count in outcomes.confusion.items() if true == predicted)
    if not hits:
        return {}
    accuracy = hits / (outcomes.beyond + sum(outcomes.confusion.values()))
    return _known({"accuracy": accuracy, **_of_scores(outcomes, average)})


def no_class_in_common(confusion: Mapping[tuple[str, str], int]) -> tuple[str, str] | None:
    """Return a label and a prediction where the two speak of other classes, None where nothing says so.

    They do where they share no class although both have several in many rows, or where they differ in spelling alone.
    0 and 1 are classes of every binary model.
    """
    labelled, predicted = ({pair[side] for pair in confusion} for side in (0, 1))
    if not confusion or labelled & predicted or labelled | predicted <= _NUMBERED:
        return None
    several = min(len(labelled), len(predicted)) > 1 and sum(confusion.values()) >= _MANY_ROWS
    words = {name.strip().casefold() for name in labelled | predicted} <= POSITIVE_WORDS | NEGATIVE_WORDS
    alike = not {name.strip().casefold() for name in labelled}.isdisjoint(name.strip().casefold() for name in predicted)
    return (min(labelled), min(predicted)) if several or words or alike else None


def degradation(found: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, float]:
    """Return how much worse than the baseline each metric is that both have: positive is worse."""
    worse = {}
    # In the order of `found`, and not in that of a set, so that what is said of them is in the same order each time.
    for name in filter(baseline.__contains__, found):
        if name in SCORES:
            worse[name] = baseline[name] - found[name]
        elif baseline[name] > 0:
            worse[name] = (found[name] - baseline[name]) / baseline[name]
    return worse


def roc_auc(sketch: ValueSketch) -> float | None:
    """Return the area under the ROC curve of scores in two groups (negatives, positives); None with one group.

    The Mann-Whitney form: the share of pairs in which the positive scores higher, ties counting half.
    """
    negatives, positives = sketch.counts[:, 0].astype(np.float64), sketch.counts[:, 1].astype(np.float64)
    pairs = negatives.sum() * positives.sum()
    if not pairs:
        return None
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs)


def _are_two_classes(outcomes: Outcomes) -> bool:
    """Tell whether labels and predictions speak of the same two classes: churn and stay are not 0 and 1."""
    labelled = {name for name, _ in outcomes.confusion}
    predicted = {name for _, name in outcomes.confusion}
    apart = labelled.isdisjoint(predicted) and (labelled <= _NUMBERED) != (predicted <= _NUMBERED)
    return len(labelled | predicted) <= len(_NUMBERED) and not apart


# Fewer rows of many classes may all be predicted wrong.
_MANY_ROWS: Final = 20
_NUMBERED: Final = frozenset({"0", POSITIVE})
_CLASS_METRICS: Final[Mapping[str, Callable[[ClassCounts], float | None]]] = {
    "precision": lambda counts: counts.precision,
    "recall": lambda counts: counts.recall,
    "f1": lambda counts: counts.f1,
}


def _accuracy(classes: Mapping[str, ClassCounts]) -> float | None:
    total = sum(counts.support for counts in classes.values())
    return sum(counts.hits for counts in classes.values()) / total if total else None


def _averaged(
    classes: Mapping[str, ClassCounts], metric: Callable[[ClassCounts], float | None], average: Average
) -> float | None:
    if not classes:
        return None
    if average == "binary":
        return metric(classes[POSITIVE]) if POSITIVE in classes else None
    if average == "micro":
        return _accuracy(classes)
    values = np.array([metric(counts) or 0.0 for counts in classes.values()])
    return _mean(values, np.array([float(counts.support) for counts in classes.values()]), average)


def _averaged_auc(outcomes: Outcomes, average: Average) -> float | None:
    """Binary: of the positive class. Multiclass: one class against the rest, over all classes with scores."""
    if not outcomes.scores:
        return None
    areas = {name: roc_auc(sketch) for name, sketch in outcomes.scores.items()}
    known = [area for area in areas.values() if area is not None]
    if len(known) < len(areas):
        return None
    if average == "micro" and len(areas) > 1:
        return roc_auc(ValueSketch.combine(list(outcomes.scores.values())))
    support = np.array([float(sketch.counts[:, 1].sum()) for sketch in outcomes.scores.values()])
    return _mean(np.array(known), support, average)


def _mean(values: FloatArray, support: FloatArray, average: Average) -> float:
    return float(np.average(values, weights=support) if average == "weighted" else values.mean())


def _mse(outcomes: Outcomes) -> float | None:
    return outcomes.squared / outcomes.errors if outcomes.errors else None


def _rmse(outcomes: Outcomes) -> float | None:
    mse = _mse(outcomes)
    return None if mse is None else float(np.sqrt(mse))


def _mae(outcomes: Outcomes) -> float | None:
    return outcomes.absolute / outcomes.errors if outcomes.errors else None


def _r2(outcomes: Outcomes) -> float | None:
    return 1 - outcomes.squared / outcomes.labels.m2 if outcomes.labels.m2 > 0 else None


_REGRESSION: Final[Mapping[str, Callable[[Outcomes], float | None]]] = {
    "mse": _mse,
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
}


def _known(found: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None and np.isfinite(value)}

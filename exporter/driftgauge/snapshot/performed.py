"""What the labelled rows of one window say of performance: metrics, how sure these are, and classes one by one."""

from collections.abc import Mapping
from itertools import product
from typing import Final

from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.estimate.intervals import measured
from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.performance import class_counts, degradation, metrics
from driftgauge.snapshot.board import Board
from driftgauge.snapshot.state import ModelState

# Of more classes nobody reads a confusion matrix, and it has a series for each pair.
_MOST_CLASSES: Final = 20


def put_performance(board: Board, model: ModelState, outcomes: Outcomes) -> Mapping[str, float]:
    """Add every metric that is defined, with its interval and its distance from the baseline; return the metrics."""
    task, average = model.config.task, model.config.average
    found = metrics(outcomes, task=task, average=average)
    for metric, value in found.items():
        board.put(PERFORMANCE_GAUGES[metric], value)
    for metric, value in degradation(found, model.baseline).items():
        board.put("model_performance_degradation", value, metric)
    for metric, sure in measured(outcomes, task=task, average=average).items():
        if metric in found:
            board.put("model_performance_bound", sure.lower, metric, "lower")
            board.put("model_performance_bound", sure.upper, metric, "upper")
    _put_classes(board, outcomes)
    return found


def _put_classes(board: Board, outcomes: Outcomes) -> None:
    classes = class_counts(outcomes)
    rows = sum(counts.support for counts in classes.values())
    for name, counts in classes.items():
        board.put("model_class_share", counts.support / rows, name, "label")
        board.put("model_class_precision", counts.precision, name)
        board.put("model_class_recall", counts.recall, name)
        board.put("model_class_f1_score", counts.f1, name)
    if len(classes) > _MOST_CLASSES:
        return
    for true, predicted in product(classes, repeat=2):
        board.put("model_class_confusion", outcomes.confusion.get((true, predicted), 0), true, predicted)

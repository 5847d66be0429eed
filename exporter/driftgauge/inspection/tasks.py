"""Which task predictions belong to, judged by their values, where nobody has said it."""

from typing import Final

from driftgauge.inspection.facts import Facts, OutcomeFacts
from driftgauge.schema import NEGATIVE_WORDS, POSITIVE_WORDS, Task

_MOST_CLASSES: Final = 20
_ZERO_AND_ONE: Final = frozenset({"0", "1"})
_SHOWN: Final = 4


def task_of(predictions: Facts, labels: Facts | None) -> tuple[Task, str]:
    """Return the task and what speaks for it, in words; binary, the default, where nothing does."""
    found = predictions.outcomes.get("prediction") or predictions.outcomes.get("score")
    label = (labels or predictions).outcomes.get("label")
    if len(predictions.classes) > 2:
        return "multiclass", f"there are probabilities of {len(predictions.classes)} classes"
    if found is None:
        return "binary", "the default: there is no prediction to judge by"
    classes = found if label is None else found.joined(label)
    few = label is None or (label.is_whole and len(label.classes) <= 2)
    if found.is_numeric and found.low >= 0 and found.high <= 1 and few:
        return "binary", f"predictions are {'0 and 1' if found.is_whole else 'between 0 and 1'}"
    if classes.is_whole and (len(classes.classes) <= 2 or _are_words_of_two(classes)):
        return "binary", f"there are two classes at most: {_listed(classes)}"
    if not found.is_numeric:
        return "multiclass", f"there are {len(classes.classes)} classes: {_listed(classes)}"
    return _of_numbers(found, label, classes)


def _are_words_of_two(outcome: OutcomeFacts) -> bool:
    """Return whether all are words for yes and no, in any letters, which a binary model reads as 1 and 0."""
    return {name.strip().lower() for name in outcome.classes} <= POSITIVE_WORDS | NEGATIVE_WORDS


def _of_numbers(found: OutcomeFacts, label: OutcomeFacts | None, classes: OutcomeFacts) -> tuple[Task, str]:
    if classes.is_whole and len(classes.classes) <= _MOST_CLASSES:
        return "multiclass", f"predictions are few whole numbers: {_listed(classes)}"
    two = label is not None and label.is_whole and len(label.classes) <= 2
    if label is not None and two and (not label.is_numeric or label.classes <= _ZERO_AND_ONE):
        return "binary", f"labels are two classes: {_listed(label)}"
    return "regression", f"predictions are numbers from {found.low:g} to {found.high:g}"


def _listed(outcome: OutcomeFacts) -> str:
    names = sorted(outcome.classes)
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")

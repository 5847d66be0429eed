"""How label rows meet their predictions: by which keys, how many, and how long after."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from driftgauge.batch.keys import shown_key
from driftgauge.inspection.facts import ColumnFacts, Facts
from driftgauge.inspection.findings import LabelsFinding
from driftgauge.windows import MICROSECONDS

_KEY: Final = "request_id"
# Columns are taken for one key when at least half of the sampled values of one are in the other.
_ENOUGH: Final = 0.5
_NOT_KEYS: Final = ("numbers", "true/false", "times", "durations", "lists, objects", "empty")


def meet(predictions: Facts, labels: Facts, *, joined: int, complete: bool) -> LabelsFinding:
    """Return how they meet; joined: labels that the store has joined. complete: all files of both were read."""
    made, came = _times(predictions), _times(labels)
    matched = made.keys() & came.keys()
    delays = [(came[key] - made[key]) / MICROSECONDS for key in matched]
    rows = sum(len(times) for times, _ in labels.chunks)
    label, prediction = (_example(keys, matched) for keys in (came, made))
    remedy = "" if matched or joined else _remedy(predictions, labels, label, prediction, complete=complete)
    return LabelsFinding(
        labels=rows,
        matched=sum(_count(keys, matched) for _, keys in labels.chunks),
        joined=joined,
        shared=_shared(labels),
        delay_median=float(np.median(delays)) if delays else None,
        delay_least=min(delays, default=None),
        delay_most=max(delays, default=None),
        unmatched_label=label,
        unmatched_prediction=prediction,
        remedy=remedy,
    )


def key_columns(predictions: Facts, labels: Facts) -> tuple[str, str] | None:
    """Return the columns of predictions and of labels that hold the same values and may be the key, if any do."""
    pairs = (
        (_overlap(ours, theirs), ours.use.path == theirs.use.path, ours.use.path, theirs.use.path)
        for ours in _candidates(predictions)
        for theirs in _candidates(labels)
    )
    best = max(pairs, default=(0.0, False, "", ""))
    return best[2:] if best[0] >= _ENOUGH else None


def _candidates(facts: Facts) -> Iterable[ColumnFacts]:
    for column in facts.columns.values():
        role = column.use.role
        may_be = role in {_KEY, "not used", "join key"} or role.startswith("feature ")
        # A column of few values tells no row from another.
        if may_be and column.kind not in _NOT_KEYS and len(column.sample) > min(10, column.present // 2):
            yield column


def _overlap(ours: ColumnFacts, theirs: ColumnFacts) -> float:
    return len(ours.sample & theirs.sample) / max(1, min(len(ours.sample), len(theirs.sample)))


def _times(facts: Facts) -> dict[str, int]:
    found: dict[str, int] = {}
    for times, keys in facts.chunks:
        rows = zip(keys.to_pylist(), times.tolist(), strict=True)
        found.update((key, time) for key, time in rows if key is not None)
    return found


def _shared(facts: Facts) -> int:
    counts = Counter(key for _, keys in facts.chunks for key in keys.to_pylist() if key is not None)
    return sum(count for count in counts.values() if count > 1)


def _count(keys: Any, matched: set[str]) -> int:
    return sum(key in matched for key in keys.to_pylist())


def _example(keys: Iterable[str], matched: set[str]) -> str:
    return shown_key(next((key for key in keys if key not in matched), ""))


def _remedy(predictions: Facts, labels: Facts, label: str, prediction: str, *, complete: bool) -> str:
    for facts, what in ((predictions, "prediction"), (labels, "label")):
        if not facts.usable and "missing_key" not in facts.rejected:
            return f"no row of the {what}s can be used: see what is said of them"
    if not label:
        return "label rows have no key: name its column, labels.key or columns.request_id"
    if not prediction:
        return "predictions have no key: log a request_id with each, or name its column under columns.request_id"
    found = key_columns(predictions, labels)
    if found is not None and found[0] != found[1]:
        return f'"{found[0]}" of predictions and "{found[1]}" of labels hold the same values: make them the key'
    return (
        f'label keys look like "{label}", those of predictions like "{prediction}": log the same ids in both'
        if complete
        else "the newest labels may belong to predictions older than those that were read"
    )

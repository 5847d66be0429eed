"""Mean, standard deviation and missing values of every feature and of the output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

import numpy as np

from driftgauge.aggregates.moments import Moment, Moments
from driftgauge.columns import BoolArray, Columns, FloatArray, IntArray, TextArray
from driftgauge.grid import CLASS, OUTPUT
from driftgauge.samples import HistogramSample, Sample, Samples
from driftgauge.signals.rows import class_numbers, texts_of
from driftgauge.signals.signal import Basis, Signal

# A mean is published from this many numbers on.
_MIN_NUMBERS: Final = 2


@dataclass(frozen=True, slots=True)
class FittedMoments:
    """`expected` are the reference's features, in its order; at most `limit` features are published."""

    expected: tuple[str, ...]
    limit: int
    # The same with any reference: sums stay when it changes.
    fingerprint: str = "1"

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Moments]:
        """Summarise the columns of each group."""
        numbers = class_numbers(rows)
        scored = rows.facts.has_scores
        found = Moments.fold(numbers, _others(numbers, texts_of(rows)), ends)
        failed = np.concatenate([[0], rows.failed.cumsum()])[np.concatenate([[0], ends])]
        sizes = zip(np.diff(ends, prepend=0).tolist(), np.diff(failed).tolist(), strict=True)
        return [
            replace(moments, rows=size, answered=size - errors, scored=size if scored else 0)
            for moments, (size, errors) in zip(found, sizes, strict=True)
        ]

    def names(self, moments: Moments) -> list[str]:
        """Return the reference's features in its order, then others the rows had, up to the limit."""
        others = sorted(set(moments.names) - set(self.expected) - {OUTPUT, CLASS})
        return [*self.expected, *others][: self.limit]


def fit(basis: Basis) -> FittedMoments:
    """Return the signal for the features of the reference, if there is one."""
    expected = basis.reference.features if basis.reference else ()
    return FittedMoments(expected, basis.limits.max_features)


def values(moments: Moments, fitted: FittedMoments) -> Samples:
    """Return mean, standard deviation (ddof = 0) and share of missing values by feature and of the output."""
    found: dict[str, list[Sample | HistogramSample]] = {}
    columns, names = moments.columns, fitted.names(moments)
    # A failed request has no output to be missing.
    _put(found, "model_prediction", columns.get(OUTPUT, Moment()), moments.answered)
    for name in names:
        _put(found, "model_feature", columns.get(name, Moment()), moments.rows, name)
    if names and moments.rows:
        present = sum(columns[name].present for name in names if name in columns)
        found["model_missing_ratio"] = [Sample((), 1 - present / (moments.rows * len(names)))]
    return found


def _put(
    found: dict[str, list[Sample | HistogramSample]], prefix: str, moment: Moment, rows: int, *labels: str
) -> None:
    if moment.variance is not None and moment.count >= _MIN_NUMBERS:
        found.setdefault(f"{prefix}_mean", []).append(Sample(labels, moment.mean))
        found.setdefault(f"{prefix}_stddev", []).append(Sample(labels, sqrt(moment.variance)))
    if rows:
        found.setdefault(f"{prefix}_missing_ratio", []).append(Sample(labels, 1 - moment.present / rows))


def _others(numbers: Mapping[str, FloatArray], texts: Mapping[str, TextArray]) -> dict[str, BoolArray]:
    """Return which rows (n,) have a text in each column, the output's where it has no number."""
    others: dict[str, BoolArray] = {
        name: text.is_valid().to_numpy(zero_copy_only=False) for name, text in texts.items()
    }
    if OUTPUT in numbers:
        others[OUTPUT] = others[OUTPUT] & ~np.isfinite(numbers[OUTPUT])
    return others


SIGNAL: Final = Signal("moments", "predictions", Moments, fit, values)

"""Losses of labelled rows in slices: the drift bins, the largest categories and the missing values of each feature.

Rows whose label came late have the bytes that the label store kept of their features. Only all rows are sliced: a
segment is a slice already.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.aggregates.losses import SliceLosses
from driftgauge.columns import Columns, IntArray
from driftgauge.config import ModelConfig, Scalar
from driftgauge.estimate.coding import LEARNED, CategoryCodes, Coding, NumericCodes, coding_of
from driftgauge.estimate.losses import METRICS, losses, unlearnable
from driftgauge.reference import Reference
from driftgauge.signals.signal import Basis, Learned, Signal

NAME: Final = "slices"


@dataclass(frozen=True, eq=False)
class FittedSlices:
    """The slices of `coding`, and what the labelled rows of the reference cost in each (`known`).

    metric: whose loss it is. shown: the names of categories that may be said, `plan = A`.
    """

    coding: Coding
    known: SliceLosses
    metric: str
    shown: frozenset[str] = frozenset()

    @property
    def fingerprint(self) -> str:
        """Losses of other slices do not add, and those of another task are others."""
        return f"1:{self.metric}:{self.coding.fingerprint}"

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The codes of each column."""
        return tuple(column.count for column in self.coding.columns)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each slice (k,) is called: `age 20 to 30`, `plan = A` or, where that may not be said, a number."""
        return tuple(name for column in self.coding.columns for name in _names(column, self.shown))

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[SliceLosses]:
        """Add up the losses of each group; rows whose features are not known are left out."""
        return _folded(self.coding, rows, ends, is_binary=self.known.is_binary)


def _folded(coding: Coding, rows: Columns, ends: IntArray, *, is_binary: bool) -> list[SliceLosses]:
    found = np.where(coding.known(rows), losses(rows), np.nan)
    counts = [column.count for column in coding.columns]
    return SliceLosses.fold(coding.codes(rows), found, ends, counts, is_binary=is_binary)


def _names(column: NumericCodes | CategoryCodes, shown: Collection[str]) -> list[str]:
    """Return what the slices of a column are called; a category that may not be said has its number by size."""
    missing = f"{column.name} missing"
    if isinstance(column, NumericCodes):
        return [*column.names, missing]
    largest = len(column.categories)
    numbered = [f"{column.name}: category {at} of {largest}" for at in range(1, largest + 1)]
    said = [name if name in shown else number for name, number in zip(column.names, numbered, strict=False)]
    return [*said, f"{column.name}: others", missing]


def learn(chunks: Sequence[Columns], reference: Reference, model: ModelConfig) -> Learned:
    """Return what the reference's labelled rows cost by slice; or, as `reason`, why that is not known."""
    if LEARNED in reference.learned:
        return {}
    if reason := unlearnable(chunks, np.concatenate([losses(chunk) for chunk in chunks])):
        return {"reason": reason}
    coding, is_binary = coding_of(reference), model.task != "regression"
    if not coding.columns:
        return {"reason": "the reference has no features"}
    parts = [_folded(coding, chunk, np.array([len(chunk)]), is_binary=is_binary)[0] for chunk in chunks]
    return SliceLosses.combine(parts).to_state()


def fit(basis: Basis) -> FittedSlices | None:
    """Return the slices of a reference that has labels, None of others."""
    found = basis.learned(NAME, "rows")
    if found is None:
        return None
    reference, learned = found
    known = SliceLosses.from_state(dict(learned))
    return FittedSlices(coding_of(reference), known, METRICS[basis.model.task][0], _configured(basis.model, reference))


def _configured(model: ModelConfig, reference: Reference) -> frozenset[str]:
    """Return the slices of categories that segments name, or ask for: these may be shown."""
    named = {
        (feature, value)
        for conditions in model.segments.values()
        for feature, condition in conditions.items()
        for value in condition.values
    }
    for name, values in reference.segment_values.items():
        asked = [feature for feature, condition in model.segments.get(name, {}).items() if condition.every]
        named |= {pair for one in values for pair in zip(asked, one, strict=False)}
    return frozenset(f"{feature} = {_as_text(value)}" for feature, value in named)


def _as_text(value: Scalar) -> str:
    """Return a value as a categorical column has it."""
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else f"{value:.17g}"


SIGNAL: Final = Signal(NAME, "labelled", SliceLosses, fit, learn=learn)

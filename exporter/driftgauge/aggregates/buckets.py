"""Counts of durations in the fixed buckets of a Prometheus histogram, with their sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from driftgauge.columns import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """`counts` (b + 1,) of values <= each of the `b` upper `bounds` and > the one before; the last is open."""

    bounds: tuple[float, ...]
    counts: IntArray
    sum: float

    @classmethod
    def empty(cls, bounds: tuple[float, ...]) -> Self:
        """Return the identity of `combine` for these bounds."""
        return cls(bounds, np.zeros(len(bounds) + 1, np.int64), 0.0)

    @classmethod
    def fold(cls, values: FloatArray, bounds: tuple[float, ...]) -> Self:
        """Count values (n,); NaN is no value."""
        return cls.of_sorted(np.sort(values[np.isfinite(values)]), bounds)

    @classmethod
    def of_sorted(cls, ordered: FloatArray, bounds: tuple[float, ...]) -> Self:
        """Count finite values (n,) in ascending order."""
        ends = np.array([0, *ordered.searchsorted(bounds, side="right"), len(ordered)])
        return cls(bounds, ends[1:] - ends[:-1], float(ordered.sum()))

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add bucket by bucket; refuses different bounds."""
        bounds = {part.bounds for part in parts}
        if len(bounds) != 1:
            raise ValueError(f"cannot combine histograms with different bounds: {sorted(bounds)}")
        counts = np.sum([part.counts for part in parts], axis=0)
        return cls(parts[0].bounds, counts, sum(part.sum for part in parts))

    @property
    def total(self) -> int:
        """The number of values counted."""
        return int(self.counts.sum())

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"bounds": list(self.bounds), "counts": self.counts, "sum": self.sum}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the histogram that `to_state` described."""
        return cls(tuple(state["bounds"]), state["counts"], state["sum"])

"""Count, mean and sum of squared deviations per named column, merged by Chan's formula.

Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979): unlike
plain sums of squares it does not cancel when the mean is large against the spread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from driftgauge.columns import FloatArray


@dataclass(frozen=True, slots=True)
class Moment:
    """`count` numbers, their `mean`, and `m2`, the sum of squared deviations from it; `others` are no numbers."""

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0
    others: int = 0

    @classmethod
    def fold(cls, values: FloatArray) -> Self:
        """Summarise values (n,), none of which may be NaN."""
        if not len(values):
            return cls()
        # An outlier near the largest double overflows the sum of squares; the snapshot leaves infinities out.
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            return cls(len(values), mean, float(np.square(values - mean).sum()))

    def merge(self, other: Self) -> Self:
        """Return the summary of both samples together."""
        others = self.others + other.others
        if not self.count or not other.count:
            return replace(self if self.count else other, others=others)
        count = self.count + other.count
        delta = np.float64(other.mean) - self.mean
        with np.errstate(over="ignore", invalid="ignore"):
            mean = self.mean + delta * other.count / count
            m2 = self.m2 + other.m2 + delta * delta * self.count * other.count / count
        return type(self)(count, float(mean), float(m2), others)

    @property
    def present(self) -> int:
        """Values that are not missing, numbers or not."""
        return self.count + self.others

    @property
    def variance(self) -> float | None:
        """Population variance (ddof = 0); None without numbers."""
        return self.m2 / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Moments:
    """A `Moment` per column. Columns never seen are simply not there."""

    columns: Mapping[str, Moment] = field(default_factory=dict)

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Merge column by column; `combine([])` is the identity."""
        merged: dict[str, Moment] = {}
        for part in parts:
            for name, moment in part.columns.items():
                merged[name] = merged[name].merge(moment) if name in merged else moment
        return cls(merged)

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {
            "names": list(self.columns),
            "counts": np.array([m.count for m in self.columns.values()], dtype=np.int64),
            "others": np.array([m.others for m in self.columns.values()], dtype=np.int64),
            "moments": np.array([(m.mean, m.m2) for m in self.columns.values()], dtype=np.float64).reshape(-1, 2),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the moments that `to_state` described."""
        counts, others = state["counts"].tolist(), state["others"].tolist()
        rows = zip(state["names"], counts, state["moments"].tolist(), others, strict=True)
        return cls({name: Moment(count, mean, m2, other) for name, count, (mean, m2), other in rows})

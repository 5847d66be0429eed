"""How much the expected loss moves because the mix of one feature did, before any label has come.

The reference's labelled rows say how large the mean loss is in each bin or category of a feature. If only the shares of
these moved, from p to q, the expected loss would rise by the sum of (q - p) x loss: positive is worse. Features move
together, so impacts do not add up, and the one with the largest is a suspect rather than a cause.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import FloatArray, IntArray

# Cells with fewer labelled rows of the reference have the mean loss of all such cells of the feature.
FEW_ROWS: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class CellLosses:
    """Labelled reference rows (c,) in each cell of one feature, and the sums (m, c) of their losses by metric.

    Cells are the drift bins of numbers. Of categories they are those with a cell of their own, and last all others.
    """

    rows: IntArray
    sums: FloatArray

    @classmethod
    def of(cls, cells: IntArray, losses: FloatArray, count: int) -> Self:
        """Count rows (n,) by cell, -1 where the value is missing; losses: (m, n)."""
        known = cells >= 0
        sums = [np.bincount(cells[known], loss[known], count) for loss in losses]
        return cls(np.bincount(cells[known], minlength=count), np.array(sums, np.float64).reshape(len(losses), count))

    def joined(self, group: IntArray) -> Self:
        """Return the same where several cells become one; group: (c,) the new cell of each."""
        count = int(group.max(initial=-1)) + 1
        sums = [np.bincount(group, of_metric, count) for of_metric in self.sums]
        return type(self)(np.bincount(group, self.rows, count).astype(np.int64), np.array(sums))

    def means(self) -> FloatArray:
        """Return the mean losses (m, c); cells with few rows have theirs in common, or where these are few, of all."""
        few = self.rows < FEW_ROWS
        common = few if self.rows[few].sum() >= FEW_ROWS else np.ones(len(few), np.bool_)
        rows, sums = self.rows.astype(np.float64), self.sums
        with np.errstate(invalid="ignore", divide="ignore"):
            of_common = sums[:, common].sum(axis=1, keepdims=True) / rows[common].sum()
            return np.where(few, of_common, sums / rows)

    @property
    def mean(self) -> FloatArray:
        """The mean loss (m,) of all rows: what is expected where nothing is known."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.sums.sum(axis=1) / self.rows.sum())

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"rows": self.rows, "sums": self.sums}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return what `to_state` described."""
        return cls(state["rows"], state["sums"])


def impact(reference: FloatArray, window: FloatArray, means: FloatArray) -> FloatArray:
    """Return how much the expected loss (m,) rises as shares move; shares: (c,), means: (m, c)."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(means @ (window - reference))


def ranked(distances: Mapping[str, float], impacts: Mapping[str, float]) -> Sequence[str]:
    """Return the features that have both, most suspect first: by distance x |impact|, ties by name.

    distances: how far each moved, by Jensen and Shannon. A distance alone names whatever moved, also where it does not
    matter; impact alone names what matters, also where it has hardly moved.
    """
    return sorted(distances.keys() & impacts.keys(), key=lambda name: (-distances[name] * abs(impacts[name]), name))

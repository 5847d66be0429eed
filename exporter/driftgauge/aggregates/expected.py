"""Predictions counted on the cells of an estimator: all that performance without labels is computed from.

What a cell is, and what is summed in it, the estimator knows (`driftgauge.estimate`); here it is a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from driftgauge.columns import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Of all `rows`, those with a prediction that can be judged, on occupied cells `keys` (k,) in ascending order.

    counts: (k,) rows on each cell. sums: (k,) what the estimator sums up there.
    unusable: rows with a prediction that cannot be judged, for want of a score in [0, 1] or for a class that the
    reference does not have. zeros, ones: rows without a score and with the class 0 or 1, which may be a score itself.
    """

    rows: int = 0
    unusable: int = 0
    zeros: int = 0
    ones: int = 0
    keys: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    sums: FloatArray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add cell by cell; `combine([])` is the identity."""
        if len(parts) == 1:
            return parts[0]
        having = [part for part in parts if len(part.keys)]
        cells = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        if having:
            keys, at = np.unique(np.concatenate([part.keys for part in having]), return_inverse=True)
            counts, sums = np.zeros(len(keys), np.int64), np.zeros(len(keys))
            np.add.at(counts, at, np.concatenate([part.counts for part in having]))
            np.add.at(sums, at, np.concatenate([part.sums for part in having]))
            cells = keys, counts, sums
        return cls(
            sum(part.rows for part in parts),
            sum(part.unusable for part in parts),
            sum(part.zeros for part in parts),
            sum(part.ones for part in parts),
            *cells,
        )

    @property
    def size(self) -> int:
        """How many cells are occupied."""
        return len(self.keys)

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return what `to_state` described."""
        return cls(**state)

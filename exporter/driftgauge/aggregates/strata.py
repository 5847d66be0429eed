"""How many rows are in each stratum, and what the labelled ones lost there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import FloatArray, IntArray

# Losses are sums of the absolute errors to these powers.
_POWERS: Final = (1, 2, 4)


@dataclass(frozen=True, slots=True, eq=False)
class StrataSums:
    """Of all `rows`, those by stratum: `counts` (L,), where L is 0 without any.

    unknown: rows that should be in a stratum of which nothing is known. losses: (3, L) sums over the labelled rows of
    each: of absolute errors, of their squares, and of their fourth powers.
    """

    rows: int = 0
    unknown: int = 0
    counts: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    losses: FloatArray = field(default_factory=lambda: np.zeros((len(_POWERS), 0)))

    @classmethod
    def fold(
        cls, strata: IntArray, errors: FloatArray | None, *, leaves: int, rows: int | None = None, unknown: int = 0
    ) -> Self:
        """Add up m rows whose stratum is known; errors: (m,) absolute ones, None of rows without labels.

        rows, unknown: how many there are in all, m by default, and of no known stratum.
        """
        counts = np.bincount(strata, minlength=leaves)
        losses = np.zeros((len(_POWERS), leaves))
        if errors is not None:
            # What overflows has no loss that could be judged.
            with np.errstate(over="ignore"):
                losses = np.stack([np.bincount(strata, errors**power, leaves) for power in _POWERS])
        return cls(len(strata) if rows is None else rows, unknown, counts, losses)

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add; `combine([])` is the identity. Refuses rows of different trees."""
        found = [part for part in parts if len(part.counts)]
        if len({len(part.counts) for part in found}) > 1:
            raise ValueError(f"cannot combine rows of {sorted({len(part.counts) for part in found})} strata")
        sizes = sum(part.rows for part in parts), sum(part.unknown for part in parts)
        if not found:
            return cls(*sizes)
        with np.errstate(over="ignore"):
            losses = np.sum([part.losses for part in found], axis=0)
        return cls(*sizes, np.sum([part.counts for part in found], axis=0), losses)

    @property
    def known(self) -> int:
        """How many rows there are in strata."""
        return int(self.counts.sum())

    @property
    def size(self) -> int:
        """A few hundred numbers at most are of no account."""
        return 0

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"rows": self.rows, "unknown": self.unknown, "counts": self.counts, "losses": self.losses}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the sums that `to_state` described."""
        return cls(**state)

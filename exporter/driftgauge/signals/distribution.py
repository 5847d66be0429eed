"""Counts of every column on the cells of the reference's layout; what they say of drift, `drift` computes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.aggregates.distribution import Distribution
from driftgauge.columns import Columns, IntArray
from driftgauge.grid import Layout
from driftgauge.signals.rows import class_texts, numbers_of
from driftgauge.signals.signal import Basis, Signal


@dataclass(frozen=True, slots=True, eq=False)
class FittedDistribution:
    """Counts on `layout`; of categories the reference never had, at most `limit` of a column by name."""

    layout: Layout
    limit: int

    @property
    def fingerprint(self) -> str:
        """Counts on different grids do not add."""
        return f"{self.layout.fingerprint}:{self.limit}"

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Distribution]:
        """Count the columns of each group."""
        numbers, texts = numbers_of(rows), class_texts(rows)
        return Distribution.fold(self.layout, numbers, texts, ends, limit=self.limit, precision=rows.facts.precision)


def fit(basis: Basis) -> FittedDistribution | None:
    """Return the signal on the reference's layout, None without a reference."""
    return FittedDistribution(basis.reference.layout, basis.limits.max_categories) if basis.reference else None


SIGNAL: Final = Signal("distribution", "predictions", Distribution, fit)

"""What one pane of time holds about the predictions of one model version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.distribution import Distribution, output_numbers
from driftgauge.aggregates.moments import Moments
from driftgauge.aggregates.sketch import ValueSketch
from driftgauge.columns import BoolArray, Columns, FloatArray, IntArray, TextArray
from driftgauge.families import LATENCY_BUCKETS
from driftgauge.grid import OUTPUT, Layout

# Latency quantiles stay exact up to this many distinct values; above, their relative error is below 2 % even when
# latencies spread over six powers of ten.
LATENCY_LIMIT: Final = 2048


@dataclass(frozen=True, slots=True, eq=False)
class PredictionPane:
    """Rows counted at the time of their prediction. `distribution` is None while the model has no reference."""

    rows: int
    failed: int
    latency: Buckets
    latency_sketch: ValueSketch
    moments: Moments
    distribution: Distribution | None

    @classmethod
    def empty(cls, layout: Layout | None, *, category_limit: int) -> Self:
        """Return the identity of `combine`."""
        return cls(
            rows=0,
            failed=0,
            latency=Buckets.empty(LATENCY_BUCKETS),
            latency_sketch=ValueSketch.empty(groups=1, limit=LATENCY_LIMIT),
            moments=Moments(),
            distribution=None if layout is None else Distribution.empty(layout, limit=category_limit),
        )

    @classmethod
    def fold(cls, columns: Columns, layout: Layout | None, *, category_limit: int) -> Self:
        """Summarise rows, counted on `layout` if there is one."""
        (pane,) = cls.fold_groups(columns, [np.arange(len(columns))], layout, category_limit=category_limit)
        return pane

    @classmethod
    def fold_groups(
        cls, columns: Columns, groups: Sequence[IntArray], layout: Layout | None, *, category_limit: int
    ) -> list[Self]:
        """Summarise each group of rows, given by their positions; none is empty unless it is the only one."""
        if not groups:
            return []
        order, ends = np.concatenate(groups), np.cumsum([len(group) for group in groups])
        # Mostly, rows come in the order of time.
        rows = columns if np.array_equal(order, np.arange(len(columns))) else columns.take(order)
        numbers = _numbers(rows)
        texts = {**rows.categories, OUTPUT: rows.predicted}
        distributions: Sequence[Distribution | None] = [None] * len(groups)
        if layout is not None:
            distributions = Distribution.fold(layout, numbers, texts, ends, limit=category_limit)
        moments = Moments.fold(numbers, _others(numbers, texts), ends)
        panes = []
        for at, (start, end) in enumerate(pairwise([0, *ends.tolist()])):
            latency = rows.latency[start:end]
            latency = np.sort(latency[np.isfinite(latency)])
            pane = cls(
                rows=end - start,
                failed=int(rows.failed[start:end].sum()),
                latency=Buckets.of_sorted(latency, LATENCY_BUCKETS),
                latency_sketch=ValueSketch.of_sorted(latency, limit=LATENCY_LIMIT),
                moments=moments[at],
                distribution=distributions[at],
            )
            panes.append(pane)
        return panes

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Merge at least one pane; refuses panes counted on different layouts."""
        counted = [part.distribution for part in parts]
        fingerprints = {found.fingerprint if found else None for found in counted}
        if len(fingerprints) > 1:
            raise ValueError(f"cannot combine panes counted on different layouts: {sorted(map(str, fingerprints))}")
        present = [found for found in counted if found]
        return cls(
            rows=sum(part.rows for part in parts),
            failed=sum(part.failed for part in parts),
            latency=Buckets.combine([part.latency for part in parts]),
            latency_sketch=ValueSketch.combine([part.latency_sketch for part in parts]),
            moments=Moments.combine([part.moments for part in parts]),
            distribution=Distribution.combine(present) if present else None,
        )

    @property
    def size(self) -> int:
        """How many cells are occupied: what combining and storing the pane costs."""
        return len(self.distribution.cells) if self.distribution else 0

    def recounted_on(self, layout: Layout | None, *, category_limit: int) -> Self:
        """Return this pane with an empty distribution on another layout: counts on different grids do not add."""
        empty = None if layout is None else Distribution.empty(layout, limit=category_limit)
        return replace(self, distribution=empty)

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {
            "rows": self.rows,
            "failed": self.failed,
            "latency": self.latency.to_state(),
            "latency_sketch": self.latency_sketch.to_state(),
            "moments": self.moments.to_state(),
            "distribution": self.distribution.to_state() if self.distribution else None,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the pane that `to_state` described."""
        distribution = state["distribution"]
        return cls(
            rows=state["rows"],
            failed=state["failed"],
            latency=Buckets.from_state(state["latency"]),
            latency_sketch=ValueSketch.from_state(state["latency_sketch"]),
            moments=Moments.from_state(state["moments"]),
            distribution=None if distribution is None else Distribution.from_state(distribution),
        )


def _numbers(columns: Columns) -> Mapping[str, FloatArray]:
    """Return the numeric features and, where it is a number, the output."""
    output = output_numbers(columns)
    return columns.numbers if output is None else {**columns.numbers, OUTPUT: output}


def _others(numbers: Mapping[str, FloatArray], texts: Mapping[str, TextArray]) -> dict[str, BoolArray]:
    """Return which rows (n,) have a text in each column, the output's where it has no number."""
    others: dict[str, BoolArray] = {
        name: text.is_valid().to_numpy(zero_copy_only=False) for name, text in texts.items()
    }
    if OUTPUT in numbers:
        others[OUTPUT] = others[OUTPUT] & ~np.isfinite(numbers[OUTPUT])
    return others

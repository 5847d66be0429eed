"""What one pane of time holds about the predictions of one model version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.distribution import Distribution, Tally, output_numbers
from driftgauge.aggregates.moments import Moment, Moments
from driftgauge.aggregates.sketch import ValueSketch
from driftgauge.columns import BoolArray, Columns, FloatArray, IntArray
from driftgauge.families import LATENCY_BUCKETS
from driftgauge.grid import OUTPUT, Layout, NumericGrid

# Latency quantiles stay exact up to this many distinct values; above, their relative error is below 2 % even when
# latencies spread over six powers of ten.
LATENCY_LIMIT: Final = 2048
# With fewer rows in a group than this, all groups are counted in one pass: calling numpy for each costs more.
_FEW_ROWS: Final = 4096


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
        output = output_numbers(columns)
        numbers = columns.numbers if output is None else {**columns.numbers, OUTPUT: output}
        moments: dict[str, Moment] = {}
        tallies: dict[str, Tally] = {}
        # Each column in turn in the same memory: fresh memory costs half as much as sorting in it.
        scratch = np.empty(len(columns))
        for name, values in numbers.items():
            # Sorted once: neighbours are counted together, which is cheaper than looking up each value.
            ordered = _sorted(values, scratch)
            grid = layout.grids.get(name) if layout else None
            if isinstance(grid, NumericGrid):
                tallies[name] = grid.tally(ordered)
            moments[name] = Moment.fold(ordered, scratch=ordered)
        texts = {**columns.categories, OUTPUT: columns.predicted}
        latency = _sorted(columns.latency, scratch)
        return cls(
            rows=len(columns),
            failed=int(columns.failed.sum()),
            latency=Buckets.of_sorted(latency, LATENCY_BUCKETS),
            latency_sketch=ValueSketch.of_sorted(latency, limit=LATENCY_LIMIT),
            moments=_with_others(moments, columns, output),
            distribution=None if layout is None else Distribution.fold(layout, tallies, texts, limit=category_limit),
        )

    @classmethod
    def fold_groups(
        cls, columns: Columns, groups: Sequence[IntArray], layout: Layout | None, *, category_limit: int
    ) -> list[Self]:
        """Summarise each group of rows, given by their positions, as `fold` does."""
        if not groups:
            return []
        bounds = [0, *np.cumsum([len(group) for group in groups]).tolist()]
        everything = len(groups) == 1 and bounds[-1] == len(columns)
        rows = columns if everything else columns.take(np.concatenate(groups))
        spans = [slice(*span) for span in pairwise(bounds)]
        if len(rows) > len(groups) * _FEW_ROWS:
            return [cls.fold(rows.span(span), layout, category_limit=category_limit) for span in spans]
        group = np.repeat(np.arange(len(groups)), np.diff(bounds))
        output = output_numbers(rows)
        numbers = rows.numbers if output is None else {**rows.numbers, OUTPUT: output}
        texts = {**rows.categories, OUTPUT: rows.predicted}
        others = {name: text.is_valid().to_numpy(zero_copy_only=False) for name, text in texts.items()}
        if output is not None:
            others[OUTPUT] &= ~np.isfinite(output)
        moments = Moments.fold_groups(numbers, others, group, groups=len(groups))
        distributions: Sequence[Distribution | None] = [None] * len(groups)
        if layout is not None:
            distributions = Distribution.fold_groups(
                layout, numbers, texts, group, groups=len(groups), limit=category_limit
            )
        known = np.isfinite(rows.latency)
        latency = [rows.latency[span][known[span]] for span in spans]
        ends = [0, *np.cumsum([len(values) for values in latency]).tolist()]
        sketches = ValueSketch.fold_spans(rows.latency[known], ends, limit=LATENCY_LIMIT)
        return [
            cls(
                rows=span.stop - span.start,
                failed=int(rows.failed[span].sum()),
                latency=Buckets.fold(latency[at], LATENCY_BUCKETS),
                latency_sketch=sketches[at],
                moments=moments[at],
                distribution=distributions[at],
            )
            for at, span in enumerate(spans)
        ]

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Merge at least one pane; refuses panes counted on different layouts."""
        fingerprints = {part.distribution.fingerprint if part.distribution else None for part in parts}
        if len(fingerprints) != 1:
            raise ValueError(f"cannot combine panes counted on different layouts: {sorted(map(str, fingerprints))}")
        distributions = [part.distribution for part in parts if part.distribution is not None]
        return cls(
            rows=sum(part.rows for part in parts),
            failed=sum(part.failed for part in parts),
            latency=Buckets.combine([part.latency for part in parts]),
            latency_sketch=ValueSketch.combine([part.latency_sketch for part in parts]),
            moments=Moments.combine([part.moments for part in parts]),
            distribution=Distribution.combine(distributions) if distributions else None,
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


def _sorted(values: FloatArray, scratch: FloatArray) -> FloatArray:
    """Return the finite values (n,) in ascending order, in `scratch` (n,)."""
    scratch[:] = values
    scratch.sort()
    # Infinities come at the ends and NaN after them.
    return scratch[scratch.searchsorted(-np.inf, side="right") : scratch.searchsorted(np.inf, side="left")]


def _with_others(numbers: Mapping[str, Moment], columns: Columns, output: FloatArray | None) -> Moments:
    """Return the moments of all columns: those of numbers, and how many texts there are."""
    texts = {name: Moment(others=len(text) - text.null_count) for name, text in columns.categories.items()}
    found = {**numbers, **texts}
    # Rows that have a class but no number.
    others: BoolArray = columns.predicted.is_valid().to_numpy(zero_copy_only=False)
    if output is not None:
        others = others & ~np.isfinite(output)
    # After the features, as in the layout.
    moment = replace(found.pop(OUTPUT, Moment()), others=int(others.sum()))
    return Moments.of({**found, OUTPUT: moment})

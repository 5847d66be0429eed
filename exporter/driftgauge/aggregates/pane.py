"""What one pane of time holds about the predictions of one model version."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.distribution import Distribution, output_numbers
from driftgauge.aggregates.moments import Moment, Moments
from driftgauge.aggregates.sketch import ValueSketch
from driftgauge.columns import BoolArray, Columns, FloatArray, IntArray
from driftgauge.families import LATENCY_BUCKETS
from driftgauge.grid import OUTPUT, CategoryGrid, Layout, NumericGrid, Tally

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
        (pane,) = cls._fold_spans(columns, [slice(0, len(columns))], layout, category_limit=category_limit)
        return pane

    @classmethod
    def _fold_spans(
        cls, columns: Columns, spans: Sequence[slice], layout: Layout | None, *, category_limit: int
    ) -> list[Self]:
        """Summarise each span of rows; they follow each other and are all there are."""
        numbers = _numbers(columns)
        grids = layout.grids if layout else {}
        tasks: list[Callable[[FloatArray], Any]] = [
            partial(_latencies, columns.latency, spans),
            *(partial(_counted, values, spans, grids.get(name)) for name, values in numbers.items()),
        ]
        # Large arrays are looked through without the interpreter, so that two threads take less time.
        latencies, *found = _in_turn(tasks, rows=len(columns))
        counted = dict(zip(numbers, found, strict=True))
        panes = []
        for at, (span, (latency, sketch)) in enumerate(zip(spans, latencies, strict=True)):
            part = columns.span(span)
            tallies = {name: tally for name, of in counted.items() if (tally := of[at][0]) is not None}
            texts = {**part.categories, OUTPUT: part.predicted}
            output = numbers[OUTPUT][span] if OUTPUT in numbers else None
            pane = cls(
                rows=len(part),
                failed=int(part.failed.sum()),
                latency=latency,
                latency_sketch=sketch,
                moments=_with_others({name: of[at][1] for name, of in counted.items()}, part, output),
                distribution=None
                if layout is None
                else Distribution.fold(layout, tallies, texts, limit=category_limit),
            )
            panes.append(pane)
        return panes

    @classmethod
    def fold_groups(
        cls, columns: Columns, groups: Sequence[IntArray], layout: Layout | None, *, category_limit: int
    ) -> list[Self]:
        """Summarise each group of rows, given by their positions, as `fold` does; none of them is empty."""
        if not groups:
            return []
        bounds = [0, *np.cumsum([len(group) for group in groups]).tolist()]
        order = np.concatenate(groups)
        # Mostly, rows come in the order of time.
        rows = columns if np.array_equal(order, np.arange(len(columns))) else columns.take(order)
        spans = [slice(*span) for span in pairwise(bounds)]
        if len(rows) > len(groups) * _FEW_ROWS:
            return cls._fold_spans(rows, spans, layout, category_limit=category_limit)
        group = np.repeat(np.arange(len(groups)), np.diff(bounds))
        numbers = _numbers(rows)
        texts = {**rows.categories, OUTPUT: rows.predicted}
        others = {name: text.is_valid().to_numpy(zero_copy_only=False) for name, text in texts.items()}
        if OUTPUT in numbers:
            others[OUTPUT] &= ~np.isfinite(numbers[OUTPUT])
        moments = Moments.fold_groups(numbers, others, np.array(bounds[:-1]), rows=len(rows))
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


def _in_turn(tasks: Sequence[Callable[[FloatArray], Any]], *, rows: int) -> list[Any]:
    """Return what each task returns; two threads take them in turn, each with memory (rows,) for them to use."""
    waiting = iter(range(len(tasks)))

    def work() -> dict[int, Any]:
        # The same memory for one after the other: fresh memory costs half as much as sorting in it.
        scratch = np.empty(rows)
        return {at: tasks[at](scratch) for at in waiting}

    if rows <= _FEW_ROWS:
        return list(work().values())
    others = _helper().submit(work)
    done = work() | others.result()
    return [done[at] for at in range(len(tasks))]


@cache
def _helper() -> ThreadPoolExecutor:
    """Return the thread that helps to count; in a worker, one more decodes ahead."""
    return ThreadPoolExecutor(1, thread_name_prefix="count")


def _counted(
    values: FloatArray, spans: Sequence[slice], grid: NumericGrid | CategoryGrid | None, scratch: FloatArray
) -> list[tuple[Tally | None, Moment]]:
    """Return what each span of the values (n,) has on a numeric grid, and its moments."""
    if isinstance(grid, NumericGrid) and grid.is_quick_to_count(len(values) // len(spans)):
        finite, ends = _finite(values, spans)
        scratch = scratch[: len(finite)]
        tallies = grid.count(finite, ends, scratch=scratch)
        bounds = pairwise([0, *ends.tolist()])
        moments = [Moment.fold(finite[start:end], scratch=scratch[start:end]) for start, end in bounds]
        return list(zip(tallies, moments, strict=True))
    found = []
    for span in spans:
        # Sorted once: neighbours are counted together, which is cheaper than looking for each value.
        ordered = _sorted(values[span], scratch)
        tally = grid.tally(ordered) if isinstance(grid, NumericGrid) else None
        found.append((tally, Moment.fold(ordered, scratch=ordered)))
    return found


def _latencies(values: FloatArray, spans: Sequence[slice], scratch: FloatArray) -> list[tuple[Buckets, ValueSketch]]:
    found = []
    for span in spans:
        ordered = _sorted(values[span], scratch)
        found.append((Buckets.of_sorted(ordered, LATENCY_BUCKETS), ValueSketch.of_sorted(ordered, limit=LATENCY_LIMIT)))
    return found


def _finite(values: FloatArray, spans: Sequence[slice]) -> tuple[FloatArray, IntArray]:
    """Return the finite values (n,) in their order, and where among them those of each span end (s,)."""
    ends = np.array([span.stop for span in spans])
    # A sum takes a fraction of the time of looking at each; that of finite values may overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return values, ends
    kept = np.flatnonzero(np.isfinite(values))
    return values[kept], kept.searchsorted(ends)


def _sorted(values: FloatArray, scratch: FloatArray) -> FloatArray:
    """Return the finite values (n,) in ascending order, in `scratch`, which may be larger."""
    scratch = scratch[: len(values)]
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

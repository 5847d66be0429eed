"""How long requests took and how many failed: a Prometheus histogram, and a sketch for quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.sketch import ValueSketch
from driftgauge.columns import BoolArray, FloatArray, IntArray
from driftgauge.families import LATENCY_BUCKETS

# Quantiles stay exact up to this many distinct values; above, their relative error is below 2 % even when latencies
# spread over six powers of ten.
LIMIT: Final = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Latency:
    """`rows` requests, of which `failed` failed; the seconds of those whose latency is known."""

    rows: int
    failed: int
    buckets: Buckets
    sketch: ValueSketch

    @classmethod
    def empty(cls) -> Self:
        """Return the identity of `combine`."""
        return cls(0, 0, Buckets.empty(LATENCY_BUCKETS), ValueSketch.empty(groups=1, limit=LIMIT))

    @classmethod
    def fold(cls, latency: FloatArray, failed: BoolArray, ends: IntArray) -> list[Self]:
        """Summarise latencies (n,) in seconds, NaN where unknown, of the rows of each group; ends: (p,) its end."""
        found = []
        for start, end in pairwise([0, *ends.tolist()]):
            known = latency[start:end]
            ordered = np.sort(known[np.isfinite(known)])
            buckets = Buckets.of_sorted(ordered, LATENCY_BUCKETS)
            sketch = ValueSketch.of_sorted(ordered, limit=LIMIT)
            found.append(cls(end - start, int(failed[start:end].sum()), buckets, sketch))
        return found

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add at least one part."""
        return cls(
            sum(part.rows for part in parts),
            sum(part.failed for part in parts),
            Buckets.combine([part.buckets for part in parts]),
            ValueSketch.combine([part.sketch for part in parts]),
        )

    @property
    def size(self) -> int:
        """At most `LIMIT` cells are of no account."""
        return 0

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        parts = {"buckets": self.buckets.to_state(), "sketch": self.sketch.to_state()}
        return {"rows": self.rows, "failed": self.failed, **parts}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the latency that `to_state` described."""
        parts = Buckets.from_state(state["buckets"]), ValueSketch.from_state(state["sketch"])
        return cls(state["rows"], state["failed"], *parts)

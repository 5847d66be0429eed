"""The monotone counters of one model since it was first seen, and the times of its latest rows.

A total is an aggregate like the others: a refresh folds what is new and combines it with what was stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from driftgauge.aggregates.buckets import Buckets
from driftgauge.families import LABEL_DELAY_BUCKETS, LATENCY_BUCKETS


@dataclass(frozen=True, slots=True, eq=False)
class VersionTotals:
    """Counters of one model version. Times are microseconds since 1970, None before the first."""

    predictions: int = 0
    failed: int = 0
    labels: int = 0
    latency: Buckets = field(default_factory=lambda: Buckets.empty(LATENCY_BUCKETS))
    label_delay: Buckets = field(default_factory=lambda: Buckets.empty(LABEL_DELAY_BUCKETS))
    last_prediction: int | None = None
    # Where its predictions were last read: (run id, experiment id).
    origin: tuple[str, str] | None = None

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add counters; keep the latest time and the origin that goes with it."""
        latest = max(parts, key=lambda part: (part.last_prediction or 0, part.origin or ("", "")))
        return cls(
            predictions=sum(part.predictions for part in parts),
            failed=sum(part.failed for part in parts),
            labels=sum(part.labels for part in parts),
            latency=Buckets.combine([part.latency for part in parts]),
            label_delay=Buckets.combine([part.label_delay for part in parts]),
            last_prediction=latest.last_prediction,
            origin=latest.origin,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Counters of one model; `failures` and `rejected` are by reason. unread: files whose suffix is not read.

    duplicates: files with the bytes of another one.
    """

    versions: Mapping[str, VersionTotals] = field(default_factory=dict)
    batches: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0
    duplicates: int = 0
    last_label: int | None = None
    last_batch: int | None = None

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add counters and keep the latest times; `combine([])` is the identity."""
        versions: dict[str, list[VersionTotals]] = {}
        for part in parts:
            for name, found in part.versions.items():
                versions.setdefault(name, []).append(found)
        return cls(
            versions={name: VersionTotals.combine(found) for name, found in versions.items()},
            batches=sum(part.batches for part in parts),
            failures=_added([part.failures for part in parts]),
            rejected=_added([part.rejected for part in parts]),
            unread=sum(part.unread for part in parts),
            duplicates=sum(part.duplicates for part in parts),
            last_label=_latest([part.last_label for part in parts]),
            last_batch=_latest([part.last_batch for part in parts]),
        )

    def newest(self, count: int) -> list[str]:
        """Return the versions with the newest predictions, the newest first."""
        ranked = sorted(self.versions.items(), key=lambda item: (-(item[1].last_prediction or 0), item[0]))
        return [name for name, _ in ranked[:count]]

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {
            "versions": {name: _version_state(totals) for name, totals in self.versions.items()},
            "batches": self.batches,
            "failures": dict(self.failures),
            "rejected": dict(self.rejected),
            "unread": self.unread,
            "duplicates": self.duplicates,
            "last_label": self.last_label,
            "last_batch": self.last_batch,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the totals that `to_state` described."""
        versions = {name: _version_from(found) for name, found in state["versions"].items()}
        return cls(**(state | {"versions": versions}))


def _version_state(totals: VersionTotals) -> dict[str, Any]:
    return {
        "predictions": totals.predictions,
        "failed": totals.failed,
        "labels": totals.labels,
        "latency": totals.latency.to_state(),
        "label_delay": totals.label_delay.to_state(),
        "last_prediction": totals.last_prediction,
        "origin": totals.origin,
    }


def _version_from(state: dict[str, Any]) -> VersionTotals:
    restored = {
        "latency": Buckets.from_state(state["latency"]),
        "label_delay": Buckets.from_state(state["label_delay"]),
        "origin": None if state["origin"] is None else tuple(state["origin"]),
    }
    return VersionTotals(**(state | restored))


def _added(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for reason, count in part.items():
            total[reason] = total.get(reason, 0) + count
    return total


def _latest(times: Sequence[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)

"""What is kept of the rows of one model version in one interval of time: an aggregate for each signal.

A pane knows no signal by name. `driftgauge.signals` has the table of them and how they fold rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from driftgauge.aggregates.protocol import Aggregate

A = TypeVar("A", bound=Aggregate)


@dataclass(frozen=True, slots=True, eq=False)
class Pane:
    """`rows`, and by signal the aggregate of them and the fingerprint of what folded it.

    A signal that began later than the pane, or was fitted again since, has no aggregate or one of fewer rows.
    """

    rows: int = 0
    aggregates: Mapping[str, Aggregate] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Merge signal by signal; `combine([])` is the identity. Refuses aggregates of different fingerprints."""
        if len(parts) == 1:
            return parts[0]
        aggregates: dict[str, Aggregate] = {}
        fingerprints: dict[str, str] = {}
        for name in dict.fromkeys(name for part in parts for name in part.aggregates):
            having = [part for part in parts if name in part.aggregates]
            known = {part.fingerprints[name] for part in having}
            if len(known) > 1:
                raise ValueError(f"cannot combine panes whose {name} was fitted differently: {sorted(known)}")
            (fingerprints[name],) = known
            found = [part.aggregates[name] for part in having]
            aggregates[name] = type(found[0]).combine(found)
        return cls(sum(part.rows for part in parts), aggregates, fingerprints)

    @property
    def size(self) -> int:
        """How many cells are occupied: what combining and storing the pane costs."""
        return sum(aggregate.size for aggregate in self.aggregates.values())

    def find(self, name: str, kind: type[A]) -> A | None:
        """Return the aggregate of a signal, None where the pane has none of this kind."""
        found = self.aggregates.get(name)
        return found if isinstance(found, kind) else None

    def only(self, fingerprints: Mapping[str, str]) -> Self:
        """Return the pane without signals that have another fingerprint now, or none."""
        if self.fingerprints.items() <= fingerprints.items():
            return self
        kept = {name: mark for name, mark in self.fingerprints.items() if fingerprints.get(name) == mark}
        return type(self)(self.rows, {name: self.aggregates[name] for name in kept}, kept)

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them; the largest aggregate comes last, as `codec` asks for."""
        names = sorted(self.aggregates, key=lambda name: self.aggregates[name].size)
        signals = {name: [self.fingerprints[name], self.aggregates[name].to_state()] for name in names}
        return {"rows": self.rows, "signals": signals}

    @classmethod
    def from_state(cls, state: dict[str, Any], aggregates: Mapping[str, type[Aggregate]]) -> Self:
        """Return the pane that `to_state` described; `aggregates` are the classes by signal, others are left out."""
        known = {name: found for name, found in state["signals"].items() if name in aggregates}
        return cls(
            state["rows"],
            {name: aggregates[name].from_state(found) for name, (_, found) in known.items()},
            {name: fingerprint for name, (fingerprint, _) in known.items()},
        )

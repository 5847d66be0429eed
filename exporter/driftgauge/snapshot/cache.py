"""What the earlier snapshots of one model computed: objects that change, kept outside the values that they are of."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Generic, TypeVar

from driftgauge.samples import Samples
from driftgauge.snapshot.running_sums import RunningSums

A = TypeVar("A")


class Latest(Generic[A]):
    """Remembers, for each name, what was last made under it, and of which objects."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Sequence[object], A]] = {}

    def get(self, name: Hashable, of: Sequence[object]) -> A | None:
        """Return what was made of these very objects, None if the last were others."""
        if name not in self._known:
            return None
        before, made = self._known[name]
        alike = len(before) == len(of) and all(map(is_, before, of))
        return made if alike else None

    def put(self, name: Hashable, of: Sequence[object], made: A) -> None:
        """Remember what was made of immutable objects, which are kept with it."""
        self._known[name] = of, made

    def keep(self, names: Collection[Hashable]) -> None:
        """Forget all other names."""
        self._known = {name: known for name, known in self._known.items() if name in names}


@dataclass(frozen=True, slots=True, eq=False)
class SnapshotCache:
    """Sums of panes, and the samples that each window gave: predictions (`seen`), outcomes (`judged`), slices.

    closed_sums, flagged: the same of windows as they were when their last pane closed, where flags are judged then.
    days: by version, the samples of its last days that are over.
    """

    prediction_sums: RunningSums = field(default_factory=RunningSums)
    outcome_sums: RunningSums = field(default_factory=RunningSums)
    closed_sums: RunningSums = field(default_factory=RunningSums)
    seen: Latest[Samples] = field(default_factory=Latest)
    judged: Latest[Samples] = field(default_factory=Latest)
    sliced: Latest[Samples] = field(default_factory=Latest)
    flagged: Latest[Samples] = field(default_factory=Latest)
    days: Latest[tuple[Samples, ...]] = field(default_factory=Latest)

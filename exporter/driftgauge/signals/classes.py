"""How many rows were predicted as each class: what can be said of classes before their labels come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import pyarrow as pa

from driftgauge.aggregates.distribution import Unseen
from driftgauge.aggregates.outcomes import MAX_CLASSES
from driftgauge.columns import Columns, IntArray, TextArray
from driftgauge.grid import LABEL, CategoryGrid, ends_among, tallied
from driftgauge.reference import CategoryProfile
from driftgauge.samples import Sample, Samples
from driftgauge.signals.labels import labels_of
from driftgauge.signals.signal import Basis, Signal


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Rows by class, of the `MAX_CLASSES` alphabetically first, and how many have another."""

    counts: Unseen = Unseen({})  # noqa: RUF009 - nothing changes it

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add class by class; `combine([])` is the identity."""
        return cls(Unseen.combine([part.counts for part in parts], limit=MAX_CLASSES))

    @property
    def size(self) -> int:
        """Few classes are of no account; ids in their place are bounded."""
        return 0

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"named": dict(self.counts.named), "rest": self.counts.rest}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the classes that `to_state` described."""
        return cls(Unseen(state["named"], state["rest"]))


@dataclass(frozen=True, slots=True, eq=False)
class FittedClasses:
    """`known`: the share of each class among the labels of the reference, {} where there is none to compare with."""

    known: dict[str, float]
    # Counts are the same whatever they are compared with.
    fingerprint: str = "1"

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Classes]:
        """Count the predicted classes of each group; those of a regression are numbers."""
        if pa.types.is_floating(rows.predicted.type):
            return [Classes() for _ in ends]
        return _counted(rows.predicted, ends)


def fit(basis: Basis) -> FittedClasses:
    """Return the signal with what the reference says of its labels, if it does."""
    reference = labels_of(basis.reference)
    if reference is None:
        return FittedClasses({})
    grid, profile = reference.layout.grids[LABEL], reference.profiles[LABEL]
    if not (isinstance(grid, CategoryGrid) and isinstance(profile, CategoryProfile) and profile.rows):
        return FittedClasses({})
    # Those beyond the limit are one, which has no name.
    counts = profile.counts[:-1].tolist()
    return FittedClasses({name: count / profile.rows for name, count in zip(grid.categories, counts, strict=True)})


def values(classes: Classes, fitted: FittedClasses) -> Samples:
    """Return the share of each predicted class, and of each class among the reference's labels; none of ids."""
    counts = classes.counts
    if counts.rest or not counts.total:
        return {}
    shares = [Sample((name, "predicted"), count / counts.total) for name, count in sorted(counts.named.items())]
    return {"model_class_share": shares + [Sample((name, "reference"), share) for name, share in fitted.known.items()]}


def _counted(text: TextArray, ends: IntArray) -> list[Classes]:
    encoded = text.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    ends = ends_among(encoded.is_valid().to_numpy(zero_copy_only=False), ends)
    codes = encoded.indices.drop_null().to_numpy().astype("int64")
    groups = tallied(codes, None, ends, width=max(1, len(names)))
    return [
        Classes(
            Unseen.combine(
                [Unseen({names[code]: n for code, n in zip(found.tolist(), counts.tolist(), strict=True)})],
                limit=MAX_CLASSES,
            )
        )
        for found, counts, _ in groups
    ]


SIGNAL: Final = Signal("classes", "predictions", Classes, fit, values)

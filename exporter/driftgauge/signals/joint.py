"""One pass over rows for all signals that look at their features together.

Such a signal says of which `RowMatrix` it reads rows, and begins an `Adding` for the rows of a fold; the pass makes
each block of the matrix once and gives it to all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from driftgauge.aggregates.protocol import Aggregate
from driftgauge.columns import Columns, IntArray
from driftgauge.estimate.rows import Block, RowMatrix
from driftgauge.signals.signal import Basis, Fitted

A = TypeVar("A", bound=Aggregate)


class Adding(Protocol):
    """A signal's sums over the rows of one fold, which grow."""

    def add(self, block: Block) -> None:
        """Add rows, which follow those of the block before."""
        ...

    def aggregates(self) -> Sequence[Aggregate]:
        """Return the aggregate of each group."""
        ...


@runtime_checkable
class JointFitted(Fitted, Protocol):
    """A signal that is folded from the row matrix."""

    @property
    def matrix(self) -> RowMatrix:
        """How rows become numbers."""
        ...

    def begin(self, rows: Columns, ends: IntArray) -> Adding:
        """Return sums of nothing, for these groups of these rows."""
        ...


def fold_jointly(fitted: Mapping[str, JointFitted], rows: Columns, ends: IntArray) -> dict[str, Sequence[Aggregate]]:
    """Return for each signal the aggregate of each group; see `Fitted.fold`."""
    adding = {name: signal.begin(rows, ends) for name, signal in fitted.items()}
    by_matrix: dict[str, list[str]] = {}
    for name, signal in fitted.items():
        by_matrix.setdefault(signal.matrix.fingerprint, []).append(name)
    for names in by_matrix.values():
        for block in fitted[names[0]].matrix.blocks(rows, ends):
            for name in names:
                adding[name].add(block)
    return {name: sums.aggregates() for name, sums in adding.items()}


def fold_alone(signal: JointFitted, kind: type[A], rows: Columns, ends: IntArray) -> list[A]:
    """Return the aggregates, which are of this kind, of a signal that is folded without others."""
    return [found for found in fold_jointly({"": signal}, rows, ends)[""] if isinstance(found, kind)]


def terms_of(basis: Basis) -> tuple[float, bool]:
    """Return the significance of a flag of all features together, and whether it asks for a large change too.

    Two flags look at the same rows, so each has half of the false alarms.
    """
    drift = basis.model.drift
    return drift.significance / 2, drift.rule != "significance"

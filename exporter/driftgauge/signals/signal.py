"""What a signal is: how it is fitted, how it folds rows, and what it says of an aggregate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from driftgauge.aggregates.protocol import Aggregate
from driftgauge.columns import Columns, IntArray
from driftgauge.config import Limits, ModelConfig
from driftgauge.estimate.coding import Coding
from driftgauge.reference import Reference
from driftgauge.samples import Samples

# Which rows a signal is folded from: predictions, at their own time, or predictions with their labels.
Rows = Literal["predictions", "labelled"]
# Arrays and JSON values, which `codec` stores with the compiled reference.
Learned = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """What signals are fitted to. reference: None while the model has none."""

    model: ModelConfig
    limits: Limits
    reference: Reference | None

    def learned(self, name: str, key: str) -> "tuple[Reference, Learned] | None":
        """Return the reference and what a signal has learned from it, None where there is none.

        key: that it has if it was learned, and that what an earlier version stored may lack.
        """
        found = self.reference.learned.get(name, {}) if self.reference else {}
        return (self.reference, found) if self.reference and key in found else None


class Fitted(Protocol):
    """A signal that is ready to fold. Immutable, and sent to the processes that fold."""

    @property
    def fingerprint(self) -> str:
        """Differs wherever aggregates do not combine; panes drop aggregates of another fingerprint."""
        ...

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Aggregate]:
        """Return the aggregate of each group of rows that follow each other; ends: (p,) where each group ends.

        No group is empty, unless there are no rows at all.
        """
        ...


@runtime_checkable
class FittedOnCodes(Fitted, Protocol):
    """A signal of labelled rows that has to know their features, or their stratum.

    While it is on, predictions that wait for labels keep their codes: `coding` reads both these and rows that are
    whole. It is that of the whole reference also for a segment (`coding_of`).
    """

    @property
    def coding(self) -> Coding:
        """How rows are coded."""
        ...


def no_values(_aggregate: Any, _fitted: Any) -> Samples:
    """Return nothing: `drift` or `performance` speak for the signal."""
    return {}


@dataclass(frozen=True, slots=True)
class Signal:
    """A row of the table.

    aggregate: what it folds rows to. fit: returns what folds, None where there is nothing to fold with.
    values: the samples of an aggregate, as (aggregate, fitted); labels are those after model, version and window.
    learn: what `fit` needs to know of the reference's rows. It gets the decoded rows, what they were compiled to, and
    the model, once for each reference, in a worker process; `reason` in what it returns says why there can be none, for
    the log, and `warning` what may be wrong with the reference.
    """

    name: str
    rows: Rows
    aggregate: type[Aggregate]
    fit: Callable[[Basis], Fitted | None]
    values: Callable[[Any, Any], Samples] = no_values
    learn: Callable[[Sequence[Columns], Reference, ModelConfig], Learned] | None = None

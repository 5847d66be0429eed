"""What every way of estimating performance gives, and what is published of: a value and its standard error.

A fitted signal that is an `Estimator` is asked for its estimates: of the predictions of a window, and of its labelled
rows, where they are compared with what came (`snapshot.estimated`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric, estimated without labels.

    stderr: standard deviation of realised minus estimated value on the same rows, if the relation of label and score
    or inputs is that of the reference: the chance of the labels and the error of what was learned. None: not known.
    """

    value: float
    stderr: float | None = None


# By the names that the label `metric` uses.
Estimates = Mapping[str, Estimate]


@runtime_checkable
class Estimator(Protocol):
    """A fitted signal whose aggregates say what performance is to be expected."""

    def estimates(self, aggregate: Any, *, rows: int, scored: bool) -> Estimates:
        """Return the estimates for all `rows` of a window, {} where the aggregate does not cover them.

        scored: the version's predictions are scores, also where there is 0 or 1 alone.
        """
        ...

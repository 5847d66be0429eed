"""What a pane needs of an aggregate: the algebra that `tests/aggregates/test_laws.py` checks for each of them."""

from collections.abc import Sequence
from typing import Any, Protocol, Self


class Aggregate(Protocol):
    """An immutable summary of rows."""

    @property
    def size(self) -> int:
        """How many cells it occupies, 0 where there are never more than a few thousand."""
        ...

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Return the summary of all rows of at least one part; raises ValueError where parts do not fit."""
        ...

    def to_state(self) -> dict[str, Any]:
        """Return arrays and JSON values for `codec`, without loss."""
        ...

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the aggregate that `to_state` described."""
        ...

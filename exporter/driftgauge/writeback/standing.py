"""How writing stands: what waits and why, what failed, and what was written. It knows no writer and imports nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self


class Waiting(NamedTuple):
    """Results of a model that are due and not in MLflow: why, since when (s since 1970), and why in words."""

    reason: str
    since: float
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How writing stands. failures: by reason. waiting: by model, unless it is only not its turn yet.

    written: by model, as of when (s since 1970) its results were last written in full.
    """

    failures: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    written: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` made of one; raises TypeError when that was something else."""
        found = cls(**values)
        return cls(found.failures, {name: Waiting(*each) for name, each in found.waiting.items()}, found.written)

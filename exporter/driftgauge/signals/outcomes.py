"""Predictions against their labels; what they say of the model, `performance` computes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.columns import Columns, IntArray
from driftgauge.signals.signal import Signal


@dataclass(frozen=True, slots=True)
class FittedOutcomes:
    """Nothing has to be known before."""

    fingerprint: str = "1"

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Outcomes]:
        """Summarise the labelled rows of each group."""
        parts = [rows.span(slice(*bounds)) for bounds in pairwise([0, *ends.tolist()])]
        return [
            Outcomes.fold(label=part.label, predicted=part.predicted, score=part.score, class_scores=part.class_scores)
            for part in parts
        ]


SIGNAL: Final = Signal("outcomes", "labelled", Outcomes, lambda _: FittedOutcomes())

"""What evidence has to know of a reference's labelled rows; it folds nothing, for it bets on what others fold."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow.compute as pc

from driftgauge.aggregates.outcomes import POSITIVE, Outcomes
from driftgauge.columns import Columns
from driftgauge.config import ModelConfig
from driftgauge.estimate.bets import EVIDENCE, counted, unknown
from driftgauge.reference import Reference
from driftgauge.signals.signal import Signal


def learn(chunks: Sequence[Columns], reference: Reference, model: ModelConfig) -> Mapping[str, Any]:
    """Return how many labelled rows were predicted right and wrong, and the same of the positive class."""
    found = Outcomes() if model.task == "regression" else Outcomes.combine([_outcomes(chunk) for chunk in chunks])
    learned = counted(*right_and_wrong(found), right_and_wrong_positive(found))
    reason = unknown(model, reference, learned)
    return learned | ({"reason": reason} if reason else {})


def right_and_wrong(outcomes: Outcomes) -> tuple[int, int]:
    """Return how many rows were predicted right and wrong."""
    hits = outcomes.hits + sum(count for (true, predicted), count in outcomes.confusion.items() if true == predicted)
    return hits, outcomes.beyond + sum(outcomes.confusion.values()) - hits


def right_and_wrong_positive(outcomes: Outcomes) -> tuple[int, int]:
    """Return how many rows are true positives, and how many false positives and negatives."""
    good = outcomes.confusion.get((POSITIVE, POSITIVE), 0)
    either = sum(count for pair, count in outcomes.confusion.items() if POSITIVE in pair)
    return good, either - good


def _outcomes(rows: Columns) -> Outcomes:
    labelled = rows.take(pc.is_valid(rows.label).to_numpy(zero_copy_only=False))
    # Scores are of no account.
    return Outcomes.fold(
        label=labelled.label, predicted=labelled.predicted, score=labelled.score * float("nan"), class_scores={}
    )


SIGNAL: Final = Signal(EVIDENCE, "labelled", Outcomes, lambda _: None, learn=learn)

"""Counters of a model since it was first seen."""

import numpy as np
import pytest

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.families import LATENCY_BUCKETS

EARLY = VersionTotals(predictions=3, failed=1, labels=2, last_prediction=100, origin=("run-b", "1"))
LATE = VersionTotals(
    predictions=4, last_prediction=200, origin=("run-a", "1"), latency=Buckets.fold(np.array([0.2]), LATENCY_BUCKETS)
)
LABELS_ONLY = VersionTotals(labels=5)


@pytest.mark.parametrize("parts", [(EARLY, LATE, LABELS_ONLY), (LABELS_ONLY, LATE, EARLY)], ids=["forth", "back"])
def test_version(parts: tuple[VersionTotals, ...]) -> None:
    """Counters add, and the origin is the run of the latest prediction, whichever was read last."""
    total = VersionTotals.combine(parts)

    assert (total.predictions, total.failed, total.labels, total.latency.total) == (7, 1, 7, 1)
    assert (total.last_prediction, total.origin) == (200, ("run-a", "1"))


def test_model() -> None:
    """Reasons and versions are added by name, and times that nobody has stay unknown."""
    total = Totals.combine(
        [
            Totals(versions={"1": EARLY}, batches=1, failures={"truncated": 1}, last_batch=9),
            Totals(versions={"2": LATE}, batches=2, failures={"truncated": 2, "empty": 1}, last_batch=5),
            Totals(versions={"1": LABELS_ONLY}, rejected={"bad_label": 4}),
        ]
    )

    assert {name: found.labels for name, found in total.versions.items()} == {"1": 7, "2": 0}
    assert (total.batches, total.failures, total.rejected) == (3, {"truncated": 3, "empty": 1}, {"bad_label": 4})
    assert (total.last_batch, total.last_label) == (9, None)

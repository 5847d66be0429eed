"""When a model that failed is tried again."""

import pytest

from driftgauge.config import ModelConfig, Predictions
from driftgauge.feed import Cursor
from driftgauge.pipeline.memory import Failure, Memory
from driftgauge.snapshot import ModelState

SECOND = 1_000_000


@pytest.fixture
def memory() -> Memory:
    """Return what is known of a model that was never refreshed."""
    return Memory(ModelState(ModelConfig(name="m", predictions=Predictions(experiment="e"))), "", {}, Cursor(), 0)


def pauses(memory: Memory, failures: list[Failure | None], *, wait: float) -> list[float]:
    """Return how many seconds the model rests after each refresh, all of them at time 0."""
    found = []
    for failure in failures:
        memory.postpone(failure, 0, wait=wait)
        found.append(memory.retry_at / SECOND)
    return found


@pytest.mark.parametrize(
    ("description", "reasons", "expected"),
    [
        ("good refreshes", ["", ""], [0, 0]),
        ("MLflow asked in vain, again and again", ["missing"] * 6, [30, 60, 120, 240, 300, 300]),
        ("a good one in between", ["mlflow_unavailable", "reference", "", "missing"], [30, 60, 0, 30]),
        ("our own disk or mistake", ["state", "internal"], [0, 0]),
    ],
)
def test_rest_after_failures(memory: Memory, description: str, reasons: list[str], expected: list[float]) -> None:
    """The rest doubles up to five minutes while MLflow is asked in vain, and ends with the first success."""
    failures: list[Failure | None] = [(reason, "why") if reason else None for reason in reasons]
    assert pauses(memory, failures, wait=30.0) == expected, description


def test_long_interval_is_not_shortened(memory: Memory) -> None:
    """Whoever refreshes every hour is not asked to try again after five minutes."""
    assert pauses(memory, [("missing", "why")] * 2, wait=3600.0) == [3600, 3600]


def test_due_again(memory: Memory) -> None:
    """A model is due when its rest is over, and always after a success."""
    assert memory.is_due(0)
    memory.postpone(("missing", "why"), 0, wait=30.0)
    assert [memory.is_due(at * SECOND) for at in (0, 29, 30)] == [False, False, True]
    memory.postpone(None, 30 * SECOND, wait=30.0)
    assert memory.is_due(0)

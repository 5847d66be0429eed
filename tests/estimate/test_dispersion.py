"""How far blocks of a reference scatter beyond chance."""

import numpy as np
import pytest

from driftgauge.estimate.binary import BinaryEstimator, BinaryRows
from driftgauge.estimate.dispersion import Spread, dispersion


def rows(seed: int, wandering: float, blocks: int = 100) -> BinaryRows:
    """Return 10,000 rows whose odds wander from block to block."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(2, 2, 10_000)
    shift = np.repeat(rng.normal(0, wandering, blocks), 10_000 // blocks)
    chance = 1 / (1 + np.exp(-np.log(scores / (1 - scores)) - shift))
    return BinaryRows(scores, (scores >= 0.5).astype(float), (rng.random(10_000) < chance).astype(float))


def learned(some: BinaryRows) -> BinaryEstimator:
    """Return the estimator of rows."""
    return BinaryEstimator.of(some, calibrated=True)


def test_rows_that_share_nothing_scatter_as_they_should() -> None:
    """Independent rows have a dispersion next to 1, and never less."""
    found = dispersion(rows(1, 0.0), learned, "binary")

    assert found.keys() == {"accuracy", "precision", "recall", "f1", "roc_auc"}
    assert all(1 <= value < 2 for value in found.values())


def test_rows_that_come_in_clumps_scatter_more() -> None:
    """Where days differ, variances are multiplied."""
    found = dispersion(rows(2, 1.0, blocks=20), learned, "binary")

    assert found["precision"] > 5
    assert found["recall"] > 5


@pytest.mark.parametrize("count", [100, 500])
def test_few_rows(count: int) -> None:
    """Fewer rows make fewer blocks; one of a single class says nothing of what needs two."""
    some = rows(3, 0.0).take(np.arange(count))
    alone = BinaryRows(some.scores, np.zeros(count), np.zeros(count))

    assert dispersion(some, learned, "binary").keys() >= {"accuracy", "f1", "roc_auc"}
    assert dispersion(alone, learned, "binary") == {}


def test_a_map_that_follows_chance() -> None:
    """The area of the reference itself is estimated too large, the more so the smaller it is; bounds know of it."""
    small, large = (Spread.of(rows(5, 0.0).take(np.arange(count)), learned, "binary") for count in (500, 10_000))

    assert small.bias["roc_auc"] > 2 * large.bias["roc_auc"] > 0
    spread = Spread({"roc_auc": 4.0}, {"roc_auc": -0.0196})
    assert spread.error("roc_auc", 0.01**2) == pytest.approx(0.02 + 0.01, abs=1e-6)
    assert spread.error("f1", 0.01**2) == pytest.approx(0.01)
    assert spread.error("f1", None) is None
    assert spread.error("f1", 0.0) is None
    assert spread.error("roc_auc", 3e-34) is None

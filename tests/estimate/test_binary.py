"""CBPE on simulated scores: sums against rows, variances against repeated labels, and what is undefined."""

import numpy as np
import pytest

from driftgauge.codec import pack, unpack
from driftgauge.estimate.binary import BinaryEstimator, BinaryRows
from driftgauge.schema import Average

METRICS = ["accuracy", "precision", "recall", "f1", "roc_auc"]


def drawn(seed: int, count: int, *, a: float = 2.0, b: float = 3.0, bold: float = 1.6) -> BinaryRows:
    """Return rows whose scores are too bold: the true log odds are smaller by this factor."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(a, b, count)
    return BinaryRows(scores, (scores >= 0.5).astype(float), (rng.random(count) < truth(scores, bold)).astype(float))


def truth(scores: "np.typing.NDArray[np.float64]", bold: float = 1.6) -> "np.typing.NDArray[np.float64]":
    """Return the probability of a positive label."""
    return 1 / (1 + (1 / scores - 1) ** (1 / bold))


@pytest.mark.parametrize("calibrated", [True, False])
def test_sums_by_cell_are_those_of_the_rows(calibrated: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The confusion matrix is that of the calibrated probabilities row by row; the area is too, to 1e-6."""
    window = drawn(2, 20_000, a=1.5)
    estimator = BinaryEstimator.of(drawn(1, 5000), calibrated=calibrated)
    chance, told = estimator.calibration(window.scores), window.predicted > 0
    hits, missed = chance[told].sum(), chance[~told].sum()

    found = {name: value for name, (value, _) in estimator.judge(estimator.tally_of(window), "binary").items()}

    assert found["accuracy"] == pytest.approx((hits + (~told).sum() - missed) / len(window), abs=1e-12)
    assert found["precision"] == pytest.approx(hits / told.sum(), abs=1e-12)
    assert found["recall"] == pytest.approx(hits / (hits + missed), abs=1e-12)
    assert found["f1"] == pytest.approx(2 * hits / (hits + missed + told.sum()), abs=1e-12)
    order = np.argsort(window.scores)
    positive, negative = chance[order], 1 - chance[order]
    area = (positive * (np.cumsum(negative) - negative / 2)).sum() / (positive.sum() * negative.sum())
    assert found["roc_auc"] == pytest.approx(area, abs=1e-6)


@pytest.mark.parametrize("average", ["binary", "weighted", "macro"])
def test_errors_are_as_large_as_said(average: Average) -> None:
    """Realised minus estimated has the standard deviation that is said, with the error of the reference in it."""
    scores = drawn(7, 1500, a=4.0).scores
    told, rng = (scores >= 0.5).astype(float), np.random.default_rng(11)
    errors: dict[str, list[float]] = {name: [] for name in METRICS}
    for seed in range(60):
        estimator = BinaryEstimator.of(drawn(100 + seed, 1000), calibrated=True)
        window = BinaryRows(scores, told, (rng.random(1500) < truth(scores)).astype(float))
        realised = window.realised(average)
        for name, (value, variance) in estimator.judge(estimator.tally_of(window), average).items():
            errors[name].append((realised[name] - value) / np.sqrt(variance))

    for name, standardised in errors.items():
        assert 0.75 < np.sqrt(np.mean(np.square(standardised))) < 1.3, name


def test_bins_of_the_reference() -> None:
    """Every row of the reference is counted in the bin where its cell is, at edges and beyond the ends too."""
    rows = drawn(5, 3000)
    rows = BinaryRows(rows.scores.round(2), rows.predicted, rows.positive)
    estimator = BinaryEstimator.of(rows, calibrated=True)
    found = estimator.tally_of(rows)

    bins = estimator._bins(found.keys // 2)

    counted = np.bincount(bins, found.counts, minlength=len(estimator.bin_rows))
    assert counted.tolist() == estimator.bin_rows.tolist()
    assert estimator.bin_rows @ estimator.bin_shares == pytest.approx(rows.positive.sum())
    assert estimator._bins(np.array([0, 2 * len(estimator.points)])).tolist() == [0, len(estimator.bin_rows) - 1]


def test_undefined() -> None:
    """No precision without positive predictions; nothing at all without rows."""
    estimator = BinaryEstimator.of(drawn(1, 600), calibrated=True)
    low = BinaryRows(np.full(50, 0.1), np.zeros(50), np.zeros(50))

    assert estimator.judge(estimator.tally_of(low), "binary").keys() == {"accuracy", "recall", "f1", "roc_auc"}
    assert estimator.judge(estimator.tally_of(low.take(np.zeros(0, np.int64))), "binary") == {}


def test_stored_and_restored() -> None:
    """An estimator comes back as it was; another reference has another fingerprint."""
    estimator = BinaryEstimator.of(drawn(1, 600), calibrated=True)
    window = drawn(2, 100)

    restored = BinaryEstimator.from_arrays(unpack(pack(estimator.arrays)))

    assert restored.fingerprint == estimator.fingerprint
    assert restored.fingerprint != BinaryEstimator.of(drawn(3, 600), calibrated=True).fingerprint
    tally = estimator.tally_of(window)
    assert restored.judge(tally, "macro") == estimator.judge(tally, "macro")

"""What is published of estimates, by hand, whichever way of estimating they come from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from data_builders import a_model
from driftgauge.estimate.binary import BinaryEstimator, BinaryRows
from driftgauge.estimate.dispersion import Spread
from driftgauge.estimate.estimator import Estimate
from driftgauge.samples import Sample
from driftgauge.snapshot.board import Board
from driftgauge.snapshot.estimated import label_ratio, put_estimates, put_record

BASELINE = {"accuracy": 0.9, "mae": 50.0, "f1": 0.8}


def said(board: Board) -> dict[str, dict[tuple[str, ...], float]]:
    """Return values by family and labels."""
    return {
        name: {each.labels: each.value for each in found if isinstance(each, Sample)}
        for name, found in board.samples.items()
    }


def record(realised: Mapping[str, float], estimates: Mapping[str, Estimate], rows: int = 400) -> Any:
    """Return what is said of labelled rows."""
    board = Board({}, ())
    put_record(board, BASELINE, realised, estimates, rows=rows)
    return said(board)


def test_estimates_of_scores_and_errors() -> None:
    """Bounds are 1.96 standard errors away, within what the metric can be; degradation is as of realised metrics."""
    board = Board({}, ())
    put_estimates(
        board,
        BASELINE,
        {
            "accuracy": Estimate(0.85, 0.1),
            "mae": Estimate(60.0, 40.0),
            "roc_auc": Estimate(0.9),
            "f1": Estimate(0.8, 0.1),
        },
    )

    found = said(board)

    assert found["model_estimated_performance"] == {("accuracy",): 0.85, ("mae",): 60, ("roc_auc",): 0.9, ("f1",): 0.8}
    assert found["model_estimated_performance_bound"] == pytest.approx(
        {
            ("accuracy", "lower"): 0.85 - 0.1959964,
            ("accuracy", "upper"): 1.0,
            ("mae", "lower"): 0.0,
            ("mae", "upper"): 60 + 78.39856,
            ("f1", "lower"): 0.8 - 0.1959964,
            ("f1", "upper"): 0.8 + 0.1959964,
        }
    )
    assert found["model_estimated_degradation"] == pytest.approx({("accuracy",): 0.05, ("mae",): 0.2, ("f1",): 0.0})


def test_parts_sum_to_the_degradation() -> None:
    """Of scores the difference, of errors relative to the baseline; the z-score is positive where it got worse."""
    found = record({"accuracy": 0.8, "mae": 70.0}, {"accuracy": Estimate(0.88, 0.02), "mae": Estimate(55.0, 5.0)})

    assert found["model_estimate_error"] == pytest.approx({("accuracy",): -0.08, ("mae",): 15.0})
    assert found["model_performance_change"] == pytest.approx(
        {
            ("accuracy", "inputs"): 0.02,
            ("accuracy", "concept"): 0.08,
            ("mae", "inputs"): 0.1,
            ("mae", "concept"): 0.3,
        }
    )
    assert found["model_concept_drift_zscore"] == pytest.approx({("accuracy",): 4.0, ("mae",): 3.0})
    assert found["model_concept_drift_detected"] == {(): 1}


@pytest.mark.parametrize(
    ("realised", "estimate", "rows", "detected"),
    [
        ({"accuracy": 0.8}, {"accuracy": Estimate(0.88, 0.02)}, 100, 1),
        ({"accuracy": 0.96}, {"accuracy": Estimate(0.88, 0.02)}, 100, 1),
        ({"accuracy": 0.8}, {"accuracy": Estimate(0.88, 0.03)}, 100, 0),
        ({"accuracy": 0.861}, {"accuracy": Estimate(0.88, 0.005)}, 100, 0),
        ({"accuracy": 0.8}, {"accuracy": Estimate(0.88, 0.02)}, 99, None),
        ({"accuracy": 0.8}, {"accuracy": Estimate(0.88)}, 400, None),
        ({"accuracy": 0.8}, {}, 400, None),
        ({"roc_auc": 0.7}, {"roc_auc": Estimate(0.9, 0.02)}, 400, 1),
        ({"rmse": 70.0}, {"rmse": Estimate(50.0, 2.0)}, 400, 0),
    ],
    ids=[
        "far and large",
        "better is another concept too",
        "not far",
        "not large",
        "few rows",
        "no standard error",
        "no estimate",
        "a score without baseline",
        "an error without baseline has no scale",
    ],
)
def test_what_is_flagged(
    realised: Mapping[str, float], estimate: Mapping[str, Estimate], rows: int, detected: int | None
) -> None:
    """Three standard errors and two points, from 100 labelled rows on."""
    assert record(realised, estimate, rows).get("model_concept_drift_detected", {}).get(()) == detected


def test_the_share_of_labelled_predictions() -> None:
    """Known where labels count at the time of their prediction, or come with it."""
    prediction_time, label_time = (
        a_model(labels={"experiment": "/labels", "key": ["request_id"], "window_by": by})
        for by in ("prediction_time", "label_time")
    )

    assert label_ratio(a_model(), predictions=10, labelled=4) == 0.4
    assert label_ratio(prediction_time, predictions=10, labelled=10) == 1
    assert label_ratio(label_time, predictions=10, labelled=4) is None
    assert label_ratio(prediction_time, predictions=10, labelled=0) is None
    assert label_ratio(prediction_time, predictions=3, labelled=4) is None


def simulated(rng: np.random.Generator, rows: int, *, shift: float = 0.0, flipped: float = 0.0) -> BinaryRows:
    """Return rows of a model that is too bold, with scores shifted by their log odds and a share of labels flipped."""
    odds = rng.normal(shift - 0.5, 3.5, rows)
    positive = (rng.random(rows) < 1 / (1 + np.exp(-odds / 1.3))) ^ (rng.random(rows) < flipped)
    return BinaryRows(1 / (1 + np.exp(-odds)), (odds >= 0).astype(float), positive.astype(float))


def test_flipped_labels_are_concept_and_other_scores_are_not() -> None:
    """A small part of what `tests.benchmarks.estimating` measures: 40 windows of 3,000 rows of each kind."""
    rng = np.random.default_rng(77)
    reference = simulated(rng, 8000)

    def learned(rows: BinaryRows) -> BinaryEstimator:
        return BinaryEstimator.of(rows, calibrated=True)

    estimator, spread = learned(reference), Spread.of(reference, learned, "weighted")
    kinds: list[dict[str, float]] = [{}, {"shift": 1.0}, {"shift": -1.5}, {"flipped": 0.04}]
    flagged, inside = [], []
    for kind in kinds:
        told = []
        for _ in range(40):
            window = simulated(rng, 3000, **kind)
            realised, judged = window.realised("weighted"), estimator.judge(estimator.tally_of(window), "weighted")
            estimates = {name: Estimate(value, spread.error(name, of)) for name, (value, of) in judged.items()}
            found = record(realised, estimates, rows=3000)
            told.append(found["model_concept_drift_detected"][()])
            if "flipped" not in kind:
                inside.append([abs(z) <= 1.96 for z in found["model_concept_drift_zscore"].values()])
        flagged.append(sum(told))

    assert flagged == [0, 0, 0, 40]
    assert np.min(np.mean(inside, axis=0)) >= 0.88

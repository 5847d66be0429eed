"""The map from scores to probabilities against scikit-learn, and when it is used."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from driftgauge.estimate.calibration import Calibration, calibration_helps


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_equals_scikit_learn(digits: int) -> None:
    """The same map, to rounding, on scores with and without ties, between the knots and beyond them."""
    rng = np.random.default_rng(digits)
    scores = (0.1 + 0.8 * rng.random(3000)).round(digits)
    positive = (rng.random(3000) < scores**2).astype(float)
    at = np.concatenate([rng.random(500), scores, [0.0, 1.0]])

    found = Calibration.isotonic(scores, positive)

    expected = IsotonicRegression(out_of_bounds="clip", increasing=True).fit(scores, positive)
    assert found(at) == pytest.approx(expected.predict(at), abs=1e-12)
    assert len(found.scores) <= len(expected.X_thresholds_)


def test_used_where_it_helps() -> None:
    """Scores that are too bold are calibrated; those that are right, perfect or of hardly any class are not."""
    rng = np.random.default_rng(1)
    scores = rng.random(4000)

    def labels(chance: "np.typing.NDArray[np.float64]") -> "np.typing.NDArray[np.float64]":
        return (rng.random(4000) < chance).astype(float)

    assert calibration_helps(scores, labels(0.25 + scores / 2))
    assert not calibration_helps(scores, labels(scores))
    assert not calibration_helps(scores, (scores > 0.5).astype(float))
    assert not calibration_helps(scores, np.eye(1, 4000)[0])

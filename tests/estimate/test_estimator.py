"""What is taken for an estimator."""

from data_builders import fitted
from driftgauge.estimate.estimator import Estimate, Estimator


def test_other_signals_are_no_estimators() -> None:
    """A fitted signal estimates only if it says so; a standard error may be unknown."""
    assert not any(isinstance(signal, Estimator) for signal in fitted().values())
    assert Estimate(0.9).stderr is None

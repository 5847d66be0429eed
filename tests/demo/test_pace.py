"""Windows and waiting times in hours of flights."""

import pytest

from driftgauge.demo.pace import WEEK_HOURS, Pace


@pytest.mark.parametrize(
    ("case", "interval", "window", "refresh", "waiting"),
    [
        ("as shipped: a week in two minutes", 0.8, 120, 2, 8),
        ("fast: no window is shorter than a minute", 0.1, 60, 2, 5),
        ("slow: MLflow is still asked every five seconds", 10, 1500, 5, 50),
        ("not a whole number of seconds", 0.41, 62, 2, 6),
    ],
)
def test_times(case: str, interval: float, window: int, refresh: int, waiting: int) -> None:
    """All follow from the time an hour of flights takes, in whole seconds."""
    pace = Pace(interval)
    assert (pace.window, pace.refresh, pace.waiting) == (window, refresh, waiting), case


def test_hours() -> None:
    """A stretch of flights takes its time, and at least what is asked for."""
    assert Pace(0.8).hours(WEEK_HOURS) == 120
    assert Pace(0.1).hours(5, at_least=10) == 10

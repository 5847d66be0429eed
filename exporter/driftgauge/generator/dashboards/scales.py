"""Scales that several dashboards share, so that one quantity looks the same wherever it is shown."""

from typing import Final

from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.generator.dashboards.marks import COLOURS, GOOD, Mark, Marks, steps
from driftgauge.generator.dashboards.panels import PanelScale, Words

# Metrics of which less is better; their degradation is relative to the baseline.
ERRORS: Final = ("log_loss", "brier_score", "mse", "rmse", "mae")
SCORES: Final = tuple(metric for metric in PERFORMANCE_GAUGES if metric not in ERRORS)

COUNT: Final = PanelScale(unit="short", least=0)
SHARE: Final = PanelScale(unit="percentunit", decimals=1, least=0)
PER_SECOND: Final = PanelScale(unit="cps", least=0)
SECONDS: Final = PanelScale(unit="s", least=0)
NUMBER: Final = PanelScale(unit="short", decimals=3)
SCORE: Final = PanelScale(unit="percentunit", decimals=1, most=1)
# Values measured in the threshold of their alert.
IN_THRESHOLDS: Final = PanelScale(unit="short", decimals=2, least=0, thresholds=steps(Mark(1, "high")))

_BAD: Final = COLOURS["high"]
VERDICT: Final[Words] = {0: ("same", GOOD), 1: ("drifted", COLOURS["medium"])}
CONCEPT: Final[Words] = {0: ("holds", GOOD), 1: ("changed", COLOURS["high"])}
FLAG: Final[Words] = {0: ("no", GOOD), 1: ("drifted", COLOURS["low"])}
HEALTH: Final[Words] = {0: ("failing", _BAD), 1: ("fine", GOOD)}


def share(*marks: Mark | None) -> PanelScale:
    """Return the scale of a ratio from 0 to 1 that changes colour at marks."""
    return PanelScale(unit="percentunit", decimals=1, least=0, thresholds=steps(*marks))


def count(*marks: Mark | None) -> PanelScale:
    """Return the scale of a number of things that changes colour at marks."""
    return PanelScale(unit="short", least=0, thresholds=steps(*marks))


def seconds(*marks: Mark | None) -> PanelScale:
    """Return the scale of a duration or age that changes colour at marks."""
    return PanelScale(unit="s", least=0, thresholds=steps(*marks))


def statistic(*marks: Mark | None) -> PanelScale:
    """Return the scale of a drift statistic that changes colour at marks."""
    return PanelScale(unit="short", decimals=3, least=0, thresholds=steps(*marks))


def degradation(marks: Marks) -> PanelScale:
    """Return the scale of how much worse than the baseline a score is: one point is 0.01."""
    return PanelScale(unit="percentunit", decimals=1, thresholds=steps(marks.of_metrics(SCORES)))


def error_rise(marks: Marks) -> PanelScale:
    """Return the scale of how much an error rose above its baseline, relative to it."""
    return PanelScale(unit="percentunit", decimals=1, thresholds=steps(marks.of_metrics(ERRORS)))


def expected_degradation(marks: Marks) -> PanelScale:
    """Return the scale of how much worse than the baseline a score is expected to be."""
    return PanelScale(unit="percentunit", decimals=1, thresholds=steps(marks.of_expected(SCORES)))


def expected_rise(marks: Marks) -> PanelScale:
    """Return the scale of how much an error is expected to have risen above its baseline, relative to it."""
    return PanelScale(unit="percentunit", decimals=1, thresholds=steps(marks.of_expected(ERRORS)))


def drifted(marks: Marks) -> PanelScale:
    """Return the scale of how many features drifted."""
    return count(marks.drifted_feature, marks.drifted_features)

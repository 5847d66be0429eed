"""The words and numbers of the landing page."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from driftgauge.web.status import ModelStatus, Verdict, age, figure, utc

from .servers import NOW

AGES = [
    (timedelta(0), "0 s ago"),
    (timedelta(seconds=59.9), "59 s ago"),
    (timedelta(seconds=60), "1 min ago"),
    (timedelta(minutes=119), "1 h ago"),
    (timedelta(hours=23, minutes=59), "23 h ago"),
    (timedelta(days=400), "400 d ago"),
    (timedelta(seconds=-5), "just now"),
]
FIGURES = [(0, "0"), (0.91666, "0.9167"), (812, "812"), (9999.4, "9999"), (1234567, "1,234,567"), (-15342.7, "-15,343")]
SEVERE, MILD = (Verdict("A", severity, "…", "") for severity in ("critical", "low"))
STATES: list[tuple[ModelStatus, str, str]] = [
    (ModelStatus("m", "binary", ("1h",), judged="healthy"), "healthy", "good"),
    (ModelStatus("m", "binary", ("1h",), judged="drifting", verdicts=(MILD,)), "drifting", "warn"),
    (ModelStatus("m", "binary", ("1h",), judged="degraded", verdicts=(SEVERE, MILD)), "degraded", "bad"),
    (ModelStatus("m", "binary", ("1h",), judged="unjudged"), "unjudged", ""),
    (ModelStatus("m", "binary", ("1h",)), "waiting", ""),
    (ModelStatus("m", "binary", ("1h",), error="no such experiment"), "failing", "bad"),
    (ModelStatus("m", "binary", ("1h",), judged="drifting", verdicts=(MILD,), error="no labels"), "failing", "bad"),
]


@pytest.mark.parametrize(("elapsed", "expected"), AGES)
def test_age(elapsed: timedelta, expected: str) -> None:
    """An age has one unit and is rounded down; a clock that is ahead makes no negative ages."""
    assert expected == age(NOW - elapsed, NOW)


@pytest.mark.parametrize(("value", "expected"), FIGURES)
def test_figure(value: float, expected: str) -> None:
    """Small numbers keep four digits, large ones are grouped and whole."""
    assert expected == figure(value)


@pytest.mark.parametrize(("model", "state", "tone"), STATES)
def test_state(model: ModelStatus, state: str, tone: str) -> None:
    """A refresh that failed comes first; the colour follows the gravest alert."""
    assert (model.state, model.tone) == (state, tone)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_utc(zone: timezone) -> None:
    """Moments are shown in UTC, whatever zone they come in."""
    assert utc(datetime(2026, 1, 31, 12, 0, 5, 999999, tzinfo=UTC).astimezone(zone)) == "2026-01-31 12:00:05 UTC"

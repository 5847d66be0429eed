"""Days: whole panes of every length, each as a window of a day would say that held its rows alone."""

from dataclasses import replace

import numpy as np

from data_builders import MICROS, a_model, a_pane, a_reference, make_columns
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.config import Limits, Window
from driftgauge.samples import Sample, Samples
from driftgauge.snapshot import ModelState, days, past_days
from driftgauge.snapshot.cache import Latest
from driftgauge.windows import PaneKey

DAY = 86_400
# 2026-01-05, 13:00 UTC.
NOW = 1_767_618_000
TODAY = NOW // DAY * DAY
WINDOWS = (Window("1h", 3600), Window("24h", DAY), Window("7d", 7 * DAY))
LIMITS = Limits()
REFERENCE = a_reference(make_columns(100, numbers={"x": np.arange(100)}))


def rows(count: int) -> Pane:
    """Return a pane of so many rows."""
    return a_pane(make_columns(count, numbers={"x": np.arange(count)}), REFERENCE)


def predictions_by_day(panes: dict[PaneKey, Pane], *, most: int = 31, **state: object) -> dict[int, float]:
    """Return how many predictions each day has, by its start, counted from today."""
    totals = Totals({"1": VersionTotals(predictions=9, last_prediction=NOW * MICROS)})
    model = ModelState(a_model(), REFERENCE, totals=totals, predictions=panes, **state)  # type: ignore[arg-type]
    found = {}
    for day in days(model, version="1", windows=WINDOWS, now=NOW * MICROS, most=most):
        (sample,) = day.samples(Limits())["model_window_predictions"]
        assert isinstance(sample, Sample)
        assert sample.labels == ("churn", "1", "24h")
        assert day.end == min(day.start + DAY, NOW)
        found[(day.start - TODAY) // DAY] = sample.value
    return found


def test_panes_of_every_length_count_once() -> None:
    """Fine, hourly and six-hourly panes of a day add up, also where two of different lengths begin together."""
    panes = {
        PaneKey("1", TODAY - DAY, 21_600): rows(7),
        PaneKey("1", TODAY - DAY, 3600): rows(5),
        PaneKey("1", TODAY - DAY, 3600, part=1): rows(2),
        PaneKey("1", TODAY - 120, 120): rows(3),
        PaneKey("1", TODAY, 120): rows(11),
        PaneKey("1", NOW - 120, 120): rows(4),
    }

    assert predictions_by_day(panes) == {-1: 17, 0: 15}


def test_only_rows_that_count() -> None:
    """Other versions, segments, and rows ahead of the clock are in no day; the oldest days give way."""
    panes = {
        PaneKey("2", TODAY, 3600): rows(9),
        PaneKey("1", TODAY, 3600, segment="new"): rows(9),
        PaneKey("1", NOW, 120, visible=NOW + 60): rows(9),
        **{PaneKey("1", TODAY - n * DAY, 3600): rows(n + 2) for n in range(5)},
    }

    assert predictions_by_day(panes, most=3) == {-2: 4, -1: 3, 0: 2}


def test_days_that_are_over() -> None:
    """The last ones with predictions, or with labels, under each window's name; they are computed when they change."""
    predictions = {PaneKey("1", TODAY - n * DAY, 3600): rows(n + 2) for n in (0, 1, 4, 5)}
    outcomes = {PaneKey("1", TODAY - n * DAY, 3600, rebuilt=True): rows(n) for n in (2, 3)}
    totals = Totals({"1": VersionTotals(predictions=9, last_prediction=NOW * MICROS)})
    model = ModelState(a_model(), REFERENCE, totals=totals, predictions=predictions, outcomes=outcomes)
    cache: Latest[tuple[Samples, ...]] = Latest()

    def found(state: ModelState, *, labelled: bool) -> tuple[Samples, ...]:
        return past_days(
            state,
            version="1",
            names=("24h", "1h", "24h"),
            limits=LIMITS,
            now=NOW * MICROS,
            most=2,
            labelled=labelled,
            cache=cache,
        )

    days_before = found(model, labelled=False)
    assert [
        {each.labels[2]: each.value for each in day["model_window_predictions"] if isinstance(each, Sample)}
        for day in days_before
    ] == [{"24h": 6, "1h": 6}, {"24h": 3, "1h": 3}]
    assert found(model, labelled=False) is days_before
    assert len(found(model, labelled=True)) == 2

    today = replace(model, predictions={**predictions, PaneKey("1", TODAY, 3600): rows(50)})
    assert found(today, labelled=False) is days_before
    late = replace(model, predictions={**predictions, PaneKey("1", TODAY - DAY, 3600, part=1): rows(50)})
    (*_, yesterday) = found(late, labelled=False)
    assert [each.value for each in yesterday["model_window_predictions"] if isinstance(each, Sample)] == [53, 53]

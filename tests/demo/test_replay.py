"""Hours and times: each flight once, in its order, and moved where it belongs."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pandas as pd
import pytest

from driftgauge.demo.flights import new_york_time
from driftgauge.demo.replay import HOUR_SECONDS, Hour, Replay, TimeShift, hours
from driftgauge.demo.training import Training

if TYPE_CHECKING:
    from driftgauge.demo.journal import Journal

START = new_york_time(2013, 7, 1)
END = new_york_time(2013, 7, 4)
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("case", "shift", "time", "expected"),
    [
        ("the end of the past is now", TimeShift(START, END, NOW - (END - START), NOW), END, NOW),
        ("the past keeps its pace", TimeShift(START, END, NOW - (END - START), NOW), END - 90, NOW - 90),
        ("an hour in ten seconds", TimeShift(START, START + 3600, NOW - 10, NOW), START + 1800, NOW - 5),
        ("its start", TimeShift(START, START + 3600, NOW - 10, NOW), START, NOW - 10),
    ],
)
def test_passage(case: str, shift: TimeShift, time: float, expected: float) -> None:
    """Times move linearly from one stretch onto the other."""
    assert shift.moved(time) == pytest.approx(expected, abs=1e-6), case


@pytest.fixture(scope="module")
def july(flights: pd.DataFrame) -> pd.DataFrame:
    """Return the flights from July 1 on."""
    return flights[flights["departed"] >= START]


def test_each_flight_once(july: pd.DataFrame) -> None:
    """Every departure and every landing in the stretch is in exactly the hour in which it happened."""
    found = list(hours(july, start=START, end=END))
    departures = pd.concat([hour.departures for hour in found])
    landings = pd.concat([hour.landings for hour in found])
    assert departures["request_id"].tolist() == july[july["departed"] < END]["request_id"].tolist()
    expected = july[july["landed"] < END]["request_id"]
    assert sorted(landings["request_id"]) == sorted(expected)
    for hour in found:
        assert hour.departures["departed"].between(hour.start, hour.start + HOUR_SECONDS, inclusive="left").all()
        assert hour.landings["landed"].between(hour.start, hour.start + HOUR_SECONDS, inclusive="left").all()


def test_hours_go_on(july: pd.DataFrame) -> None:
    """Past and future share no flight and miss none: what is in the air at the turn lands after it."""
    turn = new_york_time(2013, 7, 2, 18)
    past = list(hours(july, start=START, end=turn))
    future = list(hours(july, start=turn, end=END))
    whole = list(hours(july, start=START, end=END))
    assert [hour.start for hour in past + future] == [hour.start for hour in whole]
    landed = {flight for hour in past for flight in hour.landings["request_id"]}
    departed = {flight for hour in past for flight in hour.departures["request_id"]}
    later = {flight for hour in future for flight in hour.landings["request_id"]}
    assert landed < departed
    assert later & departed


def test_empty_hours_are_left_out(july: pd.DataFrame) -> None:
    """At night nothing may move for hours; such hours are skipped."""
    quiet = july[july["departed"] >= START + 10 * HOUR_SECONDS]
    assert next(hours(quiet, start=START, end=END)).start == START + 10 * HOUR_SECONDS


@dataclass
class Notes:
    """A journal on paper."""

    tables: list[pd.DataFrame] = field(default_factory=list)
    times: list[tuple[float, float]] = field(default_factory=list)

    def log(self, table: pd.DataFrame, *, hour: float, at: float) -> None:
        """Write down."""
        self.tables.append(table)
        self.times.append((hour, at))


def fed(training: Training, coming: list[Hour], shifts: list[TimeShift]) -> tuple[pd.DataFrame, pd.DataFrame, Notes]:
    """Return all predictions and all labels, by request id, and the label journal."""
    predictions, labels = Notes(), Notes()
    replay = Replay(training.model, "7", cast("Journal", predictions), cast("Journal", labels))
    for hour, shift in zip(coming, shifts, strict=True):
        replay.feed(hour, shift)
    tables = (pd.concat(notes.tables).set_index("request_id") for notes in (predictions, labels))
    return next(tables), next(tables), labels


def test_feed(training: Training, july: pd.DataFrame) -> None:
    """A prediction carries its departure's time and nothing of the outcome; its label comes later, with the landing."""
    coming = list(hours(july, start=START, end=END))
    shift = TimeShift(START, END, NOW - (END - START), NOW)
    predictions, labels, notes = fed(training, coming, [shift] * len(coming))
    source = july.set_index("request_id")
    assert set(predictions.columns) & {"late", "landed", "label"} == set()
    assert set(predictions["model_version"]) == {"7"}
    assert set(labels.columns) == {"label", "timestamp"}
    assert (labels["label"] == source["late"].loc[labels.index]).all()
    waits = (labels["timestamp"] - predictions["timestamp"].loc[labels.index]).dt.total_seconds()
    actual = (source["landed"] - source["departed"]).loc[labels.index]
    assert (waits - actual).abs().max() < 1e-5
    assert labels["timestamp"].max() < pd.to_datetime(NOW, unit="s", utc=True)
    assert predictions["timestamp"].max() < pd.to_datetime(NOW, unit="s", utc=True)
    assert notes.times == [(hour.start, shift.moved(hour.start)) for hour in coming if len(hour.landings)]


def test_squeezed_hours_keep_their_order(training: Training, july: pd.DataFrame) -> None:
    """With an hour in ten seconds, every label still comes after its prediction, and none is in the future."""
    coming = list(hours(july, start=START, end=END))
    ends = [NOW + 10 * number for number in range(len(coming))]
    shifts = [
        TimeShift(hour.start, hour.start + HOUR_SECONDS, end - 10, end) for hour, end in zip(coming, ends, strict=True)
    ]
    predictions, labels, _ = fed(training, coming, shifts)
    assert (labels["timestamp"] > predictions["timestamp"].loc[labels.index]).all()
    assert labels["timestamp"].max() < pd.to_datetime(ends[-1], unit="s", utc=True)


def test_the_next_version_takes_over(training: Training, july: pd.DataFrame) -> None:
    """From the hour in which it is the champion it answers; what the one before would have said is compared."""
    champions = iter([None, ("8", training.model), *[None] * 100])
    predictions, labels = Notes(), Notes()
    replay = Replay(
        training.model,
        "7",
        cast("Journal", predictions),
        cast("Journal", labels),
        newer=lambda *_: next(champions),
    )
    coming = list(hours(july, start=START + 10 * HOUR_SECONDS, end=START + 20 * HOUR_SECONDS))
    for hour in coming:
        replay.feed(hour, TimeShift(START, END, NOW - (END - START), NOW))
    assert [set(table["model_version"]) for table in predictions.tables] == [{"7"}, *[{"8"}] * (len(coming) - 1)]
    departed = pd.concat(hour.departures for hour in coming[1:])
    landed = pd.concat(hour.landings for hour in coming[1:]).merge(departed[["request_id"]], on="request_id")
    said = training.model.predict(landed)["prediction"]
    assert replay.comparison.flights == len(landed) > 100
    assert set(replay.comparison.right) == {int((said == landed["late"]).sum())}

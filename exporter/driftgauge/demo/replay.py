"""The flights of 2013 hour by hour, moved in time.

Every flight departs in exactly one hour; its label belongs to the hour in which it landed, so labels come later than
predictions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from driftgauge.demo.journal import Journal
from driftgauge.demo.training import DelayModel

HOUR_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Hour:
    """An hour of 2013 from `start` (s since 1970): the flights that departed in it, and those that landed."""

    start: float
    departures: pd.DataFrame
    landings: pd.DataFrame


@dataclass(frozen=True, slots=True)
class TimeShift:
    """An interval of time and the interval it is mapped to, which may be longer or shorter (all s since 1970)."""

    start: float
    end: float
    onto_start: float
    onto_end: float

    def moved(self, times: Any) -> Any:
        """Return the times (array, series or number) in the new interval."""
        scale = (self.onto_end - self.onto_start) / (self.end - self.start)
        return self.onto_start + (times - self.start) * scale


def hours(flights: pd.DataFrame, *, start: float, end: float) -> Iterator[Hour]:
    """Yield the hours from `start` until `end` (s since 1970, whole hours apart) in which a flight departed or landed.

    flights: in the order of their departures, as `load_flights` returns them.
    """
    landings = flights.sort_values("landed")
    starts = np.arange(start, end + HOUR_SECONDS, HOUR_SECONDS)
    departing = np.searchsorted(flights["departed"], starts)
    landing = np.searchsorted(landings["landed"], starts)
    for number, at in enumerate(starts[:-1]):
        hour = Hour(
            float(at),
            flights.iloc[departing[number] : departing[number + 1]],
            landings.iloc[landing[number] : landing[number + 1]],
        )
        if len(hour.departures) or len(hour.landings):
            yield hour


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Stands for the serving process and the source of labels: one file each per hour."""

    model: DelayModel
    version: str
    predictions: Journal
    labels: Journal

    def feed(self, hour: Hour, shift: TimeShift) -> None:
        """Log the predictions and labels of an hour, at their shifted times."""
        at = shift.moved(hour.start)
        if len(hour.departures):
            answers = self.model.predict(hour.departures).assign(model_version=self.version)
            self.predictions.log(_records(answers, hour.departures, shift, "departed"), hour=hour.start, at=at)
        if len(hour.landings):
            labels = pd.DataFrame({"label": hour.landings["late"].astype(np.int64)})
            self.labels.log(_records(labels, hour.landings, shift, "landed"), hour=hour.start, at=at)


def _records(table: pd.DataFrame, flights: pd.DataFrame, shift: TimeShift, moment: str) -> pd.DataFrame:
    moved = pd.to_datetime(shift.moved(flights[moment]) * 1e6 // 1, unit="us", utc=True)
    return table.assign(request_id=flights["request_id"], timestamp=moved)

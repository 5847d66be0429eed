"""The flights of 2013 hour by hour, moved in time.

Every flight departs in exactly one hour; its label belongs to the hour in which it landed, so labels come later than
predictions.
"""

from collections.abc import Callable, Iterator
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


class Comparison:
    """How often two versions were right about the same flights, as far as these have landed."""

    def __init__(self) -> None:
        self.flights = 0
        self.right = (0, 0)
        self._said: dict[str, tuple[int, int]] = {}

    def ask(self, departures: pd.DataFrame, first: "pd.Series[int]", second: "pd.Series[int]") -> None:
        """Keep what both said of flights that depart."""
        self._said |= zip(departures["request_id"], zip(first, second, strict=True), strict=True)

    def settle(self, landings: pd.DataFrame) -> None:
        """Count those that landed."""
        for flight, late in zip(landings["request_id"], landings["late"], strict=True):
            if said := self._said.pop(flight, None):
                self.flights += 1
                self.right = (self.right[0] + (said[0] == late), self.right[1] + (said[1] == late))


class Replay:
    """Stands for the serving process and the source of labels: one file each per hour.

    newer: returns the champion and its version when that is not the given one. From then on it answers, and what the
    version before would have said is compared with it.
    """

    def __init__(
        self,
        model: DelayModel,
        version: str,
        predictions: Journal,
        labels: Journal,
        *,
        newer: Callable[[str, DelayModel], tuple[str, DelayModel] | None] = lambda *_: None,
    ) -> None:
        self.version = version
        self.comparison = Comparison()
        self._model = model
        self._before: DelayModel | None = None
        self._predictions = predictions
        self._labels = labels
        self._newer = newer

    def feed(self, hour: Hour, shift: TimeShift) -> None:
        """Log the predictions and labels of an hour, at their shifted times."""
        at = shift.moved(hour.start)
        if len(hour.departures):
            answers = self._answers(hour.departures).assign(model_version=self.version)
            self._predictions.log(_records(answers, hour.departures, shift, "departed"), hour=hour.start, at=at)
        if len(hour.landings):
            self.comparison.settle(hour.landings)
            labels = pd.DataFrame({"label": hour.landings["late"].astype(np.int64)})
            self._labels.log(_records(labels, hour.landings, shift, "landed"), hour=hour.start, at=at)

    def _answers(self, departures: pd.DataFrame) -> pd.DataFrame:
        if found := self._newer(self.version, self._model):
            self._before = self._model
            self.version, self._model = found
            self.comparison = Comparison()
        answers = self._model.predict(departures)
        if self._before is not None:
            before = self._before.predict(departures)
            self.comparison.ask(departures, before["prediction"], answers["prediction"])
        return answers


def _records(table: pd.DataFrame, flights: pd.DataFrame, shift: TimeShift, moment: str) -> pd.DataFrame:
    moved = pd.to_datetime(shift.moved(flights[moment]) * 1e6 // 1, unit="us", utc=True)
    return table.assign(request_id=flights["request_id"], timestamp=moved)

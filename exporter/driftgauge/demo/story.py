"""What happens to the flights' features in the demo, chapter by chapter: all is well, drift, worse answers, repair.

A chapter goes on until whoever is on call was told what it leads to, so that the story is the same on a busy machine;
when nobody is on call, for a fixed number of hours of flights. How alerts are raised and told is unknown here.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Protocol

from driftgauge.demo.defects import Defect, icao_codes, no_departure_delay
from driftgauge.demo.replay import Hour

DRIFT: Final = "ModelFeaturesDrifted"
DEGRADED: Final = "ModelPerformanceDegraded"
# A chapter that waits for an alert in vain ends after so many hours.
_LONGEST: Final = 900


class OnCall(Protocol):
    """Whoever is told of alerts."""

    def fired(self, alert: str) -> bool:
        """Whether the alert was told."""

    def resolved(self, alert: str) -> bool:
        """Whether the alert was told, and its end as well."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """words: announced as it begins. defects: what is done to features. hours: how long it is when nobody is on call.

    fires, resolves: the alerts that have to be told before it ends; without any, it ends after its `hours`. lingers: so
    many hours longer, to read what was told.
    """

    words: str
    hours: int
    defects: tuple[Defect, ...] = ()
    fires: tuple[str, ...] = ()
    resolves: tuple[str, ...] = ()
    lingers: int = 0

    def over(self, fed: int, on_call: OnCall | None) -> bool:
        """Whether it ends now that so many of its hours were fed."""
        if on_call is None or not (self.fires or self.resolves):
            return fed >= self.hours
        told = all(map(on_call.fired, self.fires)) and all(map(on_call.resolved, self.resolves))
        return told or fed >= _LONGEST

    def spoilt(self, hour: Hour) -> Hour:
        """Return the hour with the features of its departures as they arrive in this chapter."""
        departures = hour.departures
        for defect in self.defects if len(departures) else ():
            departures = defect(departures)
        return replace(hour, departures=departures)


CHAPTERS: Final = (
    Chapter("All is well: the flights are like those of the reference, and no alert on the model fires.", 45),
    Chapter(
        "The feed changes: airlines and airports now arrive by ICAO's codes (UAL, KEWR) instead of IATA's (UA, EWR).\n"
        "Three features drift at once; the model still answers well, for it hardly needs them.",
        45,
        defects=(icao_codes,),
        fires=(DRIFT,),
        lingers=12,
    ),
    Chapter(
        "The feed breaks: the join with the gates finds nothing any more, and dep_delay arrives empty.\n"
        "The model needs it most. The labels show it, as the flights land.",
        45,
        defects=(icao_codes, no_departure_delay),
        fires=(DEGRADED,),
        lingers=12,
    ),
    Chapter(
        "Whoever was paged repairs the feed: codes and delays arrive as before.\n"
        "The alerts resolve as the spoilt hours leave the window.",
        180,
        resolves=(DEGRADED, DRIFT),
    ),
    Chapter("All is well again, and the story is over. Flights go on until Ctrl-C.", 0),
)


def told(coming: Iterable[Hour], *, on_call: OnCall | None, say: Callable[[str], None]) -> Iterator[Hour]:
    """Yield the hours as they arrive at the model; `say` announces each chapter before its first hour."""
    hours = iter(coming)
    for chapter in CHAPTERS:
        say(chapter.words)
        for hour in _of(chapter, hours, on_call):
            yield chapter.spoilt(hour)
    yield from hours


def _of(chapter: Chapter, hours: Iterator[Hour], on_call: OnCall | None) -> Iterator[Hour]:
    """Yield the hours of a chapter; which they are is only known when they come."""
    fed = 0
    while not chapter.over(fed, on_call):
        yield from islice(hours, 1)
        fed += 1
    yield from islice(hours, chapter.lingers)

"""What happens to the flights' features in the demo, chapter by chapter: all is well, drift, worse answers, retraining.

A chapter lasts until the person on call was notified of its alerts, so that the story is the same on a busy machine;
without one, for a fixed number of hours of flights. One waits until the next version of the model answers. This module
does not know how alerts are raised and sent, nor what starts the training.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Protocol

import pandas as pd

from driftgauge.demo.defects import Defect, as_repaired, icao_codes, no_departure_delay
from driftgauge.demo.replay import Hour

DRIFT: Final = "ModelFeaturesDrifted"
EXPECTED: Final = "ModelEstimatedPerformanceDegraded"
DEGRADED: Final = "ModelPerformanceDegraded"
# A chapter ends after this many hours even if its alerts do not come.
_LONGEST: Final = 900


class OnCall(Protocol):
    """The person who is notified of alerts."""

    def fired(self, alert: str) -> bool:
        """Whether a notification said that the alert fires."""

    def resolved(self, alert: str) -> bool:
        """Whether notifications said that the alert fired and ended."""


class Retraining(Protocol):
    """What makes the next version of the model, and what is known of it."""

    def begin(self) -> None:
        """Let the alerts that fire start it, from now on."""

    def version(self) -> str:
        """Return which version answers."""

    def compared(self) -> str:
        """Return a sentence on how good it was, and how good the one before it would have been."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """words: announced as it begins. defects: applied to the features. hours: its length when nobody is on call.

    fires, resolves: the alerts whose notifications it waits for; without any, it ends after its `hours`. lingers: how
    many hours it goes on after that, so that the notification can be read. labels: whether those of flights that land
    come; otherwise they wait for the next chapter in which they do. retrains: whether retraining begins with it.
    answers: the version that it waits for. compares: whether its words end with how good the versions were.
    """

    words: str
    hours: int
    defects: tuple[Defect, ...] = ()
    fires: tuple[str, ...] = ()
    resolves: tuple[str, ...] = ()
    lingers: int = 0
    labels: bool = True
    retrains: bool = False
    answers: str = ""
    compares: bool = False

    def over(self, fed: int, on_call: OnCall | None, version: str) -> bool:
        """Whether it ends after `fed` of its hours were fed, while a version answers."""
        if self.answers:
            return version == self.answers or fed >= _LONGEST
        if on_call is None or not (self.fires or self.resolves):
            return fed >= self.hours
        notified = all(map(on_call.fired, self.fires)) and all(map(on_call.resolved, self.resolves))
        return notified or fed >= _LONGEST

    def broken(self, hour: Hour) -> Hour:
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
        "The model needs it most. No labels come for now; but the scores tell flights apart no more, so ROC AUC is "
        "expected to fall.",
        30,
        defects=(icao_codes, no_departure_delay),
        fires=(EXPECTED,),
        lingers=12,
        labels=False,
    ),
    Chapter(
        "The labels come, also those that were late: the model is worse, and by more than was expected.\n"
        "Without dep_delay it is sure of itself and wrong, which no estimate from scores can see.",
        45,
        defects=(icao_codes, no_departure_delay),
        fires=(DEGRADED,),
        lingers=12,
    ),
    Chapter(
        "Whoever was paged repairs the join: delays arrive again, from the new system of the gates, in hours.\n"
        "They and ICAO's codes are there to stay. What version 1 has learnt holds no more: it needs a successor.",
        45,
        defects=(as_repaired,),
    ),
    Chapter(
        "Retraining is turned on: Alertmanager now tells `driftgauge hook` as well of the alerts that fire.\n"
        "It starts one training for all of them, on every flight whose label has come, as the feed sends it now.",
        0,
        defects=(as_repaired,),
        retrains=True,
        answers="2",
    ),
    Chapter(
        "Version 2 is registered with its own reference, and answers from now on.\n"
        "The alerts resolve, for version 1 answers no more.",
        150,
        defects=(as_repaired,),
        resolves=(DEGRADED, DRIFT),
        lingers=45,
    ),
    Chapter(
        "All is well again, and the story is over. Flights go on until Ctrl-C.",
        0,
        defects=(as_repaired,),
        compares=True,
    ),
)


def play(
    coming: Iterable[Hour], *, on_call: OnCall | None, retraining: Retraining, say: Callable[[str], None]
) -> Iterator[Hour]:
    """Yield the hours as they arrive at the model; `say` announces each chapter before its first hour."""
    hours, late = iter(coming), list[pd.DataFrame]()
    for chapter in CHAPTERS:
        say(f"{chapter.words}\n{retraining.compared()}" if chapter.compares else chapter.words)
        if chapter.retrains:
            retraining.begin()
        for hour in _of(chapter, hours, on_call, retraining):
            yield chapter.broken(_with_labels(hour, late, come=chapter.labels))
    yield from map(CHAPTERS[-1].broken, hours)


def _with_labels(hour: Hour, late: list[pd.DataFrame], *, come: bool) -> Hour:
    """Return the hour with its landings and those that were late, or without any; `late` keeps what is held back."""
    late.append(hour.landings)
    if not come:
        return replace(hour, landings=hour.landings.iloc[:0])
    landings = pd.concat(late) if len(late) > 1 else hour.landings
    late.clear()
    return replace(hour, landings=landings)


def _of(chapter: Chapter, hours: Iterator[Hour], on_call: OnCall | None, retraining: Retraining) -> Iterator[Hour]:
    """Yield the hours of a chapter; the alerts, or the version that answers, decide when it ends."""
    fed = 0
    while not chapter.over(fed, on_call, retraining.version()):
        yield from islice(hours, 1)
        fed += 1
    yield from islice(hours, chapter.lingers)

"""Chapters: in order, as long as they should be, each with its defects."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from driftgauge.demo.replay import HOUR_SECONDS, Hour
from driftgauge.demo.story import CHAPTERS, DEGRADED, DRIFT, EXPECTED, play

NIGHT = pd.DataFrame()


def some_hours(count: int) -> list[Hour]:
    """Return hours in which one flight departed, the last one empty."""
    flight = pd.DataFrame({"carrier": ["UA"], "origin": ["EWR"], "dest": ["IAH"], "dep_delay": [2.0]}).astype(
        {"carrier": "category", "origin": "category", "dest": "category"}
    )
    return [Hour(n * HOUR_SECONDS, flight if n < count - 1 else NIGHT, NIGHT) for n in range(count)]


@dataclass
class Somebody:
    """A person on call who is notified of what a test sets."""

    begun: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)

    def fired(self, alert: str) -> bool:
        """Whether it is written."""
        return alert in self.begun

    def resolved(self, alert: str) -> bool:
        """Whether its end is written."""
        return alert in self.ended


@dataclass
class Trained:
    """A retraining that has its next version after some looks, if it was begun."""

    looks: int = 0
    begun: int = 0

    def begin(self) -> None:
        """Count."""
        self.begun += 1

    def version(self) -> str:
        """Return version 2 once it was looked for often enough."""
        self.looks -= bool(self.begun)
        return "2" if self.begun and self.looks < 0 else "1"

    def compared(self) -> str:
        """Return what stands for the figures."""
        return "Version 2 was better."


def state(hour: Hour) -> str:
    """Return what was done to the features of an hour."""
    (flight,) = hour.departures.to_dict("records")
    codes = {("UA", "EWR", "IAH"): "", ("UAL", "KEWR", "KIAH"): "recoded"}
    delays = {2.0: "", 2.0 / 60: " in hours"}
    known = flight["dep_delay"]
    return codes[flight["carrier"], flight["origin"], flight["dest"]] + (" lost" if np.isnan(known) else delays[known])


def test_with_nobody_on_call() -> None:
    """Every chapter takes its hours and is announced before the first; one takes as long as the training does."""
    said: list[str] = []
    trained = Trained(looks=30)
    story = play(some_hours(500)[:-1], on_call=None, retraining=trained, say=said.append)
    found = [(state(hour), len(said)) for hour in story]
    expected = []
    for number, (chapter, words) in enumerate(
        zip(CHAPTERS, ("", "recoded", *["recoded lost"] * 2, *["recoded in hours"] * 4), strict=True)
    ):
        taken = 30 if chapter.answers else chapter.hours
        expected += [(words, number + 1)] * (taken + chapter.lingers)
    assert found[: len(expected)] == expected
    assert set(found[len(expected) :]) == {("recoded in hours", len(CHAPTERS))}
    assert len(found) == 499
    assert trained.begun == 1
    assert said == [*(chapter.words for chapter in CHAPTERS[:-1]), f"{CHAPTERS[-1].words}\nVersion 2 was better."]


def test_chapters_wait_for_alerts() -> None:
    """The feed breaks after drift was notified, labels come after a fall was expected; repaired after it was known.

    Retraining is turned on then, once, and the story is over when the alerts are.
    """
    somebody, said, trained = Somebody(), list[str](), Trained(looks=20)
    story = play(some_hours(900), on_call=somebody, retraining=trained, say=said.append)
    assert {state(next(story)) for _ in range(CHAPTERS[0].hours)} == {""}
    assert {state(next(story)) for _ in range(100)} == {"recoded"}
    somebody.begun.add(DRIFT)
    assert [state(next(story)) for _ in range(CHAPTERS[1].lingers + 1)][-2:] == ["recoded", "recoded lost"]
    somebody.begun.add(EXPECTED)
    assert {state(next(story)) for _ in range(CHAPTERS[2].lingers + 1)} == {"recoded lost"}
    assert len(said) == 4
    somebody.begun.add(DEGRADED)
    assert [state(next(story)) for _ in range(CHAPTERS[3].lingers + 1)][-2:] == ["recoded lost", "recoded in hours"]
    assert {state(next(story)) for _ in range(CHAPTERS[4].hours - 1)} == {"recoded in hours"}
    assert trained.begun == 0
    assert {state(next(story)) for _ in range(20 + 200)} == {"recoded in hours"}
    assert (trained.begun, len(said)) == (1, 7)
    somebody.ended |= {DEGRADED, DRIFT}
    assert {state(next(story)) for _ in range(CHAPTERS[6].lingers + 1)} == {"recoded in hours"}
    assert (trained.begun, len(said)) == (1, 8)


def test_labels_that_wait_come_once() -> None:
    """While a fall is only expected no label comes; then all come, each once and in their order."""
    whole = [replace(hour, landings=pd.DataFrame({"flight": [n]})) for n, hour in enumerate(some_hours(400)[:-1])]
    found = list(play(whole, on_call=None, retraining=Trained(), say=lambda _: None))
    begins = sum(chapter.hours + chapter.lingers for chapter in CHAPTERS[:2])
    waits = CHAPTERS[2].hours + CHAPTERS[2].lingers

    assert [len(hour.landings) for hour in found[begins - 1 : begins + waits + 2]] == [1, *[0] * waits, waits + 1, 1]
    assert list(pd.concat([hour.landings for hour in found])["flight"]) == list(range(399))


def test_nobody_is_waited_for_forever() -> None:
    """When an alert, or the next version, never comes, the story goes on all the same."""
    said: list[str] = []
    nights = [Hour(n * HOUR_SECONDS, NIGHT, NIGHT) for n in range(5000)]
    story = play(nights, on_call=Somebody(), retraining=Trained(looks=5000), say=said.append)
    assert len(list(story)) == 5000
    assert len(said) == len(CHAPTERS)


def test_hours_without_departures() -> None:
    """At night there is nothing to spoil; landings are never touched."""
    hour = Hour(0.0, NIGHT, pd.DataFrame({"late": [1.0]}))
    for chapter in CHAPTERS:
        spoilt = chapter.broken(hour)
        assert spoilt.departures.empty
        assert spoilt.landings is hour.landings

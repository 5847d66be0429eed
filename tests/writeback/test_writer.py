"""When results are written, what happens when they cannot be, and that nobody waits for it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest
from structlog.testing import capture_logs

from driftgauge.config import ModelConfig
from driftgauge.errors import BatchError, ConfigError, DriftgaugeError, SourceMissing, SourceUnavailable
from driftgauge.source import Result
from driftgauge.source.writing import CHECKED_AT
from driftgauge.writeback.content import FINDINGS_TAG
from driftgauge.writeback.standing import Standing, Waiting
from driftgauge.writeback.writer import Writeback
from source.conftest import Clock

# Midnight, in s since 1970.
MIDNIGHT = 1_767_225_600
HOUR = 3600
DAY = 24 * HOUR


def model(name: str, every: Any = "1h") -> ModelConfig:
    """Return a model whose results are written."""
    section = {"name": name, "predictions": {"experiment": "/m"}, "writeback": {"experiment": "/r", "every": every}}
    return ModelConfig.model_validate(section)


@dataclass
class Shelf:
    """What results are written to: it has the tags of runs by key, and fails where it is told to."""

    runs: dict[str, dict[str, str]] = field(default_factory=dict)
    failures: dict[str, DriftgaugeError] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def write(self, result: Result, *, is_written: Callable[[Mapping[str, str]], bool]) -> None:
        """Write a result unless it is written."""
        if failure := self.failures.get(result.key) or self.failures.get(""):
            self.asked.append((result.key, -1))
            raise failure
        if not is_written(self.runs.get(result.key, {})):
            self.asked.append((result.key, result.at // 1000 - MIDNIGHT))
            self.runs[result.key] = {CHECKED_AT: str(result.at), FINDINGS_TAG: result.tags[FINDINGS_TAG]}


@dataclass(frozen=True)
class Found:
    """What was found of a model: its versions, and the findings of all of them."""

    name: str
    at: int
    findings: str = ""
    versions: tuple[str, ...] = ("1",)


def results(found: Found) -> Iterator[Result]:
    """Yield a result of each version; the key of a run is model, version and day."""
    if found.findings == "broken":
        raise KeyError(found.name)
    for version in found.versions:
        key = f"{found.name}/{version}/{found.at // 86_400}"
        tags = {FINDINGS_TAG: found.findings}
        yield Result("/r", key, key, None, found.at * 1000, "healthy", tags, {}, dict, "")


class Bench:
    """A writer without a thread, with a clock of its own; times are seconds since midnight."""

    def __init__(self, shelf: Shelf | None = None, standing: Standing | None = None) -> None:
        self.shelf = shelf or Shelf()
        self.clock = Clock(0)
        self.writer: Writeback[Found] = Writeback(
            self.shelf, results, standing=standing or Standing(), clock=self.clock
        )

    def offer(self, name: str, at: int, *, every: Any = "1h", **found: Any) -> None:
        """Offer what was found of a model."""
        known = Found(name, MIDNIGHT + at, **found)
        self.writer.offer(model(name, every), known, (MIDNIGHT + at) * 1_000_000)

    def settle(self) -> float | None:
        """Write until nothing is due; return how long to wait then."""
        while (wait := self.writer.step()) == 0:
            pass
        return wait

    def waiting(self) -> dict[str, tuple[str, float]]:
        """Return by model why its results wait, and since when."""
        return {name: (each.reason, each.since - MIDNIGHT) for name, each in self.writer.standing.waiting.items()}

    def taken(self) -> list[tuple[str, int]]:
        """Return what was asked of the shelf since the last call: which run, and as of when; -1 where it failed."""
        taken, self.shelf.asked = self.shelf.asked, []
        return [(key.partition("/")[0], at) for key, at in taken]


def test_once_in_each_interval() -> None:
    """The first result of an interval is written, others of it are not, whatever they say."""
    bench = Bench()
    for at in (10, 40, HOUR - 1, HOUR + 5, HOUR + 30, 3 * HOUR):
        bench.offer("churn", at, findings=str(at))
        assert bench.settle() is None
    assert bench.taken() == [("churn", 10), ("churn", HOUR + 5), ("churn", 3 * HOUR)]
    assert bench.writer.standing == Standing(written={"churn": MIDNIGHT + 3 * HOUR})


def test_on_change() -> None:
    """A result is written when findings differ from the last ones, and each day anew."""
    bench = Bench()
    for at, findings in ((10, "a"), (40, "a"), (70, "b"), (100, "a"), (130, "a"), (86_400, "a"), (86_430, "a")):
        bench.offer("churn", at, every="on_change", findings=findings)
        bench.settle()
    assert bench.taken() == [("churn", 10), ("churn", 70), ("churn", 100), ("churn", 86_400)]


@pytest.mark.parametrize("every", ["1h", "on_change"])
def test_a_new_process_knows_it_by_the_run(every: str) -> None:
    """What was written before a restart is not written again; what changed, or is due, is."""
    shelf = Shelf()
    before, after = Bench(shelf), Bench(shelf)
    before.offer("churn", 10, every=every, findings="a")
    before.settle()
    after.offer("churn", 20, every=every, findings="a")
    after.settle()
    assert after.taken() == [("churn", 10)]
    after.offer("churn", HOUR + 20, every=every, findings="b")
    after.settle()
    assert after.taken() == [("churn", HOUR + 20)]


def test_the_newest_result_wins() -> None:
    """Only one result of a model waits, and what waited while MLflow was away is not made up for."""
    bench = Bench()
    bench.shelf.failures[""] = SourceUnavailable("http://m: connection refused; start it", reason="unreachable")
    bench.offer("churn", 10)
    assert bench.settle() == 60
    for at in (HOUR, 2 * HOUR, 3 * HOUR):
        bench.offer("churn", at)
    bench.shelf.failures.clear()
    bench.clock.now = 61
    assert bench.settle() is None
    assert bench.taken() == [("churn", -1), ("churn", 3 * HOUR)]


def test_a_server_that_is_away_rests_for_all() -> None:
    """It is asked once a minute, then half as often each time, at least hourly; each failure counts, one is said."""
    bench = Bench()
    bench.shelf.failures[""] = SourceUnavailable("http://m: connection refused; start it", reason="unreachable")
    bench.offer("churn", 10, versions=("2", "1"))
    bench.offer("fraud", 10)
    with capture_logs() as logs:
        waits = []
        for _ in range(9):
            waits.append(bench.settle())
            bench.clock.now += waits[-1] or 0
        assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
        assert len(bench.taken()) == 9
        assert bench.writer.standing.failures == {"unreachable": 9}
        said = [(log["event"], log["model"]) for log in logs]
        assert {event for event, _ in said} == {"results not written to MLflow"}
        assert len(said) == len(set(said))

    bench.shelf.failures.clear()
    assert bench.settle() is None
    assert bench.waiting() == {}
    assert bench.writer.standing.written.keys() == {"churn", "fraud"}


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (SourceUnavailable("denied", reason="forbidden"), "forbidden"),
        (SourceMissing("deleted"), "missing"),
        (BatchError("foreign_host", "it is elsewhere"), "foreign_host"),
        (ConfigError("rows are read from it"), "configuration"),
    ],
)
def test_a_refusal_of_one_version_is_nobody_elses(failure: DriftgaugeError, reason: str) -> None:
    """Other versions and other models are written; what is refused is said, and tried again later."""
    bench = Bench()
    bench.shelf.failures[f"churn/2/{MIDNIGHT // 86_400}"] = failure
    bench.offer("churn", 10, versions=("2", "1"))
    bench.offer("fraud", 10)
    assert bench.settle() == 60
    assert sorted(bench.taken()) == [("churn", -1), ("churn", 10), ("fraud", 10)]
    assert bench.writer.standing == Standing(
        {reason: 1}, {"churn": Waiting(reason, MIDNIGHT + 10, str(failure))}, {"fraud": MIDNIGHT + 10}
    )
    bench.shelf.failures.clear()
    bench.clock.now = 60
    bench.settle()
    assert bench.taken() == [("churn", 10)]


AWAY = SourceUnavailable("http://m: connection refused; start it", reason="unreachable")


@pytest.mark.parametrize(("every", "later"), [("1h", 5 * HOUR), ("1d", 20 * HOUR), ("on_change", 5 * HOUR)])
def test_since_when_results_wait(every: str, later: int) -> None:
    """It is when the first was due that is not written, however many came since; one that is written ends it."""
    bench = Bench()
    bench.offer("churn", 10, every=every, findings="a")
    bench.settle()
    assert bench.waiting() == {}

    # Nothing is due within the interval, or unless findings change.
    bench.shelf.failures[""] = SourceMissing("deleted; restore it")
    bench.offer("churn", 40, every=every, findings="a")
    bench.settle()
    assert bench.waiting() == {}

    for at in (DAY + 20, DAY + 50, DAY + later):
        bench.offer("churn", at, every=every, findings=str(at))
        bench.settle()
        assert bench.waiting() == {"churn": ("missing", DAY + 20)}
    bench.shelf.failures.clear()
    bench.clock.now = HOUR
    bench.settle()
    assert bench.waiting() == {}
    assert bench.writer.standing.written == {"churn": MIDNIGHT + DAY + later}


def test_models_that_are_not_tried_wait_too() -> None:
    """Behind a server that rests, each model waits since its own result was due, for the reason of the server."""
    bench = Bench()
    bench.shelf.failures[""] = AWAY
    bench.offer("churn", 10)
    bench.settle()
    bench.offer("fraud", 20)
    bench.settle()
    assert bench.waiting() == {"churn": ("unreachable", 10), "fraud": ("unreachable", 20)}
    assert bench.writer.standing.waiting["fraud"].text == f"not tried, for the server failed before: {AWAY}"


def test_what_came_while_one_was_written_waits_since_then() -> None:
    """A result that is written late ends the waiting of what was before it, not of what came meanwhile."""
    bench = Bench()

    class Meanwhile(Shelf):
        def write(self, result: Result, *, is_written: Callable[[Mapping[str, str]], bool]) -> None:
            if not self.runs:
                bench.offer("churn", HOUR + 10)
            super().write(result, is_written=is_written)
            bench.shelf.failures[""] = AWAY

    bench = Bench(Meanwhile())
    bench.offer("churn", 10)
    bench.settle()
    assert bench.taken() == [("churn", 10), ("churn", -1)]
    assert bench.waiting() == {"churn": ("unreachable", HOUR + 10)}


def test_a_server_that_answers_again_is_asked_at_once() -> None:
    """Who knows that it answers says so; what one model was refused of rests as before."""
    bench = Bench()
    bench.offer("fraud", 10)
    bench.shelf.failures[f"fraud/1/{MIDNIGHT // DAY}"] = SourceMissing("deleted")
    bench.settle()
    bench.shelf.failures[""] = AWAY
    bench.offer("churn", 10)
    bench.settle()
    bench.taken()
    bench.clock.now = 1
    assert bench.settle() == 59

    del bench.shelf.failures[""]
    bench.writer.retry()
    assert bench.settle() == 59
    assert bench.taken() == [("churn", 10)]
    assert bench.waiting() == {"fraud": ("missing", 10)}


def test_the_next_process_knows_since_when() -> None:
    """What waited before a restart of the refresher waits since then, until it is written."""
    before = Waiting("missing", MIDNIGHT - HOUR, "deleted; restore it")
    bench = Bench(standing=Standing({"missing": 2}, {"churn": before}))
    assert bench.writer.standing == Standing({"missing": 2}, {"churn": before})
    bench.shelf.failures[""] = AWAY
    bench.offer("churn", 10)
    bench.settle()
    assert bench.waiting() == {"churn": ("unreachable", -HOUR)}
    assert bench.writer.standing.failures == {"missing": 2, "unreachable": 1}
    bench.shelf.failures.clear()
    bench.clock.now = 60
    bench.settle()
    assert bench.waiting() == {}


def test_a_mistake_of_ours_does_not_end_it() -> None:
    """It is logged as one and counted, and other models are written."""
    bench = Bench()
    bench.offer("churn", 10, findings="broken")
    bench.offer("fraud", 10)
    with capture_logs() as logs:
        bench.settle()
    assert bench.taken() == [("fraud", 10)]
    assert bench.writer.standing.failures == {"internal": 1}
    assert "bug" in logs[0]["event"]


def test_nobody_waits_for_a_write() -> None:
    """While a write hangs, offers return at once, and closing does not wait either."""
    begun, over = Event(), Event()

    class Hanging(Shelf):
        def write(self, result: Result, *, is_written: Callable[[Mapping[str, str]], bool]) -> None:
            begun.set()
            over.wait()
            super().write(result, is_written=is_written)

    bench = Bench(Hanging())
    bench.writer.start()
    bench.offer("churn", 10)
    assert begun.wait(10)
    bench.offer("churn", 600)
    assert bench.waiting() == {}
    bench.offer("churn", 620)
    assert bench.waiting() == {"churn": ("slow", 10)}
    bench.writer.close()
    over.set()


def test_a_model_without_writeback_is_not_written() -> None:
    """Nothing is kept of it."""
    bench = Bench()
    quiet = ModelConfig.model_validate({"name": "m", "predictions": {"experiment": "/m"}})
    bench.writer.offer(quiet, Found("m", MIDNIGHT), MIDNIGHT * 1_000_000)
    assert bench.settle() is None
    assert bench.taken() == []

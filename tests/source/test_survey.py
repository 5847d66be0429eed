"""Several experiments asked at once: the same is found as by asking each, and the cost does not follow their number."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from mlflow.entities import Run, RunData, RunInfo
from mlflow.store.entities.paged_list import PagedList

from driftgauge.source.bodies import AnswerTooLong
from driftgauge.source.schedule import Portions
from driftgauge.source.survey import by_age, search
from source.conftest import Bench

if TYPE_CHECKING:
    from driftgauge.source import RunState

DAY = 86_400


@pytest.fixture
def others(bench: Bench) -> list[str]:
    """Return the ids of two more experiments of the store."""
    return [bench.client.create_experiment(f"{bench.experiment}-{n}") for n in range(2)]


def test_the_same_as_one_by_one(bench: Bench, others: list[str]) -> None:
    """New, running, ended, deleted and long settled runs, known or not; experiments by name and by id."""
    known: dict[str, dict[str, RunState]] = {}
    running = []
    for experiment_id in (bench.experiment_id, *others):
        runs = [bench.client.create_run(experiment_id, start_time=1_000).info.run_id for _ in range(12)]
        running.append(runs[0])
        for run in runs[1:]:
            bench.client.set_terminated(run, end_time=None if run == runs[1] else 2_000)
        known[experiment_id] = dict(bench.source.runs(experiment_id, known={}, full=True).states)
        bench.clock.now += 3 * DAY
    bench.client.delete_run(running[0])
    bench.client.set_terminated(running[1])
    new = bench.client.create_run(others[1]).info.run_id
    bench.client.log_text(new, "x", "a.csv")
    asked = {"by name": (bench.experiment, known[bench.experiment_id])}
    asked |= {"by id": (others[0], known[others[0]]), "last": (others[1], known[others[1]]), "unknown": (others[1], {})}

    last = {*known[others[1]], new}
    owned = {"by name": known[bench.experiment_id].keys() - {running[0]}, "by id": known[others[0]].keys()}
    owned |= {"last": last, "unknown": last}

    found = bench.source.survey({**asked, "missing": ("no such experiment", {})})

    assert found.keys() == asked.keys()
    for key, (experiment, before) in asked.items():
        alone = bench.source.runs(experiment, known=before, full=False)
        assert bench.source.runs(experiment, known=before, full=False, sighting=found[key]) == alone, key
        assert alone.states.keys() == owned[key], key


@pytest.mark.parametrize("start", [time.time_ns(), 2**63 - 1], ids=["nanoseconds", "the largest number"])
def test_times_that_are_none(bench: Bench, start: int) -> None:
    """MLflow takes any number as the start of a run; the run is found with the others, without a start."""
    strange = bench.client.create_run(bench.experiment_id, start_time=start).info.run_id
    bench.client.log_text(strange, "x", "a.csv")
    bench.client.set_terminated(strange, end_time=start)
    usual = bench.client.create_run(bench.experiment_id, start_time=1_000).info.run_id
    bench.client.log_text(usual, "x", "a.csv")

    found = bench.source.runs(bench.experiment, known={}, full=True)

    assert {artifact.run_id: artifact.run_start for artifact in found.artifacts} == {strange: 0, usual: 1_000}
    assert bench.source.runs(bench.experiment, known=found.states, full=False).states.keys() == {strange, usual}


def test_cost_does_not_follow_the_experiments(http_bench: Bench, count_requests: Callable[[], list[str]]) -> None:
    """Whether the server is there, the page of experiments and three searches, for two as for six."""
    names = [f"{http_bench.experiment}-{n}" for n in range(6)]
    known = {}
    for name in names:
        run = http_bench.client.create_run(http_bench.client.create_experiment(name)).info.run_id
        http_bench.client.set_terminated(run)
        known[name] = http_bench.source.runs(name, known={}, full=True).states
    costs = []
    for count in (2, 6):
        count_requests()
        http_bench.source.survey({name: (name, known[name]) for name in names[:count]})
        costs.append(len(count_requests()))
    assert costs == [5, 5]


def test_none_is_asked_for_much_more_than_is_new() -> None:
    """A model that has been quiet for days does not make the others ask for all runs of these days."""
    now = 10**9
    watermarks = {key: now - age for key, age in enumerate([0, 1, 500, 600_000, 610_000, 1_100_000, 80_000_000, now])}

    groups = list(by_age(watermarks, now=now))

    assert sorted(key for _, together in groups for key in together) == sorted(watermarks)
    for since, together in groups:
        assert all(since <= watermarks[key] and now - since <= 2 * (now - watermarks[key]) for key in together)
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(groups))


@dataclass
class LongRuns:
    """A server whose answers with more than `most` runs are too long; it remembers how many were asked for."""

    most: int
    runs: int = 100
    page: int = 64
    server: str = "http://host"
    portions: Portions = field(default_factory=lambda: Portions(page=64, pages=10))
    asked: list[int] = field(default_factory=list)

    @contextmanager
    def client(self) -> Iterator["LongRuns"]:
        """Lend itself."""
        yield self

    def search_runs(self, _: list[str], __: str, *, max_results: int, page_token: str | None) -> PagedList[Run]:
        """Return a page of runs."""
        self.asked.append(max_results)
        if max_results > self.most:
            raise AnswerTooLong("too long")
        start = int(page_token or 0)
        end = min(start + max_results, self.runs)
        data = RunData(tags=[], params=[], metrics=[])
        runs = [Run(RunInfo(f"r{at}", "1", "me", "FINISHED", 0, 0, "active", "/x"), data) for at in range(start, end)]
        return PagedList(runs, str(end) if end < self.runs else None)


def test_long_runs_are_asked_for_a_few_at_a_time() -> None:
    """All runs are found, and the next search begins with fewer."""
    server = LongRuns(most=10)
    found = [run.run_id for run in search(server, ["1"], "")]  # type: ignore[arg-type]  # as much of one as it takes
    assert found == [f"r{at}" for at in range(100)]
    assert server.asked == [64, *[8] * 13]
    assert len(list(search(server, ["1"], ""))) == 100  # type: ignore[arg-type]
    assert set(server.asked[14:]) == {8}


def test_one_run_that_is_too_long() -> None:
    """It is named as what it is."""
    with pytest.raises(AnswerTooLong, match=r"http://host: .* a run has too many parameters or tags"):
        list(search(LongRuns(most=0), ["1"], ""))  # type: ignore[arg-type]

"""Passes over many runs: what is listed again, what it costs, and what one bad run may do."""

from collections.abc import Callable

import pytest

from driftgauge.errors import SourceUnavailable
from driftgauge.source import Discovery, RunState
from driftgauge.source.schedule import Portions
from source.conftest import Bench

RELISTED = 4
FEW = Portions(relisted=RELISTED)


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """Let a few runs show what many do: creating them takes longest here."""
    return bench.with_portions(FEW)


@pytest.fixture
def sqlite_bench(sqlite_bench: Bench) -> Bench:
    """Do the same with a database."""
    return sqlite_bench.with_portions(FEW)


@pytest.fixture
def http_bench(http_bench: Bench) -> Bench:
    """Do the same with a server."""
    return http_bench.with_portions(FEW)


def run_ids(found: Discovery) -> set[str]:
    """Return the runs whose files are in a discovery."""
    return {artifact.run_id for artifact in found.artifacts}


def test_settled_runs_take_turns(sqlite_bench: Bench) -> None:
    """Settled runs are listed a few at a time until all have had their turn; `relist` lists all at once."""
    everyone = {sqlite_bench.run("a.csv") for _ in range(RELISTED + 2)}
    first = sqlite_bench.source.runs(sqlite_bench.experiment, known={}, full=True)
    sqlite_bench.clock.now += 30
    second = sqlite_bench.source.runs(sqlite_bench.experiment, known=first.states, full=False)
    sqlite_bench.clock.now += 30
    third = sqlite_bench.source.runs(sqlite_bench.experiment, known=second.states, full=True)
    again = sqlite_bench.source.runs(sqlite_bench.experiment, known=third.states, full=False, relist=True)
    assert run_ids(first) == run_ids(again) == everyone
    assert (len(run_ids(second)), len(run_ids(third))) == (RELISTED, RELISTED)
    assert run_ids(second) | run_ids(third) == everyone


def test_runs_of_long_ago_are_listed_again(bench: Bench) -> None:
    """Runs that ended too long ago to be new are still looked at; one that was deleted is forgotten, and no other."""
    deleted, grown, *others = [bench.run("a.csv", finished=False, start_time=1_000) for _ in range(RELISTED - 1)]
    for run_id in (deleted, grown, *others):
        bench.client.set_terminated(run_id, end_time=2_000)
    new = bench.run("a.csv")
    first = bench.source.runs(bench.experiment, known={}, full=True)
    bench.client.delete_run(deleted)
    bench.log(grown, "b.csv")
    bench.clock.now += 86_400
    second = bench.source.runs(bench.experiment, known=first.states, full=False)
    assert (grown, "b.csv") in {(file.run_id, file.path) for file in second.artifacts}
    assert second.states.keys() == {grown, new, *others}


def test_states_are_unchanged_unless_listed(sqlite_bench: Bench) -> None:
    """States of runs that were not listed are handed on as they were, so that only the others need saving."""
    for _ in range(RELISTED + 2):
        sqlite_bench.run("a.csv")
    first = sqlite_bench.source.runs(sqlite_bench.experiment, known={}, full=True)
    sqlite_bench.clock.now += 30
    second = sqlite_bench.source.runs(sqlite_bench.experiment, known=first.states, full=False)
    changed = {run_id for run_id, state in second.states.items() if state != first.states[run_id]}
    assert changed == run_ids(second)


@pytest.mark.parametrize("full", [True, False])
def test_cost_does_not_follow_the_runs(
    http_bench: Bench, count_requests: Callable[[], list[str]], *, full: bool
) -> None:
    """A pass with nothing new sends as many requests over 12 runs as over 6; the experiment is asked for first."""
    costs = []
    known: dict[str, RunState] = {}
    for batch in (RELISTED + 2, 6):
        for _ in range(batch):
            http_bench.run("a.csv")
        known |= http_bench.source.runs(http_bench.experiment, known=known, full=True).states
        http_bench.clock.now += 3600
        known |= http_bench.source.runs(http_bench.experiment, known=known, full=False).states
        count_requests()
        http_bench.source.runs(http_bench.experiment, known=known, full=full)
        costs.append(len(count_requests()))
    searches = 1 if full else 3
    assert costs == [RELISTED + 1 + searches] * 2


def test_all_pages_are_read(sqlite_bench: Bench) -> None:
    """An experiment of several pages is enumerated to its end."""
    source = sqlite_bench.with_portions(Portions(page=2)).source
    everyone = {sqlite_bench.run("a.csv") for _ in range(5)}
    assert run_ids(source.runs(sqlite_bench.experiment, known={}, full=True)) == everyone


def test_pages_without_end(sqlite_bench: Bench) -> None:
    """A search that goes on for ever, as that of a broken proxy may, ends with what to do."""
    source = sqlite_bench.with_portions(Portions(page=2, pages=2)).source
    for _ in range(5):
        sqlite_bench.run("a.csv")
    with pytest.raises(SourceUnavailable, match="with more than 2 pages; use an experiment with fewer than 4 runs"):
        source.runs(sqlite_bench.experiment, known={}, full=True)

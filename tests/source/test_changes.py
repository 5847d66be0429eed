"""What people do to a store between two passes, and clocks that jump: nothing is lost that a full pass would find."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from driftgauge.errors import SourceMissing
from driftgauge.scratch import Scratch
from driftgauge.source import Discovery, RunState, Source
from source.conftest import LIMIT, Bench, content

DAY = 86_400.0


def run_ids(found: Discovery) -> set[str]:
    """Return the runs whose files are in a discovery."""
    return {artifact.run_id for artifact in found.artifacts}


def full_pass(bench: Bench, known: Mapping[str, RunState] | None = None) -> Discovery:
    """Return a pass over all runs."""
    return bench.source.runs(bench.experiment, known=known or {}, full=True)


def test_run_deleted_before_its_download(bench: Bench) -> None:
    """A run deleted since it was listed still counts, as if it had been read a moment sooner; later it is missing."""
    run_id = bench.run("a.csv")
    first = full_pass(bench)
    bench.client.delete_run(run_id)
    assert content(bench.source, first.artifacts[0]) == b'{"prediction": 1}\n'
    full_pass(bench, first.states)
    with pytest.raises(SourceMissing, match=f"run {run_id} is deleted: restore it with `mlflow runs restore"):
        bench.source.opener(first.artifacts[0])


def test_deleted_run_after_a_restart(bench: Bench) -> None:
    """A file that was set aside is not read by a later process when its run was deleted meanwhile."""
    run_id = bench.run("a.csv")
    found = full_pass(bench)
    bench.client.delete_run(run_id)
    with pytest.raises(SourceMissing, match="is deleted"):
        Source(bench.uri, max_artifact_bytes=LIMIT, spool=Scratch(bench.folder / "spool")).opener(found.artifacts[0])


def test_restored_run(bench: Bench) -> None:
    """A run that was deleted and restored is found by the next full pass, and opens."""
    run_id = bench.run("a.csv")
    first = full_pass(bench)
    bench.client.delete_run(run_id)
    without = full_pass(bench, first.states)
    bench.client.restore_run(run_id)
    again = full_pass(bench, without.states)
    assert (run_ids(without), run_ids(again)) == (set(), {run_id})
    assert content(bench.source, again.artifacts[0]) == b'{"prediction": 1}\n'


@pytest.mark.parametrize("full", [True, False])
def test_restored_experiment(bench: Bench, *, full: bool) -> None:
    """A deleted experiment fails the pass, which forgets nothing; restored, all of it is there again."""
    everyone = {bench.run("a.csv"), bench.run("b.csv", finished=False)}
    first = full_pass(bench)
    bench.client.delete_experiment(bench.experiment_id)
    with pytest.raises(SourceMissing, match="is deleted: restore it"):
        bench.source.runs(bench.experiment, known=first.states, full=full)
    bench.client.restore_experiment(bench.experiment_id)
    again = bench.source.runs(bench.experiment, known=first.states, full=full)
    assert run_ids(again) == everyone == again.states.keys()


def test_renamed_experiment(bench: Bench) -> None:
    """A renamed experiment is missing under its old name, with the new one as a hint, and goes on under its id."""
    run_id = bench.run("a.csv")
    first = full_pass(bench)
    renamed = f"{bench.experiment}-v2"
    bench.client.rename_experiment(bench.experiment_id, renamed)
    with pytest.raises(SourceMissing, match=f"it has '{renamed}'"):
        full_pass(bench, first.states)
    for name in (renamed, bench.experiment_id):
        assert run_ids(bench.source.runs(name, known=first.states, full=False)) == {run_id}


def test_name_passes_to_another_experiment(bench: Bench) -> None:
    """When a new experiment takes the name of a renamed one, its runs come in the place of the old ones."""
    bench.run("a.csv")
    first = full_pass(bench)
    bench.client.rename_experiment(bench.experiment_id, f"{bench.experiment}-old")
    successor = bench.client.create_experiment(bench.experiment)
    newcomer = bench.client.create_run(successor).info.run_id
    bench.log(newcomer, "a.csv")
    second = full_pass(bench, first.states)
    assert (second.experiment_id, run_ids(second), set(second.states)) == (successor, {newcomer}, {newcomer})


def test_artifact_deleted_before_its_download(sqlite_bench: Bench) -> None:
    """A file that went after it was listed is missing, its neighbours open, and the next pass does not list it."""
    run_id = sqlite_bench.run("a.csv", "b.csv")
    first = full_pass(sqlite_bench)
    folder = Path(sqlite_bench.client.get_run(run_id).info.artifact_uri)
    (folder / "a.csv").unlink()
    gone, kept = first.artifacts
    with pytest.raises(SourceMissing, match=r'"a\.csv" does not exist'):
        sqlite_bench.source.opener(gone)
    assert content(sqlite_bench.source, kept) == b'{"prediction": 1}\n'
    assert full_pass(sqlite_bench, first.states).artifacts == (kept,)


def test_artifact_deleted_on_a_server(http_bench: Bench) -> None:
    """On a tracking server, too, a file that went after it was listed is missing."""
    run_id = http_bench.run("a.csv")
    found = full_pass(http_bench)
    root = http_bench.client.get_run(run_id).info.artifact_uri
    get_artifact_repository(root, tracking_uri=http_bench.uri).delete_artifacts("a.csv")
    with pytest.raises(SourceMissing, match=r'artifact "a\.csv" does not exist on http'):
        http_bench.source.opener(found.artifacts[0])


@pytest.mark.parametrize(
    ("description", "jumps"),
    [
        ("forward, for good", [DAY, 0.0, 0.0]),
        ("forward for one pass", [DAY, -DAY, 0.0]),
        ("back, for good", [-DAY, 0.0, 0.0]),
        ("back for one pass", [-DAY, DAY, 0.0]),
        ("to and fro", [DAY, -2 * DAY, DAY]),
    ],
)
def test_clock_jumps(bench: Bench, description: str, jumps: list[float]) -> None:
    """Passes that ask only for what can be new find each new run at once, wherever our clock stands."""
    everyone = {bench.run("a.csv")}
    known = full_pass(bench).states
    for jump in jumps:
        bench.clock.now += 30 + jump
        everyone.add(bench.run("a.csv"))
        found = bench.source.runs(bench.experiment, known=known, full=False)
        known = found.states
        assert known.keys() == everyone, description
        assert run_ids(found) == everyone


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_running_run_over_a_clock_jump(bench: Bench, jump: float) -> None:
    """Files logged to a run, and its end, are seen across a jump of our clock."""
    run_id = bench.run("a.csv", finished=False)
    known = full_pass(bench).states
    bench.clock.now += jump
    bench.log(run_id, "b.csv")
    second = bench.source.runs(bench.experiment, known=known, full=False)
    bench.clock.now -= jump
    bench.log(run_id, "c.csv")
    bench.client.set_terminated(run_id)
    third = bench.source.runs(bench.experiment, known=second.states, full=False)
    assert [[artifact.path for artifact in found.artifacts] for found in (second, third)] == [
        ["a.csv", "b.csv"],
        ["a.csv", "b.csv", "c.csv"],
    ]
    assert third.states[run_id].status == "FINISHED"

"""The source over a sqlite store, a folder of runs and a real tracking server."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from driftgauge.errors import BatchError, SourceMissing
from driftgauge.patterns import matches
from driftgauge.scratch import Scratch
from driftgauge.source import Artifact, Discovery, Source
from source.conftest import LIMIT, Bench, answers, content


def paths(found: Discovery) -> list[str]:
    """Return the paths of a discovery, in its order."""
    return [artifact.path for artifact in found.artifacts]


def test_import_is_fast() -> None:
    """Importing the package does not import MLflow."""
    code = "import sys, driftgauge.source; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_new_run(bench: Bench) -> None:
    """The data files of a new run are found with what the pipeline needs to know, other files are not."""
    run_id = bench.run(
        "predictions.jsonl", "notes.md", "model/MLmodel", run_name="monday", start_time=1_700_000_000_000
    )
    found = bench.source.runs(bench.experiment, known={}, full=True)
    expected = Artifact(
        run_id=run_id,
        experiment_id=bench.experiment_id,
        run_name="monday",
        path="predictions.jsonl",
        size=18,
        run_start=1_700_000_000_000,
        version=None,
    )
    assert found.artifacts == (expected,)
    assert found.experiment_id == bench.experiment_id
    assert content(bench.source, expected) == b'{"prediction": 1}\n'


def test_experiment_by_id(bench: Bench) -> None:
    """An experiment may be given by its numeric id."""
    bench.run("a.csv")
    assert paths(bench.source.runs(bench.experiment_id, known={}, full=True)) == ["a.csv"]


def test_subfolder_globs(bench: Bench) -> None:
    """Files in sub-folders are listed, and globs select them there."""
    bench.run("predictions.csv", "2026/01/predictions-7.jsonl", "2026/01/labels.csv", "labels/part-0.jsonl")
    found = paths(bench.source.runs(bench.experiment, known={}, full=True))
    assert [path for path in found if matches(path, "predictions*")] == [
        "2026/01/predictions-7.jsonl",
        "predictions.csv",
    ]
    assert [path for path in found if matches(path, "labels*")] == ["2026/01/labels.csv", "labels/part-0.jsonl"]


def test_order(bench: Bench) -> None:
    """Artifacts come by run start, then path, so that the same store is always read in the same order."""
    bench.run("b.csv", "a.csv", start_time=2_000)
    bench.run("c.csv", start_time=1_000)
    assert paths(bench.source.runs(bench.experiment, known={}, full=True)) == ["c.csv", "a.csv", "b.csv"]


@pytest.mark.parametrize("full", [True, False])
def test_running_run_gets_files(bench: Bench, *, full: bool) -> None:
    """A run still RUNNING shows each new file at the next pass."""
    run_id = bench.run("one.csv", finished=False)
    first = bench.source.runs(bench.experiment, known={}, full=True)
    bench.log(run_id, "two.csv")
    second = bench.source.runs(bench.experiment, known=first.states, full=full)
    assert (paths(first), paths(second)) == (["one.csv"], ["one.csv", "two.csv"])


def test_table_grows(bench: Bench) -> None:
    """A table that `log_table` appends to in a finished run is seen bigger at the next pass."""
    run_id = bench.run()
    bench.client.log_table(run_id, pd.DataFrame({"prediction": [1]}), "predictions.json")
    first = bench.source.runs(bench.experiment, known={}, full=True)
    bench.client.log_table(run_id, pd.DataFrame({"prediction": [2]}), "predictions.json")
    second = bench.source.runs(bench.experiment, known=first.states, full=False)
    assert second.artifacts[0].size > first.artifacts[0].size
    assert json.loads(content(bench.source, second.artifacts[0]))["data"] == [[1], [2]]


def test_new_run_in_incremental_pass(bench: Bench) -> None:
    """A pass that only asks for what can be new finds a run that started and ended since."""
    bench.run("one.csv")
    first = bench.source.runs(bench.experiment, known={}, full=True)
    bench.run("two.csv")
    assert "two.csv" in paths(bench.source.runs(bench.experiment, known=first.states, full=False))


def test_resumed_run(bench: Bench) -> None:
    """A settled run that is resumed is listed again until it has ended again."""
    run_id = bench.run("one.csv")
    settled = bench.source.runs(bench.experiment, known={}, full=True)
    bench.client.update_run(run_id, status="RUNNING")
    resumed = bench.source.runs(bench.experiment, known=settled.states, full=False)
    bench.client.set_terminated(run_id)
    ended = bench.source.runs(bench.experiment, known=resumed.states, full=False)
    statuses = [found.states[run_id].status for found in (settled, resumed, ended)]
    assert statuses == ["FINISHED", "RUNNING", "FINISHED"]


@pytest.mark.parametrize("full", [True, False])
def test_deleted_run(bench: Bench, *, full: bool) -> None:
    """A deleted run leaves both the artifacts and the states."""
    run_id = bench.run("one.csv")
    first = bench.source.runs(bench.experiment, known={}, full=True)
    bench.client.delete_run(run_id)
    second = bench.source.runs(bench.experiment, known=first.states, full=full)
    assert (second.artifacts, dict(second.states)) == ((), {})


@pytest.mark.parametrize(
    ("tag", "param", "expected"), [("7", "6", "7"), ("", "6", "6"), ("7", "", "7"), ("", "", None)]
)
def test_version(bench: Bench, tag: str, param: str, expected: str | None) -> None:
    """The run's `model_version` tag names the version, else its param, else nothing does."""
    run_id = bench.run("a.csv", tags={"model_version": tag} if tag else {})
    if param:
        bench.client.log_param(run_id, "model_version", param)
    assert bench.source.runs(bench.experiment, known={}, full=True).artifacts[0].version == expected


def test_missing_experiment(bench: Bench) -> None:
    """A missing experiment is named together with the place, the nearest name and what to do."""
    with pytest.raises(SourceMissing) as failure:
        bench.source.runs(bench.experiment + "x", known={}, full=True)
    message = str(failure.value)
    assert f'experiment "{bench.experiment}x" does not exist on {bench.uri}' in message
    assert f"'{bench.experiment}'" in message
    assert "create it or correct models[].predictions.experiment" in message


def test_missing_experiment_id(bench: Bench) -> None:
    """A number that is neither name nor id of an experiment is missing like any other name."""
    with pytest.raises(SourceMissing, match='experiment "987654321987654321" does not exist'):
        bench.source.runs("987654321987654321", known={}, full=True)


def test_deleted_experiment(bench: Bench) -> None:
    """A deleted experiment is said to be deleted, with the command that restores it."""
    bench.client.delete_experiment(bench.experiment_id)
    with pytest.raises(
        SourceMissing, match=f"is deleted: restore it with `mlflow experiments restore -x {bench.experiment_id}`"
    ):
        bench.source.runs(bench.experiment, known={}, full=True)


def test_open_from_another_process(bench: Bench) -> None:
    """An artifact kept from an earlier process opens without a pass before."""
    bench.run("a b%41.csv")
    found = bench.source.runs(bench.experiment, known={}, full=True)
    later = Source(bench.uri, max_artifact_bytes=LIMIT, spool=Scratch(bench.folder / "spool"))
    assert content(later, found.artifacts[0]) == b'{"prediction": 1}\n'


def test_gzip_stays_gzip(bench: Bench, tmp_path: Path) -> None:
    """Bytes arrive as they were logged: nothing on the way unpacks a .gz file."""
    packed = gzip.compress(b"prediction\n1\n")
    local = tmp_path / "predictions.csv.gz"
    local.write_bytes(packed)
    run_id = bench.run()
    bench.client.log_artifact(run_id, str(local))
    found = bench.source.runs(bench.experiment, known={}, full=True)
    assert content(bench.source, found.artifacts[0]) == packed


def test_opened_file(bench: Bench) -> None:
    """What is opened is seekable, closes as a context manager, and stays as it was when the artifact changes."""
    run_id = bench.run("a.csv")
    found = bench.source.runs(bench.experiment, known={}, full=True)
    with bench.source.opener(found.artifacts[0])() as file:
        bench.log(run_id, "a.csv", "changed")
        file.seek(0, io.SEEK_END)
        assert file.tell() == 18
    assert file.closed


def test_missing_artifact(bench: Bench) -> None:
    """An artifact that has gone is missing, by name."""
    run_id = bench.run("a.csv")
    gone = Artifact(run_id, bench.experiment_id, "", "sub/gone.csv", None, 0, None)
    with pytest.raises(SourceMissing, match=r"gone\.csv"):
        bench.source.opener(gone)


def test_missing_run(bench: Bench) -> None:
    """An artifact of a run that does not exist is missing."""
    with pytest.raises(SourceMissing, match="0" * 32):
        bench.source.opener(Artifact("0" * 32, bench.experiment_id, "", "a.csv", None, 0, None))


@pytest.mark.parametrize("declared", [True, False])
def test_size_bound(bench: Bench, *, declared: bool) -> None:
    """A file over the bound is refused whether or not its size was listed."""
    run_id = bench.run()
    bench.log(run_id, "big.csv", "x" * (LIMIT + 1))
    size = LIMIT + 1 if declared else None
    with pytest.raises(BatchError, match=r"raise limits\.max_artifact_bytes") as failure:
        bench.source.opener(Artifact(run_id, bench.experiment_id, "", "big.csv", size, 0, None))
    assert failure.value.reason == "too_large"


def test_healthy(bench: Bench) -> None:
    """A store that answers is healthy."""
    assert answers(bench.source)


def test_model_version(bench: Bench) -> None:
    """A registered version leads to its run and experiment; any other version is None."""
    run_id = bench.run("a.csv")
    name = f"churn-{bench.experiment_id}"
    bench.client.create_registered_model(name)
    bench.client.create_model_version(name, source=f"runs:/{run_id}/model", run_id=run_id)
    found = [bench.source.model_version(name, "1") for _ in range(2)]
    assert [(it.run_id, it.experiment_id, it.model_uri) for it in found if it] == [
        (run_id, bench.experiment_id, f"models:/{name}/1")
    ] * 2
    assert [bench.source.model_version(name, version) for version in ("2", "1.2.0", "unknown")] == [None] * 3


def test_large_downloads_are_files_of_ours(http_bench: Bench, tmp_path: Path) -> None:
    """What a server sends lies in the spool until it is released; what is on this machine is not copied."""
    spool = tmp_path / "spool"
    source = Source(http_bench.uri, max_artifact_bytes=1 << 20, spool=Scratch(spool))
    http_bench.log(http_bench.run(finished=False), "a.csv", "x" * 1_000_000)
    opener = source.opener(source.runs(http_bench.experiment, known={}, full=True).artifacts[0])
    assert (opener.size, [path.stat().st_size for path in spool.iterdir()]) == (1_000_000, [1_000_000])
    with opener() as file:
        assert file.read() == b"x" * 1_000_000
    opener.release()
    assert list(spool.iterdir()) == []


def test_text(tmp_path: Path) -> None:
    """A small text is read whole; one that is large, other bytes, or not there is refused."""
    source = Source("", max_artifact_bytes=1, spool=Scratch(tmp_path / "spool"))
    path = tmp_path / "a.yml"
    path.write_bytes("task: ü".encode())
    assert source.text(str(path), limit=8) == "task: ü"
    with pytest.raises(BatchError, match="has more than 7 bytes: write less"):
        source.text(str(path), limit=7)
    path.write_bytes(b"\xff")
    with pytest.raises(BatchError, match="is not UTF-8 text"):
        source.text(str(path), limit=7)
    path.unlink()
    with pytest.raises(SourceMissing):
        source.text(str(path), limit=7)

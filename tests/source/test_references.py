"""References by every form of URI."""

import os
from pathlib import Path

import pytest

from driftgauge.errors import BatchError, SourceMissing
from driftgauge.scratch import Scratch
from driftgauge.source import Source, own_uri
from source.conftest import LIMIT, Bench

TEXT = "age,plan\n35,A\n"


def content(bench: Bench, uri: str) -> str:
    """Return the text of the reference at `uri`, after checking what comes with it."""
    found = bench.source.reference(uri)
    with found.opener() as file:
        text = file.read()
    assert found.name == "reference.csv"
    return text.decode()


@pytest.fixture
def registered(bench: Bench) -> tuple[Bench, str, str]:
    """Return the bench, a model with one version whose run holds the reference, and the run."""
    run_id = bench.run()
    bench.log(run_id, "reference.csv", TEXT)
    bench.log(run_id, "data/reference.csv", "below")
    name = f"churn-{bench.experiment_id}"
    bench.client.create_registered_model(name)
    bench.client.create_model_version(name, source=f"runs:/{run_id}/model", run_id=run_id)
    bench.client.set_registered_model_alias(name, "champion", "1")
    return bench, name, run_id


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("runs:/{run}/reference.csv", TEXT),
        ("runs:/{run}/data/reference.csv", "below"),
        ("models:/{model}@champion/reference.csv", TEXT),
        ("models:/{model}@champion/data/reference.csv", "below"),
        ("models:/{model}/1/reference.csv", TEXT),
        ("models:/{model}/latest/reference.csv", TEXT),
        ("models:/{model}/None/reference.csv", TEXT),
    ],
)
def test_run_and_model_uris(registered: tuple[Bench, str, str], form: str, expected: str) -> None:
    """Runs, aliases, version numbers and stages lead to the file in the run."""
    bench, model, run_id = registered
    assert content(bench, form.format(model=model, run=run_id)) == expected


def test_model_version_comes_before_its_run(registered: tuple[Bench, str, str]) -> None:
    """A file in the version's own artifacts wins over one of that name in its run."""
    bench, model, run_id = registered
    bench.log(run_id, "model/reference.csv", "the model's own")
    assert content(bench, f"models:/{model}@champion/reference.csv") == "the model's own"


def test_logged_model(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version registered from a logged model, as MLflow 3 does, and that model itself are found."""
    # The file store looks a logged model up under the process-wide tracking URI.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", bench.uri)
    logged = bench.client.create_logged_model(bench.experiment_id)
    folder = bench.folder / "model"
    folder.mkdir()
    (folder / "reference.csv").write_text(TEXT)
    bench.client.log_model_artifacts(logged.model_id, str(folder))
    bench.client.finalize_logged_model(logged.model_id, "READY")
    name = f"logged-{bench.experiment_id}"
    bench.client.create_registered_model(name)
    bench.client.create_model_version(name, source=f"models:/{logged.model_id}", model_id=logged.model_id)
    assert content(bench, f"models:/{name}/1/reference.csv") == TEXT
    assert content(bench, f"models:/{logged.model_id}/reference.csv") == TEXT


def test_version_of_a_folder(sqlite_bench: Bench) -> None:
    """A version registered from a place that is no run is read there."""
    folder = sqlite_bench.folder / "model"
    folder.mkdir()
    (folder / "reference.csv").write_text(TEXT)
    sqlite_bench.client.create_registered_model("churn")
    sqlite_bench.client.create_model_version("churn", source=str(folder))
    assert content(sqlite_bench, "models:/churn/1/reference.csv") == TEXT
    version = sqlite_bench.source.model_version("churn", "1")
    assert version is not None
    assert (version.run_id, version.experiment_id) == (None, None)


def test_identity_follows_the_alias(registered: tuple[Bench, str, str]) -> None:
    """The identity stays while nothing moves, and changes when the alias moves to another version."""
    bench, model, run_id = registered
    uri = f"models:/{model}@champion/reference.csv"
    before = [bench.source.reference_identity(uri) for _ in range(2)]
    bench.client.create_model_version(model, source=f"runs:/{run_id}/model", run_id=run_id)
    bench.client.set_registered_model_alias(model, "champion", "2")
    assert before[0] == before[1] != bench.source.reference_identity(uri)


def test_mlflow_artifacts_uri(http_bench: Bench) -> None:
    """The tracking server's artifact proxy is read by mlflow-artifacts: URIs."""
    run_id = http_bench.run()
    http_bench.log(run_id, "reference.csv", TEXT)
    uri = f"mlflow-artifacts:/{http_bench.experiment_id}/{run_id}/artifacts/reference.csv"
    assert content(http_bench, uri) == TEXT
    assert http_bench.source.reference_identity(uri) == uri


@pytest.mark.parametrize("prefix", ["", "file:", "file://"])
def test_local_paths(sqlite_bench: Bench, prefix: str) -> None:
    """Paths and file: URIs are read, links followed; their identity follows size and time."""
    stored = sqlite_bench.folder / "v1.csv"
    stored.write_text(TEXT)
    (sqlite_bench.folder / "reference.csv").symlink_to(stored)
    uri = f"{prefix}{sqlite_bench.folder}/reference.csv"
    assert content(sqlite_bench, uri) == TEXT
    before = sqlite_bench.source.reference_identity(uri)
    os.utime(stored, (1, 1))
    assert before != sqlite_bench.source.reference_identity(uri)


def test_relative_path(sqlite_bench: Bench) -> None:
    """A relative path counts from the working directory."""
    (sqlite_bench.folder / "reference.csv").write_text(TEXT)
    assert content(sqlite_bench, "reference.csv") == TEXT


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("runs:/{run}/gone.csv", 'there is no "gone.csv" in'),
        ("runs:/{run}", "names no file: write runs:/{run}/reference.parquet"),
        ("runs:/00000000000000000000000000000000/reference.csv", "00000000000000000000000000000000"),
        ("models:/{model}@champion/gone.csv", 'there is no "gone.csv" in'),
        ("models:/{model}@champion", "names no file"),
        ("models:/{model}@nobody/reference.csv", "nobody"),
        ("models:/{model}/9/reference.csv", "9"),
        ("models:/{model}/Production/reference.csv", 'no version in stage "Production"'),
        ("models:/no-such-model/1/reference.csv", "no-such-model"),
        ("/nowhere/reference.csv", "No such file or directory"),
    ],
)
def test_missing(registered: tuple[Bench, str, str], form: str, expected: str) -> None:
    """Whatever is missing is named, whichever part of the URI it is."""
    bench, model, run_id = registered
    with pytest.raises(SourceMissing) as failure:
        bench.source.reference(form.format(model=model, run=run_id))
    assert expected.format(run=run_id) in str(failure.value)


def test_size_bound(tmp_path: Path, sqlite_store: str) -> None:
    """A reference over the bound is refused like any file."""
    (tmp_path / "reference.csv").write_text("x" * (LIMIT + 1))
    with pytest.raises(BatchError, match="over the limit"):
        Source(sqlite_store, max_artifact_bytes=LIMIT, spool=Scratch(tmp_path / "spool")).reference(
            str(tmp_path / "reference.csv")
        )


@pytest.mark.parametrize(
    "form",
    ["runs:/{run}/reference.parquet", "runs:/{run}/reference.parquet/", "models:/{model}@champion/reference.parquet"],
)
def test_a_folder_of_parts(registered: tuple[Bench, str, str], form: str) -> None:
    """Its data files in order; neither markers nor what is still being written."""
    bench, model, run_id = registered
    for name in (
        "part-1.csv",
        "part-0.csv",
        "x=1/part-0.csv",
        "_SUCCESS",
        ".part-0.csv",
        "_temporary/0/part-9.csv",
        "a.txt",
    ):
        bench.log(run_id, f"reference.parquet/{name}", name)
    found = bench.source.reference(form.format(model=model, run=run_id))
    held = []
    for part in found.parts:
        with part.opener() as file:
            held.append((part.name, file.read().decode()))
    assert held == [(f"reference.parquet/{name}", name) for name in ("part-0.csv", "part-1.csv", "x=1/part-0.csv")]


def test_a_folder_on_this_machine_is_read_again_when_a_part_changes(bench: Bench, tmp_path: Path) -> None:
    """A part that is written anew changes nothing about the folder itself."""
    folder = tmp_path / "reference.parquet"
    folder.mkdir()
    for n in range(2):
        (folder / f"part-{n}.csv").write_text(TEXT)
    assert len(bench.source.reference(str(folder)).parts) == 2
    assert len(bench.source.reference(f"file://{folder}/").parts) == 2
    before = bench.source.reference_identity(str(folder))
    assert bench.source.reference_identity(str(folder)) == before
    with (folder / "part-1.csv").open("a") as file:
        file.write("36,B\n")
    assert bench.source.reference_identity(str(folder)) != before


def test_a_folder_is_bounded_as_a_whole(bench: Bench, tmp_path: Path) -> None:
    """Parts that are small enough each can be too large together."""
    for n in range(3):
        (tmp_path / f"part-{n}.csv").write_text("x" * (LIMIT // 2))
    with pytest.raises(BatchError, match="over the limit"):
        bench.source.reference(str(tmp_path))


def test_a_folder_without_data(bench: Bench, tmp_path: Path) -> None:
    """Is no reference."""
    (tmp_path / "_SUCCESS").write_text("")
    with pytest.raises((SourceMissing, BatchError)):
        bench.source.reference(str(tmp_path))


@pytest.mark.parametrize(
    ("uri", "version", "expected"),
    [
        ("models:/churn@champion/reference.csv", "3", "models:/churn/3/reference.csv"),
        ("models:/churn@champion/data/reference.csv", "12", "models:/churn/12/data/reference.csv"),
        ("models:/churn/Production/reference.csv", "3", "models:/churn/3/reference.csv"),
        ("models:/churn/latest/data/reference.csv", "3", "models:/churn/3/data/reference.csv"),
        ("models:/churn/2/reference.csv", "3", None),
        ("models:/churn@champion/reference.csv", "1.2.0", None),
        ("models:/churn@champion/reference.csv", "unknown", None),
        ("models:/churn@champion", "3", None),
        (f"models:/m-{'0' * 32}/reference.csv", "3", None),
        ("runs:/0123/reference.csv", "3", None),
        ("reference.csv", "3", None),
        ("s3://bucket/latest/reference.csv", "3", None),
    ],
)
def test_the_file_of_a_version_of_its_own(uri: str, version: str, expected: str | None) -> None:
    """A URI that follows an alias, a stage or the latest has the same file for each number; others mean one file."""
    assert own_uri(uri, version) == expected

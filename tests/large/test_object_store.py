"""Artifacts of runs in S3, read directly and through MLflow's server: what they cost, and how files may be called.

`make large` reads as many files as LARGE_FILES says, `make test` fewer.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from driftgauge.config import Config
from driftgauge.errors import BatchError, SourceMissing
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.scratch import Scratch
from driftgauge.source import Source
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS
from large.conftest import BUCKET, ObjectStore
from mlflow_servers import serve_mlflow
from source.conftest import LIMIT, bench_at, content
from source.test_contents import MISREAD, READ, REFUSED, what_is_read, why

FILES: Final = tuple(map(int, os.environ.get("LARGE_FILES", "10 40").split()))
# 2026-01-09T12:00:00Z.
NOW: Final = 1_767_960_000 * MICROSECONDS


def run_in(client: Any, experiment_id: str) -> tuple[str, str]:
    """Return a new finished run, and the key below which its artifacts lie."""
    info = client.create_run(experiment_id).info
    client.set_terminated(info.run_id)
    return info.run_id, info.artifact_uri.removeprefix(f"s3://{BUCKET}/")


@pytest.mark.parametrize("files", FILES)
def test_requests_for_each_file(sqlite_store: str, object_store: ObjectStore, tmp_path: Path, files: int) -> None:
    """A folder is listed once, whatever the number of files; a file costs one request."""
    from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

    client = MlflowClient(sqlite_store)
    _, prefix = run_in(client, client.create_experiment("many", f"s3://{BUCKET}/many-{files}"))
    object_store.fill(f"{prefix}/preds", files)
    model = {"name": "m", "predictions": {"experiment": "many"}}
    values = {"mlflow": {"tracking_uri": sqlite_store}, "state_dir": str(tmp_path / "state"), "models": [model]}
    config = Config.model_validate(values)
    store = Store.open(config.state_dir)
    pipeline = Pipeline(config, Feeds(config), store, executor=Inline())
    object_store.asked.clear()
    begun = time.monotonic()
    report = pipeline.refresh(NOW)
    asked = dict(object_store.asked)
    print(f"{files} files in S3: {asked} in {time.monotonic() - begun:.1f} s")  # noqa: T201 - the figure of `make large`
    store.close()
    (state,) = pipeline.states
    assert report.failures == {}
    assert sum(version.predictions for version in state.totals.versions.values()) == files
    # The run and its folder; a listing has a thousand keys.
    assert asked == {"LIST": 2 + (files - 1) // 1000, "GET": files}


def test_names_in_s3(sqlite_store: str, object_store: ObjectStore, tmp_path: Path) -> None:
    """Whatever a file or folder is called, it is read; one that does not print is named."""
    bench = bench_at(sqlite_store, tmp_path)
    experiment_id = bench.client.create_experiment("names", f"s3://{BUCKET}/names")
    _, prefix = run_in(bench.client, experiment_id)
    names = [*READ, *MISREAD, *REFUSED]
    for name in names:
        object_store.put(f"{prefix}/{name}/in.csv", f"in {name}")
        object_store.put(f"{prefix}/{name}.csv", f"is {name}")
    object_store.put(f"{prefix}/a\tb.csv", "x")
    found = bench.source.runs("names", known={}, full=True)
    expected = {f"{name}/in.csv": f"in {name}" for name in names} | {f"{name}.csv": f"is {name}" for name in names}
    assert what_is_read(bench.source, found) == expected | {r"'a\tb.csv'": "unsafe_name"}


def test_objects_that_are_gone_or_large(sqlite_store: str, object_store: ObjectStore, tmp_path: Path) -> None:
    """An object that is gone is missing; a large one is downloaded to a file, and one over the limit is not."""
    bench = bench_at(sqlite_store, tmp_path)
    experiment_id = bench.client.create_experiment("objects", f"s3://{BUCKET}/objects")
    _, prefix = run_in(bench.client, experiment_id)
    for name, size in (("gone", 1), ("large", 200_000), ("small", 100)):
        object_store.put(f"{prefix}/{name}.csv", "x" * size)
    roomy = Source(sqlite_store, max_artifact_bytes=LIMIT * 3, spool=Scratch(tmp_path / "roomy"), clock=bench.clock)
    found = roomy.runs("objects", known={}, full=True)
    object_store.client.delete_object(Bucket=BUCKET, Key=f"{prefix}/gone.csv")
    gone, large, small = found.artifacts
    with pytest.raises(SourceMissing, match=r'there is no "gone\.csv" in s3://artifacts/objects'):
        content(roomy, gone)
    assert content(roomy, large) == b"x" * 200_000
    assert content(roomy, small) == b"x" * 100
    bench.source.runs("objects", known={}, full=True)
    # As listed, and as it has become.
    with pytest.raises(BatchError, match="200,000 bytes or more, over the limit of 100,000"):
        bench.source.opener(large)
    with pytest.raises(BatchError, match="over the limit of 100,000"):
        bench.source.opener(replace(large, size=10))
    with pytest.raises(BatchError, match="came with 100 of 1,000 bytes"):
        roomy.opener(replace(small, size=1_000))


@pytest.fixture(scope="module")
def server_on_s3(
    empty_database: Path, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Yield the URL of a server that keeps artifacts in the object store."""
    assert object_store.client
    home = tmp_path_factory.mktemp("server-on-s3")
    with serve_mlflow(home, empty_database, artifacts=f"s3://{BUCKET}/served") as url:
        yield url


def test_names_behind_a_server_on_s3(server_on_s3: str, object_store: ObjectStore, tmp_path: Path) -> None:
    """As behind one with a folder: each is read or named, none is taken for another, and the others are read."""
    bench = bench_at(server_on_s3, tmp_path)
    run_id = bench.run("good.csv")
    prefix = f"served/{bench.experiment_id}/{run_id}/artifacts"
    for name in [*READ, *MISREAD, *REFUSED]:
        object_store.put(f"{prefix}/{name}/in.csv", f"in {name}")
        object_store.put(f"{prefix}/{name}.csv", f"is {name}")
    found = bench.source.runs(bench.experiment, known={}, full=True)
    assert why(found) == {
        **{(run_id, f"{name}/"): "unsafe_name" for name in MISREAD},
        **{(run_id, f"{name}/"): "not_listed" for name in REFUSED},
    }
    expected = {f"{name}/in.csv": f"in {name}" for name in READ} | {f"{name}.csv": f"is {name}" for name in READ}
    expected |= {f"{name}{end}": "unsafe_name" for name in MISREAD for end in (".csv", "/")}
    expected |= {f"{name}.csv": "not_delivered" for name in REFUSED} | {f"{name}/": "not_listed" for name in REFUSED}
    assert what_is_read(bench.source, found) == expected | {"good.csv": '{"prediction": 1}\n'}

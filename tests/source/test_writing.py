"""Results on a real MLflow server: what is found there afterwards, whatever happened in between."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from driftgauge.errors import BatchError, ConfigError, SourceMissing, SourceUnavailable
from driftgauge.scratch import Scratch
from driftgauge.source import Result, Results, Source, as_of
from source import fault_proxy
from source.fault_proxy import FaultProxy, status

AT: Final = 1_767_225_600_000
HOUR: Final = 3_600_000
RESULT: Final = Result(
    experiment="",
    key="",
    name="churn 1 2026-01-01",
    registered=None,
    at=AT,
    status="action_required",
    tags={"driftgauge.model": 'chu/rn "ü', "drifted_features": '"a\\nb"'},
    metrics={"accuracy": 0.75, "latency_seconds_0.99": 1.5},
    files=lambda: {"report.html": b"<p>", "alerts.json": b"{}"},
    shown="report.html",
)


class Shelf:
    """A tracking server with an experiment for results, and a registered model."""

    def __init__(self, url: str, folder: Path) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

        self.url = url
        self.folder = folder
        self.client = MlflowClient(url)
        self.experiment = f"/results/{uuid4().hex}"
        self.model = f"churn {uuid4().hex}"
        self.client.create_registered_model(self.model)
        trained = self.client.create_run(self.client.create_experiment(f"/training/{uuid4().hex}"))
        self.client.create_model_version(self.model, trained.info.artifact_uri, run_id=trained.info.run_id)

    def result(self, **changes: Any) -> Result:
        """Return a result of a key of its own, with changes."""
        mine = replace(RESULT, experiment=self.experiment, key=uuid4().hex, registered=(self.model, "1"))
        return replace(mine, **changes)

    def results(self, url: str = "", **options: Any) -> Results:
        """Return what a new process would write with."""
        return Results(url or self.url, folder=self.folder / "writeback", **options)

    def runs(self, result: Result) -> list[Any]:
        """Return the runs of a result's key."""
        experiment = self.client.get_experiment_by_name(result.experiment)
        return list(self.client.search_runs([experiment.experiment_id], f"tags.`driftgauge.result` = '{result.key}'"))

    def history(self, run: Any, name: str) -> list[tuple[float, int, int]]:
        """Return value, time and step of each point of a metric."""
        found = self.client.get_metric_history(run.info.run_id, name)
        return sorted((point.value, point.timestamp, point.step) for point in found)

    def version_tags(self) -> dict[str, str]:
        """Return the tags of the registered version."""
        return dict(self.client.get_model_version(self.model, "1").tags)


def never(tags: Mapping[str, str]) -> bool:
    """Have everything written again."""
    del tags
    return False


def newer(result: Result) -> Callable[[Mapping[str, str]], bool]:
    """Have written what is newer than the run."""
    return lambda tags: as_of(tags) >= result.at


@pytest.fixture(scope="module")
def shelf(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Return the server, for tests with keys of their own."""
    return Shelf(mlflow_server, tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="module")
def proxy(shelf: Shelf) -> Iterator[FaultProxy]:
    """Return a proxy before the server."""
    proxy = FaultProxy(shelf.url)
    yield proxy
    proxy.close()


def test_what_people_find_in_mlflow(shelf: Shelf) -> None:
    """Metrics with their time, tags, files, and the tags of the registered version; hours of a day share a run."""
    results, first = shelf.results(), shelf.result()
    results.write(first, is_written=newer(first))
    later = replace(first, at=AT + HOUR, status="healthy", metrics={"accuracy": 0.8})
    results.write(later, is_written=newer(later))

    (run,) = shelf.runs(first)
    assert (run.info.run_name, run.info.status) == (first.name, "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (AT, AT + HOUR)
    assert shelf.history(run, "accuracy") == [(0.75, AT, 0), (0.8, AT + HOUR, 60)]
    assert shelf.history(run, "latency_seconds_0.99") == [(1.5, AT, 0)]
    assert run.data.tags.items() >= {**first.tags, "alert_status": "healthy"}.items()
    assert as_of(run.data.tags) == later.at
    files = {file.path: file.file_size for file in shelf.client.list_artifacts(run.info.run_id)}
    assert files == {"alerts.json": 2, "report.html": 3}
    assert shelf.version_tags() == {
        "driftgauge.status": "healthy",
        "driftgauge.report": f"runs:/{run.info.run_id}/report.html",
        "driftgauge.checked_at": str(later.at),
    }
    assert list((shelf.folder / "writeback").iterdir()) == []


def test_what_is_there_is_not_written_again(shelf: Shelf, count_requests: Callable[[], list[str]]) -> None:
    """A repeat adds nothing, and an older result never takes the place of a newer one."""
    result = shelf.result(at=AT + 2 * HOUR)
    shelf.results().write(result, is_written=newer(result))
    count_requests()
    shelf.results().write(result, is_written=newer(result))
    assert [url for url in count_requests() if not url.partition("?")[0].endswith(("search", "get", "by-name"))] == []
    shelf.results().write(result, is_written=never)
    older = replace(result, at=AT, status="unjudged")
    shelf.results().write(older, is_written=newer(older))

    (run,) = shelf.runs(result)
    assert shelf.history(run, "accuracy") == [(0.75, result.at, 120)]
    assert shelf.version_tags()["driftgauge.status"] == "action_required"


def test_a_kill_between_any_two_requests(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a process dies, the next one completes the one run of the day, and its version has the tags."""
    import requests  # noqa: PLC0415 - MLflow's own HTTP client, not one of ours

    original, left = requests.adapters.HTTPAdapter.send, 0

    def mortal(*arguments: Any, **options: Any) -> requests.Response:
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("the process is dead")
        return original(*arguments, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", mortal)
    experiment, written = f"/results/{uuid4().hex}", []
    for requests_before in range(1, 40):
        result = shelf.result(experiment=experiment, at=AT + (24 + requests_before) * HOUR)
        left = requests_before
        with suppress(SourceUnavailable):
            shelf.results().write(result, is_written=newer(result))
        is_alive, left = left >= 0, 1000
        later = replace(result, at=result.at + 1000, status="healthy", metrics={"accuracy": 0.8})
        shelf.results().write(later, is_written=newer(later))
        written.append(later)
        assert shelf.version_tags()["driftgauge.checked_at"] == str(later.at)
        if is_alive:
            break

    assert len(written) > 10
    runs = shelf.client.search_runs([shelf.client.get_experiment_by_name(experiment).experiment_id])
    found = {run.data.tags["driftgauge.result"]: run for run in runs}
    assert (len(runs), found.keys()) == (len(written), {result.key for result in written})
    for result in written:
        run = found[result.key]
        assert (as_of(run.data.tags), run.data.tags["alert_status"], run.info.status) == (
            result.at,
            "healthy",
            "FINISHED",
        )
        assert run.data.metrics["accuracy"] == 0.8
        assert len(shelf.client.list_artifacts(run.info.run_id)) == 2
    assert shelf.history(found[written[-1].key], "accuracy") == [
        (0.75, written[-1].at - 1000, written[-1].at // 60_000 % 1440),
        (0.8, written[-1].at, written[-1].at // 60_000 % 1440),
    ]


def test_an_answer_that_is_lost(shelf: Shelf, proxy: FaultProxy) -> None:
    """A run that was made, and of which the answer never came, is no second one."""
    result = shelf.result()
    with proxy.spoiling("runs/create", fault_proxy.reset), pytest.raises(SourceUnavailable):
        shelf.results(proxy.url).write(result, is_written=newer(result))
    shelf.results(proxy.url).write(result, is_written=newer(result))

    (run,) = shelf.runs(result)
    assert as_of(run.data.tags) == result.at


@pytest.mark.parametrize(
    ("place", "right", "has_run"),
    [
        ("runs/create", "experiment", False),
        ("mlflow-artifacts", "the artifacts at", False),
        ("model-versions/set-tag", "the registered model", True),
    ],
)
def test_writing_is_denied(place: str, right: str, *, has_run: bool, shelf: Shelf, proxy: FaultProxy) -> None:
    """Who may read only is told which right is missing, without credentials; what is allowed is written."""
    result = shelf.result(at=int(shelf.version_tags().get("driftgauge.checked_at", AT)) + HOUR)
    with proxy.spoiling(place, status(403)), pytest.raises(SourceUnavailable) as refusal:
        shelf.results(proxy.url).write(result, is_written=newer(result))

    assert refusal.value.reason == "forbidden"
    assert f"writing to {right}" in str(refusal.value)
    assert "give the user of driftgauge the right to edit it" in str(refusal.value)
    assert "geheim" not in str(refusal.value)
    assert any(as_of(run.data.tags) == result.at for run in shelf.runs(result)) == has_run


def test_a_server_that_does_not_answer(shelf: Shelf, proxy: FaultProxy) -> None:
    """A write ends with the deadline, and says so."""
    result = shelf.result()
    with proxy.spoiling("/", fault_proxy.silent), pytest.raises(SourceUnavailable) as failure:
        shelf.results(proxy.url, timeout=0.5).write(result, is_written=newer(result))
    assert failure.value.reason == "timed_out"


def test_results_are_never_rows(shelf: Shelf, tmp_path: Path) -> None:
    """An experiment that rows are read from gets no results, by name or id; and results are not read as rows."""
    result = shelf.result()
    shelf.results().write(result, is_written=newer(result))
    experiment = shelf.client.get_experiment_by_name(shelf.experiment)
    for name in (shelf.experiment, experiment.experiment_id):
        with pytest.raises(ConfigError, match="rows are read from"):
            shelf.results(read={name}).write(result, is_written=newer(result))

    rows = shelf.client.create_run(experiment.experiment_id)
    shelf.client.log_text(rows.info.run_id, json.dumps([{"prediction": 1}]), "predictions.json")
    source = Source(shelf.url, max_artifact_bytes=1000, spool=Scratch(tmp_path / "spool"))
    found = source.runs(shelf.experiment, known={}, full=True)
    assert [file.path for file in found.artifacts] == ["predictions.json"]


def test_a_deleted_experiment(shelf: Shelf) -> None:
    """It is named, with what restores it."""
    result = shelf.result(experiment=f"/results/{uuid4().hex}")
    gone = shelf.client.create_experiment(result.experiment)
    shelf.client.delete_experiment(gone)
    with pytest.raises(SourceMissing, match=f"mlflow experiments restore -x {gone}"):
        shelf.results().write(result, is_written=never)


def test_a_version_that_is_not_registered(shelf: Shelf) -> None:
    """Its run is written all the same."""
    result = shelf.result(registered=("nobody knows it", "1"))
    shelf.results().write(result, is_written=newer(result))
    assert as_of(shelf.runs(result)[0].data.tags) == AT


def test_a_place_that_is_only_read_from(shelf: Shelf, sqlite_store: str, tmp_path: Path) -> None:
    """Files go to no other host, and to no folder of this machine that a server names; it is said what to change."""
    result = shelf.result(experiment=f"/results/{uuid4().hex}")
    shelf.client.create_experiment(result.experiment, artifact_location=f"file://{tmp_path}/here")
    with pytest.raises(BatchError, match="artifacts-destination") as refusal:
        shelf.results().write(result, is_written=never)
    assert refusal.value.reason == "local_path"
    assert not (tmp_path / "here").exists()

    away = Shelf(sqlite_store, tmp_path)
    result = away.result()
    away.client.create_experiment(result.experiment, artifact_location="https://elsewhere.example/files")
    with pytest.raises(BatchError, match="another artifact location") as refusal:
        away.results(artifact_hosts=("elsewhere.example",)).write(result, is_written=never)
    assert refusal.value.reason == "foreign_host"


def test_a_database_without_a_server(sqlite_store: str, tmp_path: Path) -> None:
    """A tracking URI that is a database works as well."""
    results = Results(sqlite_store, folder=tmp_path / "writeback")
    result = replace(RESULT, experiment="/results/alone", key="a" * 32)
    results.write(result, is_written=newer(result))
    shelf = Shelf(sqlite_store, tmp_path)
    assert shelf.history(shelf.runs(result)[0], "accuracy") == [(0.75, AT, 0)]

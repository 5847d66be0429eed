"""Results of what a service shows, in MLflow: the same verdicts, and no refresh that fails because of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from driftgauge.cli import main
from driftgauge.errors import SourceUnavailable
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.service import refresher
from driftgauge.service.config_file import ConfigFile
from driftgauge.source import Results, as_of
from driftgauge.writeback import writer
from e2e.service_bench import REFRESHED, Bench, Values, filled, is_away, refreshed, until

RESULTS = "/monitoring/churn-results"
# Half of the ten predictions are right, which is an alert.
FLOOR = "models: {churn: {floors: {accuracy: 0.9}, alerts: {ModelBelowFloor: {min_labels: 5}}}}"
# Its experiment is deleted.
GONE = "/monitoring/gone"
WAITING = "driftgauge_writeback_waiting_since_timestamp_seconds"
WRITTEN = "driftgauge_writeback_last_success_timestamp_seconds"
FAILURES = "driftgauge_writeback_failures_total"


class Judged(Bench):
    """A bench with thresholds of its own."""

    def read(self) -> ConfigFile:
        """Return the configuration file as it is now, with the thresholds that it names."""
        return super().read()._replace(thresholds=FLOOR)


@pytest.fixture(scope="module")
def bench(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a store with two models, of which one has a place for results that cannot be used."""
    found = filled(empty_database, tmp_path_factory.mktemp("results"))
    bench = Judged(found.uri, found.folder)
    thresholds = bench.folder / "thresholds.yml"
    thresholds.write_text(FLOOR)
    client = MlflowClient(bench.uri)
    client.create_experiment(RESULTS, str(bench.folder / "results"))
    client.delete_experiment(client.create_experiment(GONE))
    places = {"churn": RESULTS, "fraud": GONE}
    models = [
        {"name": name, "predictions": {"experiment": name}, "writeback": {"experiment": place}}
        for name, place in places.items()
    ]
    bench.settings = {"models": models, "thresholds": str(thresholds)}
    return bench


def latest(bench: Bench, experiment: str = RESULTS) -> Any:
    """Return the run with the latest results."""
    client = MlflowClient(bench.uri)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return max(runs, key=lambda run: as_of(run.data.tags))


def test_a_service_writes_what_it_shows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics and findings in MLflow are those of the page; what cannot be written is said and fails no refresh.

    Both is on the page soon, though the next refresh is an hour away.
    """
    monkeypatch.setattr(refresher, "_LONGEST_ROUND", 1.0)
    bench.settings["refresh_interval"] = "1h"
    with bench.serving() as front:
        found = until(front, lambda found: (WRITTEN, "churn") in found and (FAILURES, "missing") in found)
        churn, fraud = front.status().models
    del bench.settings["refresh_interval"]
    assert found["driftgauge_refresh_success",] == 1
    assert found[FAILURES, "missing"] == 1
    assert about_waiting(found) == {(WAITING, "fraud", "missing"): found[REFRESHED, "fraud"]}
    assert churn.unwritten is None
    assert fraud.unwritten is not None
    assert "mlflow experiments restore" in fraud.unwritten
    assert fraud.error is None
    assert fraud.unwritten_since == datetime.fromtimestamp(found[REFRESHED, "fraud"], UTC)
    assert fraud.unwritten_runbook.endswith("/DriftgaugeWritebackFailing.md")

    run = latest(bench)
    assert run.data.metrics["accuracy"] == found["model_accuracy", "churn", "unknown", "24h"] == 0.5
    assert run.data.metrics["labels"] == 10
    text = MlflowClient(bench.uri).download_artifacts(run.info.run_id, "alerts.json", str(bench.folder))
    alerts = json.loads(Path(text).read_text())
    shown = [(each.alert, each.severity, each.text) for each in churn.verdicts]
    assert [(each["alert"], each["severity"], each["sentence"]) for each in alerts["findings"]] == shown
    report = MlflowClient(bench.uri).download_artifacts(run.info.run_id, "report.html", str(bench.folder))
    assert all(text in Path(report).read_text() for _, _, text in shown)
    assert [alert for alert, _, _ in shown] == ["ModelBelowFloor"]
    assert alerts["status"] == run.data.tags["alert_status"] == "action_required"
    assert (run.data.tags["alerts"], alerts["findings"][0]["version"]) == ("ModelBelowFloor", "unknown")


def about_waiting(found: Values) -> Values:
    """Return the series about results that wait."""
    return {key: value for key, value in found.items() if key[0] == WAITING}


def test_how_long_results_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Since the first try that failed, through a reload, until MLflow answers again: that is not waited for an hour."""
    mlflow, writes = SimpleNamespace(answers=True, full=True), Results.write

    def write(self: Results, *arguments: Any, **options: Any) -> None:
        if mlflow.full:
            raise SourceUnavailable("http://m: the artifact store is full; make room", reason="server_error")
        writes(self, *arguments, **options)

    monkeypatch.setattr(writer, "_FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(Results, "write", write)
    monkeypatch.setattr(Pipeline, "mlflow_up", property(lambda _: mlflow.answers))
    bench.settings["state_dir"] = str(bench.folder / "waiting")
    with bench.serving() as front:
        begun = until(front, lambda found: len(about_waiting(found)) == len(bench.models) and refreshed(found))
        bench.settings["refresh_interval"] = "400ms"
        assert front.reload() is None
        gone_on = until(front, lambda found: found.get((FAILURES, "server_error"), 0) >= 2)
        mlflow.answers = False
        until(front, is_away)
        mlflow.answers, mlflow.full = True, False
        found = until(front, lambda found: (WRITTEN, "churn") in found)
    del bench.settings["refresh_interval"]
    assert about_waiting(begun) == about_waiting(gone_on)
    assert {key[1:] for key in about_waiting(begun)} == {("churn", "server_error"), ("fraud", "server_error")}
    assert (WAITING, "churn", "server_error") not in found


def test_once_writes_when_it_is_told_to(bench: Bench) -> None:
    """Without --writeback nothing is written; with it, what is not there yet, and the exit status tells of failures."""
    bench.settings["state_dir"] = str(bench.folder / "once")
    config = bench.folder / "driftgauge.yml"
    config.write_text(bench.read().text)
    before = as_of(latest(bench).data.tags)
    # An hour later, which may be another day.
    moment = datetime.fromtimestamp(before // 1000 + 3600, UTC)
    arguments = ["once", f"--config.file={config}", f"--at={moment.isoformat()}", "--log.level=error"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert as_of(latest(bench).data.tags) == before

    written = CliRunner().invoke(main, [*arguments, "--writeback"])
    assert as_of(latest(bench).data.tags) == moment.timestamp() * 1000
    assert written.exit_code == 1
    assert written.stderr.count("driftgauge: ") == 1
    assert "driftgauge: fraud: results not written to MLflow: " in written.stderr
    assert written.stdout.startswith("# HELP")


def test_nothing_secret_is_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process hides does not get into MLflow either."""
    monkeypatch.setenv("SOME_TOKEN", "churn-geheim")
    bench.settings = {
        "state_dir": str(bench.folder / "secret"),
        "models": [
            {
                "name": "churn-geheim",
                "predictions": {"experiment": "churn"},
                "writeback": {"experiment": "/monitoring/secret"},
            }
        ],
    }
    config = bench.folder / "secret.yml"
    config.write_text(bench.read().text)
    done = CliRunner().invoke(main, ["once", f"--config.file={config}", "--writeback", "--log.level=error"])
    assert done.exit_code == 0
    run = latest(bench, "/monitoring/secret")
    path = MlflowClient(bench.uri).download_artifacts(run.info.run_id, "alerts.json", str(bench.folder))
    assert "geheim" not in f"{run.info.run_name} {run.data.tags} {Path(path).read_text()}"

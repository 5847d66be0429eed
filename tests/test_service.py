"""The refresh loop over real MLflow stores: what is served before, during and after everything that can happen."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from driftgauge.errors import ConfigError
from driftgauge.service.front import Front
from driftgauge.service.logs import Logs
from driftgauge.store.database import FILE_NAME
from e2e.servers import mlflow_server
from e2e.service_bench import (
    MODELS,
    PATIENCE,
    ROWS,
    Bench,
    RefresherThread,
    about_models,
    filled,
    is_away,
    refreshed,
    until,
    values,
)
from mlflow_servers import free_port


@pytest.fixture
def bench(empty_database: Path, tmp_path: Path) -> Bench:
    """Return a bench of the test's own."""
    return filled(empty_database, tmp_path)


@pytest.fixture(scope="module")
def shared(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Front]]:
    """Return a bench and the front that runs over it, for tests that disturb neither; only `fraud` may grow."""
    bench = filled(empty_database, tmp_path_factory.mktemp("shared"))
    with bench.serving() as front:
        until(front, refreshed)
        yield bench, front


def test_before_the_first_refresh_there_is_only_the_exporter_itself(bench: Bench) -> None:
    """A cold exporter is not ready and shows neither models nor an opinion about MLflow."""
    front = bench.front()

    assert not front.ready
    found = {key[0] for key in values(front)}
    assert {name for name in found if not name.startswith("driftgauge_")} == set()
    assert found.isdisjoint({"driftgauge_mlflow_up", "driftgauge_refresh_success"})
    assert {"driftgauge_build_info", "driftgauge_config_last_reload_successful"} <= found


def test_the_first_refresh_makes_it_ready(shared: tuple[Bench, Front]) -> None:
    """After the first refresh every model and the state of the exporter are on the page."""
    _, front = shared
    found = values(front)

    assert front.ready
    assert {key[1] for key in found if key[0] == "model_predictions_total"} == set(MODELS)
    assert found["model_predictions_total", "churn", "unknown"] == len(ROWS)
    assert found["model_accuracy", "churn", "unknown", "1h"] == 0.5
    assert found["driftgauge_mlflow_up",] == 1
    assert found["driftgauge_last_refresh_success_timestamp_seconds",] == pytest.approx(time.time(), abs=PATIENCE)
    assert found["driftgauge_series",] == len(about_models(found)) + len(MODELS)


def test_new_batches_are_picked_up(shared: tuple[Bench, Front]) -> None:
    """What is logged while the exporter runs is counted by a later refresh."""
    bench, front = shared
    bench.log("fraud", "second.jsonl")

    found = until(front, lambda found: found["model_batches_total", "fraud"] == 2)

    assert found["model_predictions_total", "fraud", "unknown"] == 2 * len(ROWS)
    assert found["model_predictions_total", "churn", "unknown"] == len(ROWS)


def report(front: Front, model: str = "churn", **asked: str) -> tuple[int, str]:
    """Ask for a report; return status and body."""
    wanted = {"version": None, "window": None, "form": "json", "home": "/", **asked}
    reply = front.report(model, **wanted)  # type: ignore[arg-type]
    return reply.status, b"".join(reply.pieces).decode()


def test_reports_of_a_running_exporter(shared: tuple[Bench, Front]) -> None:
    """The refresher makes them of what is published; what there is not is said with the names that exist."""
    bench, front = shared
    status, text = report(front)
    found = json.loads(text)

    assert status == 200
    assert (found["model"], found["version"], found["period"]["predictions"]) == ("churn", "unknown", len(ROWS))
    assert found["performance"]["metrics"][0]["value"] == values(front)["model_accuracy", "churn", "unknown", "24h"]
    assert report(front, "chrun") == (404, "there is no model 'chrun' here; there are churn, fraud\n")
    assert report(front, version="9") == (404, 'churn has no version "9" that is published; it has unknown\n')
    reply = bench.front().report("churn", version=None, window=None, form="html", home="/")
    assert (reply.status, reply.retry_after) == (503, 5)
    assert b"".join(reply.pieces).decode() == (
        "No report now: the process that makes reports does not run, and is being started again. "
        "A browser asks again by itself in 5 s.\n"
    )


def test_an_outage_of_mlflow(empty_database: Path, tmp_path: Path) -> None:
    """The last values stay, failures are counted, a restart serves them too, and all recovers."""
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    port = free_port()
    bench = Bench(f"http://127.0.0.1:{port}", tmp_path, models=["churn"])
    with mlflow_server(tmp_path, port):
        bench.log("churn")
        front = bench.front()
        front.start()
        good = about_models(until(front, refreshed))
    failures = ("driftgauge_refresh_failures_total", "unreachable")
    during = until(front, lambda found: is_away(found) and found[failures] >= 2)
    assert about_models(during) == good
    assert (during["driftgauge_mlflow_up",], during["driftgauge_refresh_success",]) == (0, 0)
    assert front.ready
    assert front.stop()

    with bench.serving() as restarted:
        restored = until(restarted, is_away)
        assert restarted.ready
        assert restored["model_predictions_total", "churn", "unknown"] == len(ROWS)
        assert restored["model_accuracy", "churn", "unknown", "24h"] == 0.5
        status, text = report(restarted)
        assert (status, json.loads(text)["period"]["predictions"]) == (200, len(ROWS))
        with mlflow_server(tmp_path, port):
            bench.log("churn", "after.jsonl")
            # A refresh may come between the server's start and the batch.
            predictions = ("model_predictions_total", "churn", "unknown")
            recovered = until(restarted, lambda found: refreshed(found) and found[predictions] > len(ROWS))
    assert recovered["driftgauge_mlflow_up",] == 1
    assert recovered[predictions] == 2 * len(ROWS)


def test_without_mlflow_and_state_it_is_not_ready(tmp_path: Path) -> None:
    """An exporter that never saw MLflow has nothing to serve and says so."""
    bench = Bench(f"http://127.0.0.1:{free_port()}", tmp_path)
    with bench.serving() as front:
        found = until(front, is_away)

        assert not front.ready
    assert about_models(found) == {
        (f"model_{name}_total", model): 0
        for model in MODELS
        for name in ("batches", "files_not_read", "duplicate_batches")
    }


def test_a_reload_changes_the_models(bench: Bench) -> None:
    """A model that was added appears, one that was removed goes, and nothing is counted twice."""
    bench.models = ["churn"]
    with bench.serving() as front:
        until(front, refreshed)
        bench.models = ["fraud"]

        assert front.reload() is None
        found = until(front, lambda found: found.get(("model_batches_total", "fraud")) == 1)
        assert "fraud" in front.config_text()

    assert not any("churn" in key for key in found)
    assert found["driftgauge_config_last_reload_successful",] == 1


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"windows": ["1 fortnight"]}, "windows"),
        ({"state_dir": "elsewhere"}, "state_dir cannot be changed by a reload"),
    ],
    ids=["a bad value", "another state_dir"],
)
def test_a_bad_reload_keeps_the_old_configuration(bench: Bench, mistake: dict[str, Any], message: str) -> None:
    """The mistake is returned and shown as a metric, refreshes go on as before, and a good reload ends it."""
    with bench.serving() as front:
        good = until(front, refreshed)
        before = front.config_text()
        bench.settings = mistake

        assert message in (front.reload() or "")
        assert message in (front.status().refused or "")
        assert front.config_text() == before
        found = values(front)
        assert found["driftgauge_config_last_reload_successful",] == 0
        reloaded = ("driftgauge_config_last_reload_success_timestamp_seconds",)
        assert found[reloaded] == good[reloaded]

        bench.log("churn", "second.jsonl")
        until(front, lambda found: found["model_batches_total", "churn"] == 2)
        bench.settings = {}
        assert front.reload() is None
        assert front.status().refused is None
        assert values(front)["driftgauge_config_last_reload_successful",] == 1


def test_no_more_series_than_allowed(bench: Bench) -> None:
    """Beyond `max_series` series are left out, those of features first, and counted at every refresh."""
    bench.settings = {"limits": {"max_series": 60}}
    with bench.serving() as front:
        found = until(front, refreshed)
        dropped = found["driftgauge_series_dropped_total",]
        until(front, lambda found: found["driftgauge_series_dropped_total",] == 2 * dropped)

    assert len(about_models(found)) == found["driftgauge_series",] == 60
    assert dropped > 0
    assert not any(key[0].startswith("model_feature_") for key in found)


def test_the_landing_page_shows_the_current_figures(shared: tuple[Bench, Front]) -> None:
    """The status names each model with the figures of its longest window."""
    bench, front = shared
    status = front.status()

    assert (status.mlflow_uri, status.mlflow_up, status.refresh_succeeded) == (bench.uri, True, True)
    churn = status.models[0]
    assert (churn.name, churn.predictions) == ("churn", len(ROWS))
    assert (churn.scores[0].metric, churn.scores[0].value) == ("accuracy", 0.5)
    assert (churn.drifted_features, churn.error, churn.last_label) == (None, None, churn.last_prediction)


def test_a_state_that_cannot_be_used_is_said_at_the_start(bench: Bench, tmp_path: Path) -> None:
    """The first refresher says why it cannot begin, and is not started again."""
    (tmp_path / "state" / FILE_NAME).mkdir(parents=True)
    refused: Queue[str] = Queue()
    front = Front(bench.read, spawn=RefresherThread, on_refused=refused.put, logs=Logs())
    front.start()

    assert str(tmp_path / "state") in refused.get(timeout=PATIENCE)
    assert front.stop()
    assert values(front)["driftgauge_refresher_up",] == 0


def test_a_bad_configuration_is_said_at_the_start(bench: Bench) -> None:
    """There is no front without a valid configuration."""
    bench.settings = {"modles": []}

    with pytest.raises(ConfigError, match="models"):
        bench.front()

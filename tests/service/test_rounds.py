"""Rounds: one model whose server hangs and one whose file is hostile cost no other model anything."""

import gzip
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from structlog.testing import capture_logs

from driftgauge.pipeline import refresh
from driftgauge.pipeline.feeds import Feeds
from driftgauge.service import refresher
from e2e.service_bench import PATIENCE, REFRESHED, Bench, filled, until, values
from source.fault_proxy import FaultProxy, stalled

INTERVAL = 5.0


class Mixed(Bench):
    """A bench of models from MLflow and from folders."""

    def read(self) -> Any:
        """Return the configuration file with each model in its place."""
        place = {"hanging": {"experiment": "isolation-hanging"}, "same": {"experiment": "isolation-same"}}
        models = [
            {"name": name, "predictions": place.get(name, {"files": str(self.folder / name)})} for name in self.models
        ]
        self.settings = {"models": models, "refresh_interval": f"{INTERVAL:g}s"}
        return super().read()


def put(folder: Path, name: str, data: bytes) -> None:
    """Put a file into the folder of a model."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


def endless() -> bytes:
    """Return a file of 15 MiB that keeps its decoder busy, on any machine, until the minute it may take is over.

    Between its records are elements that are none, as many as may be unpacked: many minutes of work. The time that a
    file may take follows from its size, most of which is blanks.
    """
    elements = gzip.compress(b'{"prediction": 1},' + b"1," * 2**20)
    blanks = gzip.compress(b" " * (15 * 2**20), compresslevel=0)
    return gzip.compress(b"[") + elements * 240 + blanks + gzip.compress(b"1]")


def test_the_third_model_stays_fresh(mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's page is at most two intervals old, also of one on the server that hangs; who is slow is said."""
    monkeypatch.setattr(refresher, "_LONGEST_ROUND", 1.0)
    client = MlflowClient(mlflow_server)
    for name in ("isolation-hanging", "isolation-same"):
        run = client.create_run(client.create_experiment(name)).info.run_id
        client.log_text(run, json.dumps({"prediction": 1}) + "\n", f"{name}.jsonl")
        client.set_terminated(run)
    put(tmp_path / "hostile", "evil.json.gz", endless())
    put(tmp_path / "third", "good.jsonl", b'{"prediction": 1}\n')
    proxy = FaultProxy(mlflow_server)
    bench = Mixed(proxy.url, tmp_path, models=("hanging", "hostile", "same", "third"))
    oldest = {"same": 0.0, "third": 0.0}
    with proxy.spoiling("isolation-hanging.jsonl", stalled), bench.serving() as front:
        first = until(front, lambda found: all((REFRESHED, name) in found for name in oldest))
        # The first refresh waits for workers to start.
        until(front, lambda found: all(found[REFRESHED, name] > first[REFRESHED, name] for name in oldest))
        end = time.monotonic() + 2 * INTERVAL
        while time.monotonic() < end:
            found = values(front)
            for name, age in oldest.items():
                oldest[name] = max(age, time.time() - found[REFRESHED, name])
            time.sleep(0.2)
        assert {name for name in bench.models if (REFRESHED, name) in found} == set(oldest)
        said = {model.name: model.again for model in front.status().models}
    proxy.close()
    assert max(oldest.values()) <= 2 * INTERVAL, oldest
    assert [name for name, text in said.items() if text and "being refreshed since" in text] == ["hanging", "hostile"]


def test_a_model_that_hangs_is_late_and_then_good(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps what it had and counts as failed; the page follows as soon as it is done."""
    let_go = threading.Event()
    original = Feeds.__getitem__

    def slow(feeds: Feeds, name: str) -> Any:
        end = time.monotonic() + PATIENCE
        while name == "churn" and not let_go.is_set() and time.monotonic() < end:
            time.sleep(0.05)
        return original(feeds, name)

    bench = filled(empty_database, tmp_path)
    bench.settings = {"refresh_deadline": "10s", "refresh_interval": "500ms"}
    with capture_logs() as logs, bench.serving() as front:
        good = until(front, lambda found: all((REFRESHED, name) in found for name in bench.models))
        monkeypatch.setattr(Feeds, "__getitem__", slow)
        late = until(front, lambda found: ("driftgauge_refresh_failures_total", "slow") in found)
        assert late["driftgauge_refresh_success",] == 0
        assert (
            late["model_predictions_total", "churn", "unknown"] == good["model_predictions_total", "churn", "unknown"]
        )
        assert late[REFRESHED, "fraud"] > late[REFRESHED, "churn"] + 5
        assert "slow" not in (front.status().models[1].error or "")
        churn = front.status().models[0]
        assert "being refreshed since" in (churn.error or "")
        assert "it shows what it had at" in (churn.error or "")
        assert "raise refresh_deadline" in (churn.error or "")
        assert churn.again is None
        bench.log("churn", "more.jsonl")
        let_go.set()
        batches = ("model_batches_total", "churn")
        done = until(front, lambda found: found[batches] == 2 and found["driftgauge_refresh_success",] == 1)
    assert done["driftgauge_last_refresh_success_timestamp_seconds",] > late[REFRESHED, "churn"]
    assert "churn" in [line["model"] for line in logs if line.get("reason") == "slow"]


def test_a_model_that_hangs_after_a_restart_shows_what_was_stored(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its series stay on the page, without a time of a refresh until there is one."""
    let_go = threading.Event()
    original = Feeds.__getitem__

    def slow(feeds: Feeds, name: str) -> Any:
        if name == "churn":
            let_go.wait(PATIENCE)
        return original(feeds, name)

    bench = filled(empty_database, tmp_path)
    bench.settings = {"refresh_interval": "500ms"}
    with bench.serving() as front:
        good = until(front, lambda found: all((REFRESHED, name) in found for name in bench.models))
    monkeypatch.setattr(Feeds, "__getitem__", slow)
    monkeypatch.setattr(refresher, "_LONGEST_ROUND", 1.0)
    counter = ("model_predictions_total", "churn", "unknown")
    with bench.serving() as front:
        found = until(front, lambda found: (REFRESHED, "fraud") in found)
        assert found[counter] == good[counter]
        assert (REFRESHED, "churn") not in found
        assert "it shows what was stored of it" in (front.status().models[0].again or "")
        let_go.set()
        until(front, lambda found: (REFRESHED, "churn") in found and found["driftgauge_refresh_success",] == 1)


def test_more_that_hang_than_may_work(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models beyond those that work at once get their turn while these hang."""
    original = Feeds.__getitem__
    over = time.monotonic() + 20

    def slow(feeds: Feeds, name: str) -> Any:
        while name.startswith("hangs") and time.monotonic() < over:
            time.sleep(0.05)
        return original(feeds, name)

    bench = filled(empty_database, tmp_path)
    bench.models = [*(f"hangs{number}" for number in range(refresh._MODELS_AT_ONCE + 1)), "churn"]
    monkeypatch.setattr(Feeds, "__getitem__", slow)
    monkeypatch.setattr(refresher, "_LONGEST_ROUND", 1.0)
    with bench.serving() as front:
        until(front, lambda found: (REFRESHED, "churn") in found)
        assert time.monotonic() < over
        over = 0.0

"""The demo as a whole: prepared, refreshed over its own store, and run as a command."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sklearn.metrics import accuracy_score

from driftgauge.config import parse
from driftgauge.demo import run_demo
from driftgauge.demo import running as module
from driftgauge.demo.directory import MARKER
from driftgauge.demo.training import Training
from driftgauge.errors import DriftgaugeError
from driftgauge.service.refreshing import refresh_once

DAYS: Final = 2
PATIENCE: Final = 90.0
Values = dict[tuple[str, str, str], float]

READERS: Final = {
    "jsonl": lambda file: pd.read_json(file, lines=True),
    "parquet": pd.read_parquet,
    "csv.gz": pd.read_csv,
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a demo published (`found`) at `moment`, the rows in its files, and what it said."""

    found: Values
    moment: pd.Timestamp
    predictions: pd.DataFrame
    labels: pd.DataFrame
    said: list[str]


@pytest.fixture(scope="module", autouse=True)
def _trained_already(flights: pd.DataFrame, training: Training) -> Iterator[None]:
    """Save the seconds of reading and training, which have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_flights", lambda: flights)
        patch.setattr(module, "train", lambda _: training)
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Return a demo of two days as it was the moment it began to serve."""
    directory = tmp_path_factory.mktemp("demo") / "a demo"
    pages: list[tuple[str, pd.Timestamp]] = []

    def serve(path: Path) -> None:
        config = parse(path.read_text(), filename=str(path), environ={})
        page, failures = refresh_once(config, now=time.time())
        assert failures == {}
        pages.append((page, pd.Timestamp.now("UTC")))

    said: list[str] = []
    run_demo(directory, serve=serve, days=DAYS, batch_interval=3600, say=said.append)
    page, moment = pages[0]
    return Prepared(values(page), moment, logged(directory, "predictions"), logged(directory, "labels"), said)


def logged(directory: Path, kind: str) -> pd.DataFrame:
    """Return every row in the artifact files of a kind, by request id, read by pandas alone."""
    files = [path for path in (directory / "artifacts" / "monitoring").rglob(f"{kind}/*") if path.is_file()]
    tables = [READERS[path.name.partition(".")[2]](path) for path in files]
    rows = pd.concat(tables)
    assert rows["request_id"].is_unique
    return rows.set_index("request_id")


def values(page: str) -> Values:
    """Return samples by name, window and feature."""
    return {
        (sample.name, sample.labels.get("window", ""), sample.labels.get("feature", "")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_metrics_over_the_demo(prepared: Prepared, flights: pd.DataFrame) -> None:
    """Counts, accuracy and drift in the 7 day window are those of the replayed flights, computed elsewhere."""
    found, predictions, labels = prepared.found, prepared.predictions, prepared.labels
    start = module.PRESENT - DAYS * 86_400
    replayed = flights[(flights["departed"] >= start) & (flights["departed"] < module.PRESENT)].set_index("request_id")
    landed = replayed[replayed["landed"] < module.PRESENT]
    assert set(replayed.index) == set(predictions.index)
    assert set(landed.index) == set(labels.index)
    assert len(replayed) == found["model_window_predictions", "7d", ""]
    assert len(landed) == found["model_window_labels", "7d", ""]
    expected = accuracy_score(landed["late"] == 1, predictions["prediction"].loc[landed.index] == 1)
    assert found["model_accuracy", "7d", ""] == pytest.approx(expected, abs=1e-9)
    assert len(replayed) - len(landed) == found["driftgauge_pending_predictions", "", ""]
    # July is no winter, but the airports are the same ones.
    assert found["model_feature_drift_detected", "7d", "temp"] == 1
    assert found["model_feature_drift_detected", "7d", "origin"] == 0
    assert not [key for key in found if key[0] == "model_batch_failures_total"]


def test_the_past_ends_now(prepared: Prepared) -> None:
    """The newest prediction is fresh, the oldest as old as asked for, and the shortest window is filled."""
    times = pd.to_datetime(prepared.predictions["timestamp"], utc=True, format="ISO8601")
    ages = (prepared.moment - times).dt.total_seconds()
    assert 0 < ages.min() < 300
    assert (DAYS * 24 - 1) * 3600 < ages.max() < DAYS * 24 * 3600 + 300
    assert prepared.found["model_window_predictions", "1h", ""] >= 50


def test_progress_is_shown(prepared: Prepared) -> None:
    """Each step is announced before it begins, and the last line says how long all took."""
    steps = [line for line in prepared.said if line.endswith("…")]
    assert [step.split()[0] for step in steps] == ["reading", "training", "logging", "replaying"]
    assert prepared.said[-1].startswith("Ready after")


def test_flights_keep_coming(tmp_path: Path, flights: pd.DataFrame) -> None:
    """While it serves, the next hours are logged with times of the last seconds, labels of earlier flights too."""
    seen: list[tuple[pd.DataFrame, pd.DataFrame]] = []

    def serve(config: Path) -> None:
        began, deadline = pd.Timestamp.now("UTC"), time.monotonic() + PATIENCE
        while time.monotonic() < deadline and len(seen) < 1:
            time.sleep(0.2)
            tables = [logged(config.parent, kind) for kind in ("predictions", "labels")]
            fresh = [table[pd.to_datetime(table["timestamp"], utc=True, format="ISO8601") >= began] for table in tables]
            if all(len(table) > 100 for table in fresh):
                seen.append((fresh[0], fresh[1]))

    run_demo(tmp_path / "demo", serve=serve, days=1, batch_interval=0.3, say=lambda _: None)
    predictions, labels = seen[0]
    source = flights.set_index("request_id")
    assert (source["departed"].loc[predictions.index] >= module.PRESENT).all()
    assert (source["landed"].loc[labels.index] >= module.PRESENT).all()
    assert (source["departed"].loc[labels.index] < module.PRESENT).any()


def test_a_foreign_directory_is_refused_at_once(tmp_path: Path) -> None:
    """Nothing is said, trained or written in a directory that is not the demo's."""
    (tmp_path / "thesis.tex").write_text("x")
    said: list[str] = []
    with pytest.raises(DriftgaugeError, match="not made by the demo"):
        run_demo(tmp_path, serve=lambda _: None, say=said.append)
    assert said == []
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@contextmanager
def command(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run `driftgauge demo` with its output in one pipe; killed at the end if it still runs."""
    arguments = [sys.executable, "-m", "driftgauge", "demo", "--directory", str(directory), *options]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=directory.parent
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Read the output up to the line that the pattern is in."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if match := re.search(pattern, line):
            return match
    pytest.fail("".join(lines))


def test_as_a_command(tmp_path: Path) -> None:
    """Over the remains of an earlier demo it starts anew, says what to open, serves, and ends with 0 on Ctrl-C.

    A second demo in its directory or on its port is refused.
    """
    (tmp_path / "demo" / "state").mkdir(parents=True)
    for remains in (MARKER, "mlflow.db", "state/driftgauge.duckdb"):
        (tmp_path / "demo" / remains).write_text("of an earlier demo")
    with command(tmp_path / "demo", "--web.listen-address=127.0.0.1:0") as process:
        url = read_until(process, r"(http://\S+)/metrics")[1]
        deadline = time.monotonic() + PATIENCE
        found: Values = {}
        while ("model_accuracy", "7d", "") not in found and time.monotonic() < deadline:
            time.sleep(0.2)
            with urlopen(f"{url}/metrics", timeout=10) as response:  # noqa: S310 - our own server
                found = values(response.read().decode())
        assert 0.8 < found["model_accuracy", "7d", ""] < 0.97
        assert found["model_feature_psi", "7d", "temp"] > 1
        assert found["driftgauge_refresh_success", "", ""] == 1
        with command(tmp_path / "demo", "--web.listen-address=127.0.0.1:0") as second:
            output, _ = second.communicate(timeout=PATIENCE)
            assert "another demo is running in" in output
            assert second.returncode == 1
        with command(tmp_path / "other", f"--web.listen-address={url.partition('//')[2]}") as third:
            output, _ = third.communicate(timeout=PATIENCE)
            assert "is taken; is another driftgauge running?" in output
            assert third.returncode == 2
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert time.monotonic() - began < 15
        assert process.returncode == 0
        assert "Traceback" not in rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_prepares(tmp_path: Path, number: signal.Signals) -> None:
    """A stop during the preparation ends it with 0 and without a traceback, and leaves a directory to start in."""
    with command(tmp_path / "demo", "--web.listen-address=127.0.0.1:0") as process:
        read_until(process, "training on")
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.endswith("Stopped.\n")
    assert "Traceback" not in output
    assert (tmp_path / "demo" / MARKER).exists()

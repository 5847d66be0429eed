"""The two processes as users run them, and what becomes of each when the other, or itself, is killed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from e2e.exporter import Exporter, driftgauge, serving
from mlflow_servers import free_port
from processes import children_of, eventually, group_of

MODEL: Final = "churn"
ROWS: Final = 25
PATIENCE: Final = 60
PREDICTIONS: Final = f'model_predictions_total{{model="{MODEL}",version="unknown"}}'
KILLED: Final = 'driftgauge_refresher_restarts_total{reason="killed"}'


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    """Return a folder with one file of predictions: what becomes of processes does not depend on the feed."""
    folder = tmp_path / "batches"
    folder.mkdir()
    log(folder, "first.jsonl")
    return folder


def log(folder: Path, name: str) -> None:
    """Add a file of predictions at once, as a rename does."""
    rows = [{"timestamp": time.time() - 60, "prediction": number % 2} for number in range(ROWS)]
    (folder.parent / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder.parent / name).rename(folder / name)


def write_config(folder: Path, feed: Mapping[str, str], **settings: Any) -> Path:
    """Write a configuration of one model with predictions from that feed."""
    models = [{"name": MODEL, "predictions": feed}]
    path = folder / "driftgauge.yml"
    fixed = {"refresh_interval": "100ms", "state_dir": str(folder / "state"), "models": models}
    path.write_text(json.dumps(fixed | settings), encoding="utf-8")
    return path


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    """Return a configuration over an MLflow that accepts connections and never answers, and its socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        mlflow = {"tracking_uri": "http://127.0.0.1:{1}".format(*server.getsockname())}
        yield write_config(tmp_path, {"experiment": MODEL}, mlflow=mlflow), server


def value(exporter: Exporter, series: str) -> float | None:
    """Return a series of the page, None when it is not there."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", exporter.get("/metrics")[1], re.MULTILINE)
    return float(found[1]) if found else None


def refresher_of(exporter: Exporter) -> int:
    """Return the process that refreshes."""
    (refresher,) = children_of(exporter.process.pid)
    return refresher


def test_a_killed_refresher(batches: Path, tmp_path: Path) -> None:
    """The front serves the last page, says so, and starts another, which counts every row once."""
    with serving(write_config(tmp_path, {"files": str(batches)}), free_port()) as exporter:
        exporter.wait_until_ready()
        first = refresher_of(exporter)
        os.kill(first, signal.SIGKILL)
        exporter.wait_for(lambda: value(exporter, "driftgauge_refresher_up") == 0)
        log(batches, "second.jsonl")

        assert (value(exporter, PREDICTIONS), value(exporter, KILLED)) == (ROWS, 1)
        assert [exporter.get(path)[0] for path in ("/-/healthy", "/-/ready")] == [200, 200]
        assert "down, the last page is served" in exporter.get("/")[1]
        exporter.wait_for(lambda: value(exporter, PREDICTIONS) == 2 * ROWS)
        assert refresher_of(exporter) != first
        assert (value(exporter, "driftgauge_refresher_up"), value(exporter, KILLED)) == (1, 1)
        assert group_of(first) == []
        assert "1 restart" in exporter.get("/")[1]
        assert exporter.stop(signal.SIGINT) == 0
    assert "reason=killed" in exporter.log.read_text()
    assert "SIGKILL" in exporter.log.read_text()


def test_a_killed_front(batches: Path, tmp_path: Path) -> None:
    """Its refresher ends with its workers, and the next one begins at once on the same state."""
    config = write_config(tmp_path, {"files": str(batches)})
    with serving(config, free_port()) as exporter:
        exporter.wait_until_ready()
        refresher = refresher_of(exporter)
        locked = driftgauge("serve", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{free_port()}")
        assert locked.returncode == 1
        assert "another process uses" in locked.stderr.splitlines()[-1]
        log(batches, "second.jsonl")
        exporter.process.kill()
        with serving(config, free_port()) as another:
            assert eventually(lambda: not group_of(refresher), seconds=5)
            another.wait_for(lambda: value(another, PREDICTIONS) == 2 * ROWS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_stop_in_the_middle_of_a_refresh(hanging: tuple[Path, socket.socket], number: signal.Signals) -> None:
    """However long a refresh would take, both processes end within five seconds."""
    config, server = hanging
    with serving(config, free_port()) as exporter:
        connection, _ = server.accept()
        with connection:
            refresher = refresher_of(exporter)
            began = time.monotonic()
            assert exporter.stop(number) == 0
        assert time.monotonic() - began < 5
        assert eventually(lambda: not group_of(refresher), seconds=5)


@pytest.mark.parametrize("wait", [0.1, 0.4, 1.0])
def test_a_reload_while_it_starts(batches: Path, tmp_path: Path, wait: float) -> None:
    """SIGHUP in the first second neither ends the process nor is lost on what it has read by then."""
    config = write_config(tmp_path, {"files": str(batches)})
    port = free_port()
    command = [sys.executable, "-m", "driftgauge", "serve", f"--config.file={config}"]
    with subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.PIPE) as process:
        try:
            time.sleep(wait)
            process.send_signal(signal.SIGHUP)
            config.write_text(config.read_text().replace("100ms", "7s"))
            process.send_signal(signal.SIGHUP)
            exporter = Exporter(process, f"http://127.0.0.1:{port}", config)
            exporter.wait_for(lambda: _config_of(exporter) is not None and "7s" in (_config_of(exporter) or ""))
        finally:
            process.terminate()
            _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, b"Traceback" in said) == (0, False)


def _config_of(exporter: Exporter) -> str | None:
    try:
        status, text = exporter.get("/config")
    except OSError:
        return None
    return text if status == 200 else None

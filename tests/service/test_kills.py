"""The two processes as users run them, and what becomes of each when the other, or itself, is killed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
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


def command(config: Path, port: int) -> list[str]:
    """Return how `serve` is started."""
    serve = [sys.executable, "-m", "driftgauge", "serve", f"--config.file={config}"]
    return [*serve, f"--web.listen-address=127.0.0.1:{port}"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("wait", [0.0, 0.4])
def test_a_stop_while_it_starts(batches: Path, tmp_path: Path, wait: float, number: signal.Signals) -> None:
    """It ends at once, with exit status 0 and without a word of an error, from its first line on."""
    config = write_config(tmp_path, {"files": str(batches)})
    with subprocess.Popen(command(config, free_port()), stderr=subprocess.PIPE) as process:
        # Python itself takes a tenth of a second and more before that, in which signals do what they always do.
        assert eventually(lambda: listed(process.pid, "SigCgt", signal.SIGTERM), seconds=PATIENCE)
        time.sleep(wait)
        began = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - began < 5
    assert (process.returncode, b"Traceback" in said, b"error" in said) == (0, False, False)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[tuple[list[str], Mapping[str, str]]]:
    """Return what systemd would hear, the first line of each message as it comes, and the variables that ask for it."""
    heard: list[str] = []

    def listen() -> None:
        while message := place.recv(4096).decode():
            heard.append(message.split("\n")[0])

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as place:
        place.bind(str(tmp_path / "notify"))
        thread = threading.Thread(target=listen)
        thread.start()
        yield heard, {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        place.sendto(b"", str(tmp_path / "notify"))
        thread.join(PATIENCE)


def listed(pid: int, of: str, number: signal.Signals) -> bool:
    """Tell whether a signal is among those that a process ignores (`of` is SigIgn) or handles (SigCgt)."""
    found = re.search(rf"^{of}:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> (number - 1) & 1)


def test_signals_from_the_first_moment_on(
    batches: Path, tmp_path: Path, systemd: tuple[list[str], Mapping[str, str]]
) -> None:
    """SIGHUP before anything is imported, a storm of reloads, and signals to a refresher that is being started.

    None of them ends anything or is lost on what has been read by then; and systemd hears of all that.
    """
    heard, variables = systemd
    config = write_config(tmp_path, {"files": str(batches)})
    port = free_port()
    with subprocess.Popen(command(config, port), stderr=subprocess.PIPE, env=os.environ | variables) as process:
        try:
            # Python itself takes a moment; what comes then is the command's first line.
            assert eventually(lambda: listed(process.pid, "SigIgn", signal.SIGHUP), seconds=PATIENCE)
            for _ in range(40):
                process.send_signal(signal.SIGHUP)
                time.sleep(0.01)
            exporter = Exporter(process, f"http://127.0.0.1:{port}", config)
            assert eventually(lambda: children_of(process.pid) != [], seconds=PATIENCE)
            first = refresher_of(exporter)
            for _ in range(20):
                for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
                    os.kill(first, number)
                time.sleep(0.02)

            with ThreadPoolExecutor(10) as threads:
                replies = [threads.submit(exporter.get, "/-/reload", method="POST") for _ in range(30)]
                for count in range(100):
                    config.write_text(config.read_text().replace(f"{100 + count}ms", f"{101 + count}ms"))
                    process.send_signal(signal.SIGHUP)
                assert {reply.result()[0] for reply in replies} <= {200, 500}
            exporter.wait_for(lambda: "200ms" in exporter.get("/config")[1])
            exporter.wait_until_ready()
            exporter.wait_for(lambda: value(exporter, PREDICTIONS) == ROWS)
            assert "driftgauge_refresher_restarts_total{" not in exporter.get("/metrics")[1]
        finally:
            process.terminate()
            _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, b"Traceback" in said) == (0, False)
    assert group_of(first) == []
    assert (heard[0], heard[-1]) == ("READY=1", "STOPPING=1")
    assert heard.count("RELOADING=1") == heard.count("READY=1") - 1 >= 1
    assert "WATCHDOG=1" in heard

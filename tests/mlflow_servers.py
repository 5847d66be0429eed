"""Real MLflow stores for tests: a sqlite database, a folder of runs, and a tracking server over HTTP."""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from driftgauge.source import environment

START_SECONDS: Final = 90
_PORTS: Final = range(20_000, 32_000)
_PORTS_EACH: Final = 1_000
SERVER_SETTINGS: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

# xdist names the processes that run tests side by side gw0, gw1, …
_first = _PORTS[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) * _PORTS_EACH % len(_PORTS)]
_own_ports: Final = range(_first, _first + _PORTS_EACH)
# Begun anywhere, as another run of the tests may be under way.
_taken: Final = count(random.randrange(_PORTS_EACH))  # noqa: S311 - hides nothing


def free_port() -> int:
    """Return a TCP port that nothing listens on, and that nobody else is given before a server does.

    Each process that runs tests takes its own ones in turn. They are below those that the kernel hands out for port 0
    and for connections: one of those, closed again, may be another's before the server has started.
    """
    while True:
        port = _own_ports.start + next(_taken) % len(_own_ports)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


@pytest.fixture(scope="session", autouse=True)
def mlflow_environment() -> None:
    """Let the tests' own MLflow clients run under the settings of the product."""
    environment.prepare(timeout=20)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sqlite file with MLflow's schema, made once, also of several processes: the migrations take seconds."""
    from mlflow import MlflowClient  # noqa: PLC0415 - tests that need no MLflow must not wait for it

    base = tmp_path_factory.getbasetemp()
    # xdist gives each of its processes a folder in that of the whole run.
    database = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "empty.db"
    with database.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            begun = database.with_suffix(".begun")
            MlflowClient(f"sqlite:///{begun}").search_experiments()
            begun.rename(database)
    return database


@pytest.fixture
def sqlite_store(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the tracking URI of a fresh sqlite store; artifacts go to the test's own folder."""
    database = tmp_path / "mlflow.db"
    shutil.copyfile(empty_database, database)
    # MLflow puts the artifacts of new experiments under the working directory.
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{database}"


@pytest.fixture
def file_store(tmp_path: Path) -> str:
    """Return the tracking URI of a fresh folder of runs."""
    from mlflow import MlflowClient  # noqa: PLC0415 - as above

    folder = tmp_path / "mlruns"
    MlflowClient(str(folder)).search_experiments()
    return str(folder)


@pytest.fixture(scope="session")
def mlflow_server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a running `mlflow server`, shared by all tests: use experiment names of your own."""
    home = tmp_path_factory.mktemp("server")
    with serve_mlflow(home, empty_database, artifacts=str(home / "artifacts")) as url:
        yield url


@contextmanager
def serve_mlflow(
    home: Path, empty_database: Path, *, artifacts: str, options: Sequence[str] = (), settings: Mapping[str, str] = {}
) -> Iterator[str]:
    """Lend the URL of an `mlflow server` with its database in a folder and its artifacts at a path or URI.

    options: more of its command line. settings: more of its environment.
    """
    shutil.copyfile(empty_database, home / "mlflow.db")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{home}/mlflow.db"]
    command += ["--artifacts-destination", artifacts, "--host", "127.0.0.1", "--port", str(port)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--workers", "1", *options],
            cwd=home,
            env=os.environ | SERVER_SETTINGS | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(port, server, home / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except (HTTPException, OSError):
            time.sleep(0.2)
        finally:
            connection.close()
    pytest.fail(f"mlflow server did not start: {log.read_text()[-2000:]}")

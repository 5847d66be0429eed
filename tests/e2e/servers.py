"""Other people's servers as processes that a test can start, stop and start again."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from e2e.exporter import request
from mlflow_servers import SERVER_SETTINGS

START_SECONDS = 90
STOP_SECONDS = 20

Server = subprocess.Popen[bytes]


@contextlib.contextmanager
def running(command: Sequence[str | Path], *, health: str, folder: Path) -> Iterator[Server]:
    """Run a server in `folder` until the block is left; it is entered once the URL `health` answers 200."""
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=os.environ | SERVER_SETTINGS, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(health):
            if time.monotonic() > deadline or server.poll() is not None:
                pytest.fail(f"{command[0]} did not start: {(folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield server
    finally:
        # Whoever killed it has waited for it.
        if server.returncode is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(STOP_SECONDS)


@contextlib.contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[str]:
    """Run a tracking server over `mlflow.db` in the folder, which must exist; yield its URL."""
    with mlflow_process(folder, port):
        yield f"http://127.0.0.1:{port}"


def mlflow_process(folder: Path, port: int) -> contextlib.AbstractContextManager[Server]:
    """Run the same and lend its process, the first of a group, to be killed."""
    store = [f"--backend-store-uri=sqlite:///{folder}/mlflow.db", f"--artifacts-destination={folder}/artifacts"]
    place = ["--host=127.0.0.1", f"--port={port}", "--workers=1"]
    command = [sys.executable, "-m", "mlflow", "server", *store, *place]
    return running(command, health=f"http://127.0.0.1:{port}/health", folder=folder)


def _answers(health: str) -> bool:
    try:
        return request(health, urlsplit(health).path)[0] == 200
    except OSError:
        return False

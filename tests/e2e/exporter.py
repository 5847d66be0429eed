"""Starts the product as a user does: the command in a process of its own."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import structlog
from click.testing import CliRunner

from driftgauge.cli import main
from processes import children_of

START_SECONDS = 60
# How long to wait for the end of a process on a busy machine; what is promised is tested on its log.
STOP_SECONDS = 30


def driftgauge(*arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a process of its own, as its users do."""
    started = [sys.executable, "-m", "driftgauge", *map(str, arguments)]
    return subprocess.run(started, capture_output=True, text=True, check=False, timeout=300, env=env)


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this process, which has imported what a new one would import for seconds."""
    before = structlog.get_config()
    try:
        done = CliRunner().invoke(main, list(map(str, arguments)))
    finally:
        structlog.configure(**before)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(list(arguments), done.exit_code, done.stdout, done.stderr)


@dataclass(frozen=True)
class Exporter:
    """A running `driftgauge serve`: its process, where it listens, and the file that gets its log lines."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def get(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Send one request; return status and body."""
        status, _, body = request(self.url, path, method=method, headers=headers)
        return status, body.decode()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; fail with the log when it does not in time."""
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"waited in vain for driftgauge: {self.log.read_text()}")
            time.sleep(0.05)

    def wait_until_ready(self) -> None:
        """Wait for the end of the first refresh."""
        self.wait_for(lambda: self.get("/-/ready")[0] == 200)

    def kill_refresher(self) -> None:
        """Kill what refreshes until the front has noticed: one that is being replaced does not count."""

        def noticed() -> bool:
            for refresher in children_of(self.process.pid):
                os.kill(refresher, signal.SIGKILL)
            return "driftgauge_refresher_restarts_total{" in self.get("/metrics")[1]

        self.wait_for(noticed)

    def stop(self, number: signal.Signals) -> int:
        """Send a signal and return the exit status; fail when the process is not gone in time."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


@contextlib.contextmanager
def serving(
    config: Path, port: int, *options: str, env: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> Iterator[Exporter]:
    """Run `driftgauge serve` until the block is left; `prefix` is a command that runs it."""
    address = f"127.0.0.1:{port}"
    serve = [*prefix, sys.executable, "-m", "driftgauge", "serve", f"--config.file={config}"]
    log = config.with_suffix(".log")
    with log.open("ab") as lines:
        process = subprocess.Popen([*serve, f"--web.listen-address={address}", *options], stderr=lines, env=env)
    exporter = Exporter(process, f"http://{address}", log)
    try:
        exporter.wait_for(lambda: _answers(exporter))
        yield exporter
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()


def request(
    url: str, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    """Send one request; return status, headers by lower-case name, and body."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)) as connection:
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def _answers(exporter: Exporter) -> bool:
    try:
        return exporter.get("/-/healthy")[0] == 200
    except OSError:
        return False

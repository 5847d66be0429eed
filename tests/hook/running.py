"""Starts `driftgauge hook` as its users do."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from driftgauge.hook.incoming import Alert
from mlflow_servers import free_port

from .samples import notification

START_SECONDS: Final = 60.0


@dataclass
class Hook:
    """A hook with a file of actions, which can be killed and started again at the same address."""

    file: Path
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Choose where it listens."""
        self.address = f"127.0.0.1:{free_port()}"
        self.log = self.file.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "driftgauge", "hook", f"--hook.file={self.file}"]
        with self.log.open("ab") as lines:
            self.process = subprocess.Popen(
                [*command, f"--web.listen-address={self.address}", *self.options], stderr=lines
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it can be reached."""
        try:
            return requests.get(f"http://{self.address}/-/healthy", timeout=5).ok
        except requests.RequestException:
            return False

    def end(self, number: signal.Signals) -> int:
        """Send a signal, and return the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(START_SECONDS)

    def post(self, *alerts: Alert) -> bool:
        """Post alerts, and return whether they were taken."""
        try:
            return requests.post(f"http://{self.address}/alerts", data=notification(*alerts), timeout=10).ok
        except requests.RequestException:
            return False

    def value(self, series: str) -> float:
        """Return the value of a series as Prometheus writes it, 0 if there is none."""
        lines = requests.get(f"http://{self.address}/metrics", timeout=10).text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{series} ")), 0.0)


@contextlib.contextmanager
def hooked(file: Path, *options: str) -> Iterator[Hook]:
    """Run a hook until the block is left."""
    found = Hook(file, options)
    found.start()
    try:
        yield found
    finally:
        assert found.process is not None
        if found.process.poll() is None:
            found.process.kill()
            found.process.wait()

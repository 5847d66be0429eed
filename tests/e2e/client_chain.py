"""The chain from serving code to /metrics: writers and a tracking server that are killed, and an exporter.

What is killed when follows from what was logged by then, never from a clock.
"""

import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from e2e.client_writer import EXPERIMENT, THREADS, Place, sweep, write
from e2e.servers import Server, mlflow_process
from mlflow_servers import free_port
from soak.exporter import PROCESSES, Exporter, Page, preload

WRITERS: Final = 4
MODEL: Final = "chain"
_CONFIG: Final = """
mlflow: {{tracking_uri: "{uri}"}}
refresh_interval: 500ms
state_dir: {folder}/state
models:
  - name: {model}
    predictions: {{experiment: {experiment}}}
"""
# Seconds. Generous: a busy machine must not fail the test.
_PATIENCE: Final = 240
_POLL: Final = 0.02


@dataclass
class Run:
    """What a run found.

    spooled: batch id -> rows, from `on_spooled`. stored: request id -> how often MLflow has it. unharmed: writer's life
    that no kill ended -> rows it logged. counted, refused: rows, by the exporter.
    """

    logged: int = 0
    writer_kills: int = 0
    mlflow_kills: int = 0
    spooled: dict[str, int] = field(default_factory=dict)
    stored: Counter[str] = field(default_factory=Counter)
    unharmed: dict[str, int] = field(default_factory=dict)
    counted: float = 0
    refused: float = 0

    @property
    def accepted(self) -> int:
        """How many rows `on_spooled` reported to the writers."""
        return sum(self.spooled.values())


class Writer:
    """One of the serving processes: it is killed and started again, and goes on where it was."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name
        self._lives = 0
        self._logged: Any = PROCESSES.RawArray("q", THREADS)
        self._allowed: Any = PROCESSES.RawValue("q", 0)
        self.start()

    @property
    def logged(self) -> int:
        """How many rows it has logged in all its lives."""
        return sum(self._logged)

    @property
    def logged_in_life(self) -> int:
        """How many rows it has logged in this life."""
        return self.logged - self._before

    def allow(self, rows: int) -> None:
        """Have each thread log that many rows in all."""
        self._allowed.value = rows

    def start(self) -> None:
        """Begin a life."""
        self._lives += 1
        self.life, self._before = f"{self._name}.{self._lives}", self.logged
        self._process = PROCESSES.Process(target=write, args=(self._place, self.life, self._logged, self._allowed))
        self._process.start()

    def kill(self) -> None:
        """End a life by SIGKILL and begin another."""
        self._process.kill()
        self._process.join()
        assert self._process.exitcode == -signal.SIGKILL
        self.start()

    def end(self) -> None:
        """Have it close its logger and end."""
        self._allowed.value = -1
        self._process.join(_PATIENCE)
        assert self._process.exitcode == 0

    def stop(self) -> None:
        """End it in any case."""
        self._process.kill()
        self._process.join()


class Chain:
    """One run in `folder`, in which there is an `mlflow.db`."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        self._folder = folder
        self._port = quiet_port()
        self._random = random.Random(seed)  # noqa: S311 - whom to kill
        self._mlflow: Server
        self._servers = ExitStack()
        self._run = Run()

    def run(self, *, rows: int, writer_kills: int, mlflow_kills: int) -> Run:
        """Log that many rows, with that many kills spread over them; return what was accepted and counted."""
        preload()
        per_thread, kills = rows // (WRITERS * THREADS), writer_kills + mlflow_kills
        with self._servers:
            self._start_mlflow()
            with self._exporting() as exporter, self._writing() as writers:
                for step in range(kills):
                    _advance(writers, per_thread * (step + 1) // (kills + 1), share=0.5)
                    if step * mlflow_kills // kills < (step + 1) * mlflow_kills // kills:
                        self._kill_mlflow(writers)
                    else:
                        self._kill_a_writer(writers)
                _advance(writers, per_thread, share=1)
                for writer in writers:
                    writer.end()
                self._sweep()
                self._run.logged = sum(writer.logged for writer in writers)
                self._run.unharmed = {writer.life: writer.logged_in_life for writer in writers}
                self._count(exporter)
        self._run.stored = _request_ids(self._folder / "artifacts")
        return self._run

    def _start_mlflow(self) -> None:
        self._mlflow = self._servers.enter_context(mlflow_process(self._folder, self._port))

    def _kill_mlflow(self, writers: list[Writer]) -> None:
        """Kill the server with all its workers; while it is away, writers log on, and one of them is killed."""
        os.killpg(self._mlflow.pid, signal.SIGKILL)
        self._mlflow.wait()
        self._run.mlflow_kills += 1
        self._kill_a_writer(writers)
        self._start_mlflow()

    def _kill_a_writer(self, writers: list[Writer]) -> None:
        self._random.choice(writers).kill()
        self._run.writer_kills += 1

    @contextmanager
    def _writing(self) -> Iterator[list[Writer]]:
        writers = [Writer(self._place, f"w{number}") for number in range(WRITERS)]
        try:
            yield writers
        finally:
            for writer in writers:
                writer.stop()

    @contextmanager
    def _exporting(self) -> Iterator[Exporter]:
        config = self._folder / "driftgauge.yml"
        places = {"uri": self._place.tracking_uri, "folder": self._folder}
        config.write_text(_CONFIG.format(**places, model=MODEL, experiment=EXPERIMENT), encoding="utf-8")
        exporter = Exporter(config, self._folder / "state", free_port(), self._folder / "exporter.log")
        try:
            yield exporter
        finally:
            exporter.kill("both")

    def _sweep(self) -> None:
        sweeper = PROCESSES.Process(target=sweep, args=(self._place,))
        sweeper.start()
        sweeper.join(_PATIENCE)
        assert sweeper.exitcode == 0
        self._run.spooled = _spooled(self._place)

    def _count(self, exporter: Exporter) -> None:
        """Wait until the exporter has counted what was accepted, and two refreshes more: there must be no other."""
        _wait_for(lambda: _sum(exporter.page() or {}, "model_predictions_total") >= self._run.accepted)
        for _ in range(2):
            before = _refreshed(exporter)
            _wait_for(lambda before=before: _refreshed(exporter) > before)
        page = exporter.page() or {}
        self._run.counted = _sum(page, "model_predictions_total")
        self._run.refused = _sum(page, "model_rows_rejected_total")

    @property
    def _place(self) -> Place:
        return Place(f"http://127.0.0.1:{self._port}", self._folder)


def quiet_port() -> int:
    """Return a port outside of those the system gives away, so that it is still free after its server was killed."""
    while True:
        port = random.SystemRandom().randint(15_000, 32_000)
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) != 0:
                return port


def _advance(writers: list[Writer], rows: int, *, share: float) -> None:
    """Let every thread log up to `rows` rows; return when a share of what is new is logged."""
    before = sum(writer.logged for writer in writers)
    new = rows * THREADS * len(writers) - before
    for writer in writers:
        writer.allow(rows)
    _wait_for(lambda: sum(writer.logged for writer in writers) >= before + share * new)


def _refreshed(exporter: Exporter) -> float:
    """Return when the last refresh ended well (s since the epoch)."""
    return (exporter.page() or {}).get(("driftgauge_last_refresh_success_timestamp_seconds", ()), 0.0)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(_POLL)


def _spooled(place: Place) -> dict[str, int]:
    """Return what all journals say; a file that was found after a crash stands in several, with the same rows."""
    found: dict[str, int] = {}
    for journal in place.journals:
        for line in journal.read_text(encoding="utf-8").splitlines():
            batch_id, rows = line.split()
            assert found.setdefault(batch_id, int(rows)) == int(rows)
    return found


def _request_ids(artifacts: Path) -> Counter[str]:
    """Return how often each request id is in MLflow's artifacts."""
    files = artifacts.rglob("predictions-*.parquet")
    return Counter(
        key for file in files for key in pq.read_table(file, columns=["request_id"])["request_id"].to_pylist()
    )


def _sum(page: Page, name: str) -> float:
    return sum(value for (found, labels), value in page.items() if found == name and ("model", MODEL) in labels)

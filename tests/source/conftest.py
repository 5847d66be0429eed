"""The same test over every kind of tracking store, and tiny HTTP servers that misbehave."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from driftgauge.errors import SourceUnavailable
from driftgauge.scratch import Scratch
from driftgauge.source import Artifact, Source
from driftgauge.source.schedule import Portions

LIMIT = 100_000


@dataclass(slots=True)
class Clock:
    """A clock that the test moves: seconds since the epoch."""

    now: float

    def __call__(self) -> float:
        """Return the time it stands at."""
        return self.now


@dataclass(frozen=True, slots=True)
class Bench:
    """One tracking store with an experiment of its own, MLflow's client to fill it, and the source under test."""

    uri: str
    client: Any
    experiment: str
    experiment_id: str
    source: Source
    clock: Clock
    folder: Path

    def with_portions(self, portions: Portions) -> "Bench":
        """Return the bench with a source that does less at a time."""
        spool = Scratch(self.folder / uuid4().hex)
        source = Source(self.uri, max_artifact_bytes=LIMIT, spool=spool, clock=self.clock, portions=portions)
        return replace(self, source=source)

    def log(self, run_id: str, path: str, text: str = '{"prediction": 1}\n') -> None:
        """Log `text` as the artifact `path`."""
        self.client.log_text(run_id, text, path)

    def run(self, *paths: str, finished: bool = True, **options: Any) -> str:
        """Create a run with these artifacts and return its id."""
        run_id = str(self.client.create_run(self.experiment_id, **options).info.run_id)
        for path in paths:
            self.log(run_id, path)
        if finished:
            self.client.set_terminated(run_id)
        return run_id


def content(source: Source, artifact: Artifact) -> bytes:
    """Return what an artifact holds."""
    with source.opener(artifact)() as file:
        return file.read()


def answers(source: Source) -> bool:
    """Return whether the store answers one small request."""
    try:
        source.check()
    except SourceUnavailable:
        return False
    return True


def bench_at(uri: str, folder: Path) -> Bench:
    """Return a bench on the tracking store at `uri`; its clock stands a minute after the present."""
    from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

    clock = Clock(time.time() + 60)
    client = MlflowClient(uri)
    experiment = f"/monitoring/{uuid4().hex}"
    source = Source(uri, max_artifact_bytes=LIMIT, spool=Scratch(folder / "spool"), clock=clock)
    return Bench(uri, client, experiment, client.create_experiment(experiment), source, clock, folder)


@pytest.fixture(params=["sqlite_store", "file_store", "mlflow_server"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Return a bench on each kind of tracking store in turn."""
    return bench_at(request.getfixturevalue(request.param), tmp_path)


@pytest.fixture
def sqlite_bench(sqlite_store: str, tmp_path: Path) -> Bench:
    """Return a bench on a sqlite store, for what does not depend on the kind."""
    return bench_at(sqlite_store, tmp_path)


@pytest.fixture
def http_bench(mlflow_server: str, tmp_path: Path) -> Bench:
    """Return a bench on the HTTP server, for what only HTTP does."""
    return bench_at(mlflow_server, tmp_path)


@dataclass(slots=True)
class Canned:
    """A server that answers by a table: path prefix -> (status, headers, body). It keeps what it was asked."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    authorization: set[str] = field(default_factory=set)
    url: str = ""


@pytest.fixture
def canned() -> Iterator[Canned]:
    """Return a running server whose answers the test sets; 404 for everything else."""
    table = Canned()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            table.asked.append(self.path)
            table.authorization.add(self.headers.get("Authorization", ""))
            found = [answer for prefix, answer in table.answers.items() if self.path.startswith(prefix)]
            status, headers, body = found[0] if found else (404, {}, b"")
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    table.url = f"http://127.0.0.1:{server.server_port}"
    yield table
    server.shutdown()
    server.server_close()


@pytest.fixture
def count_requests(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Count the HTTP requests that are sent: calling the result returns the URLs since the last call."""
    import requests  # noqa: PLC0415 - MLflow's own HTTP client, not one of ours

    sent: list[str] = []
    original = requests.adapters.HTTPAdapter.send

    def counted(
        adapter: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        sent.append(str(request.url))
        return original(adapter, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", counted)

    def since_last_call() -> list[str]:
        urls, sent[:] = sent.copy(), []
        return urls

    return since_last_call


@pytest.fixture
def server_artifacts(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the HTTP server keeps artifacts, for names that it would not take."""
    assert mlflow_server
    return tmp_path_factory.getbasetemp() / "server0" / "artifacts"

"""Where credentials go when servers redirect, and addresses that are never asked."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from driftgauge.errors import BatchError, SourceMissing
from driftgauge.scratch import Scratch
from driftgauge.source import Source
from driftgauge.source.deadline import Deadline
from driftgauge.source.http import Http
from driftgauge.source.origins import Borders
from driftgauge.source.transport import Abroad, guard_mlflow
from source.conftest import LIMIT

EXPERIMENTS = "/api/2.0/mlflow/experiments/get"
Answer = tuple[int, dict[str, str], bytes]
OURS = {"Authorization", "Cookie", "X-Plug-In", "X-Mlflow-Workspace"}


@dataclass
class Host:
    """A server on an address of its own; `answer` gives status, headers and body by path. `got`: what was sent."""

    answer: Callable[[str], Answer] = lambda _: (200, {}, b"{}")
    got: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    @property
    def credentials(self) -> list[set[str]]:
        """The headers of ours in each request."""
        return [OURS & {name.title() for name in headers} for _, headers in self.got]


@pytest.fixture
def hosts() -> Iterator[Callable[[str], Host]]:
    """Return a function that starts a server at an address."""
    servers: list[ThreadingHTTPServer] = []

    def start(address: str) -> Host:
        host = Host()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                host.got.append((self.path, dict(self.headers.items())))
                status, headers, body = host.answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the name that http.server looks for

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        servers.append(ThreadingHTTPServer((address, 0), Handler))
        Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        host.url = f"http://{address}:{servers[-1].server_port}"
        return host

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def redirect(url: str, status: int = 302) -> Callable[[str], Answer]:
    """Answer with a redirection."""
    return lambda _: (status, {"Location": url, "Set-Cookie": "session=ours"}, b"")


@pytest.fixture
def home(hosts: Callable[[str], Host], monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return the tracking server, for which MLflow has credentials."""
    guard_mlflow()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cr3t")
    return hosts("127.0.0.1")


@pytest.mark.parametrize("kind", ["bearer", "basic"])
def test_mlflow_leaves_credentials_behind_when_it_is_redirected(
    kind: str, home: Host, hosts: Callable[[str], Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No header but those that say how to answer, nor the client certificate, goes to another origin."""
    if kind == "basic":
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "bob")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cr3t")
    plug_in = {"X-Plug-In": "token", "User-Agent": "mlflow"}
    monkeypatch.setattr("mlflow.tracking.request_header.registry.resolve_request_headers", lambda: plug_in)
    evil = hosts("127.0.0.2")
    evil.answer = lambda _: (200, {}, b'{"experiment": {"experiment_id": "7"}}')
    home.answer = redirect(evil.url + EXPERIMENTS)
    sent: list[Any] = []
    usual = requests.Session.send

    def spied(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        sent.append(options.get("cert"))
        return usual(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", spied)
    certificate = tmp_path / "certificate.pem"
    certificate.touch()
    monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(certificate))

    assert MlflowClient(home.url).get_experiment("7").experiment_id == "7"
    assert home.credentials[0] >= {"Authorization", "X-Plug-In"}
    assert evil.credentials == [set()]
    assert sent == [str(certificate), None]


def test_a_redirection_within_the_server_keeps_them(home: Host) -> None:
    """A server may move what it has."""
    answers = [redirect("/prefix" + EXPERIMENTS)(""), (200, {}, b'{"experiment": {"experiment_id": "7"}}')]
    home.answer = lambda _: answers.pop(0)
    assert MlflowClient(home.url).get_experiment("7").experiment_id == "7"
    assert ["Authorization" in headers for headers in home.credentials] == [True, True]


def test_back_home_without_credentials(home: Host, hosts: Callable[[str], Host]) -> None:
    """Who was sent abroad and back does what another server wants, so that is done without credentials."""
    evil = hosts("127.0.0.2")
    evil.answer = redirect(home.url + "/delete")
    answers = [redirect(evil.url)(""), (200, {}, b"done")]
    home.answer = lambda _: answers.pop(0)
    assert Http(Deadline(30), Borders(home.url)).get(home.url, "/x").text == "done"
    assert ["Authorization" in headers for headers in home.credentials] == [True, False]
    assert evil.credentials == [set()]


@pytest.mark.parametrize("count", [1, 3])
def test_downloads_leave_credentials_behind(home: Host, hosts: Callable[[str], Host], count: int) -> None:
    """The first request, which MLflow sends, and later ones, which repeat it."""
    evil, http = hosts("127.0.0.2"), Http(Deadline(30), Borders(home.url))
    evil.answer = lambda _: (200, {}, b"rows")
    for _ in range(count - 1):
        http.get(home.url, "/before")
    home.answer = redirect(evil.url)
    assert http.get(home.url, "/file", stream=True).content == b"rows"
    assert evil.credentials == [set()]


@pytest.mark.parametrize("place", ["http://169.254.169.254/x", "http://0xA9FEA9FE/x", "http://[fd00:ec2::254]/x"])
def test_a_redirection_to_a_metadata_address_is_refused(home: Host, place: str) -> None:
    """In MLflow's own requests, in downloads, and from a host that is abroad already."""
    home.answer = redirect(place)
    with pytest.raises(MlflowException, match="link-local or metadata address"):
        MlflowClient(home.url).get_experiment("7")
    with pytest.raises(BatchError, match="link-local or metadata address") as refusal:
        Http(Deadline(30), Borders(home.url)).get(home.url, "/x")
    assert refusal.value.reason == "forbidden_address"
    with pytest.raises(BatchError, match="link-local or metadata address"):
        Http(Deadline(30), Borders("http://mlflow")).get(home.url, "/x")


def test_a_redirection_to_a_file_is_refused(home: Host, tmp_path: Path) -> None:
    """Only http and https are followed."""
    home.answer = redirect(f"file://{tmp_path}")
    with pytest.raises(MlflowException, match="No connection adapters"):
        MlflowClient(home.url).get_experiment("7")


def test_names_that_resolve_to_such_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of several addresses of a name is enough."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("127.0.0.1", "169.254.169.254")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(BatchError, match="harmless"):
        Abroad().read("http://harmless.example/x", verify=True)


def test_a_name_that_resolves_to_something_else_the_second_time(
    hosts: Callable[[str], Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other end of the connection is looked at before anything is sent."""
    rebound = hosts("127.0.0.2")
    monkeypatch.setattr(
        "driftgauge.source.transport.is_forbidden", lambda address: address == "127.0.0.2" and bool(asked)
    )
    asked: list[str] = []
    usual = socket.getaddrinfo

    def resolved(host: str, *args: Any, **options: Any) -> Any:
        try:
            return usual(host, *args, **options)
        finally:
            asked.append(host)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(BatchError, match="link-local or metadata address"):
        Abroad().read(rebound.url, verify=True)
    assert rebound.got == []


def test_users_of_other_hosts(hosts: Callable[[str], Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """User and password of a URL go to its host; .netrc, which knows no ports, is not asked; cookies do not stay."""
    other, third = hosts("127.0.0.1"), hosts("127.0.0.2")
    (tmp_path / "netrc").write_text("default login bob password s3cr3t\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    answers = [redirect(f"{other.url}/b")(""), redirect(third.url)("")]
    other.answer = lambda _: answers.pop(0)
    with_user = other.url.replace("http://", "http://eve:pw@")
    abroad = Abroad()
    abroad.read(with_user, verify=True)
    abroad.read(third.url, verify=True)
    assert ["Authorization" in headers for headers in other.credentials] == [True, True]
    assert third.credentials == [set(), set()]


class Server:
    """A tracking server with one experiment, runs of these artifact roots by id, and one model version."""

    def __init__(self, host: Host, roots: dict[str, str], source: str = "") -> None:
        self.roots, self.source = roots, source
        host.answer = self.answer

    def answer(self, path: str) -> Answer:
        """Answer as MLflow does."""
        place, _, query = path.removeprefix("/api/2.0/").partition("?")
        experiment = {"experiment_id": "1", "name": "e", "lifecycle_stage": "active"}
        file = {"path": "reference.csv", "is_dir": False, "file_size": 4}
        found: dict[str, dict[str, Any]] = {
            "mlflow/experiments/get-by-name": {"experiment": experiment},
            "mlflow/experiments/search": {"experiments": [experiment]},
            "mlflow/runs/search": {"runs": [self._run(run_id) for run_id in self.roots]},
            "mlflow/runs/get": {"run": self._run(query.rpartition("=")[2])},
            "mlflow/model-versions/get-download-uri": {"artifact_uri": self.source},
            "mlflow/model-versions/get": {"model_version": {"name": "m", "version": "1", "source": self.source}},
            "mlflow/registered-models/get": {"registered_model": {"name": "m"}},
            "mlflow-artifacts/artifacts": {"files": [file]},
        }
        return (200, {}, json.dumps(found[place]).encode()) if place in found else (200, {}, b"rows")

    def _run(self, run_id: str) -> dict[str, Any]:
        info = {
            "run_id": run_id,
            "experiment_id": "1",
            "status": "FINISHED",
            "start_time": 1,
            "end_time": 2,
            "lifecycle_stage": "active",
            "artifact_uri": self.roots.get(run_id, ""),
        }
        return {"info": info, "data": {}}


def source_at(home: Host, tmp_path: Path, *artifact_hosts: str) -> Source:
    """Return a source on a server."""
    return Source(
        home.url, max_artifact_bytes=LIMIT, spool=Scratch(tmp_path / "spool"), artifact_hosts=tuple(artifact_hosts)
    )


def test_a_run_of_another_host_costs_itself(home: Host, hosts: Callable[[str], Host], tmp_path: Path) -> None:
    """Neither is the host asked, nor a folder of this machine read; the other run's files are found."""
    evil = hosts("127.0.0.2")
    (tmp_path / "private.csv").write_text("private")
    roots = {"a": "mlflow-artifacts:/1/a", "b": evil.url.replace("http:", "mlflow-artifacts:"), "c": f"{evil.url}/x"}
    Server(home, roots | {"d": str(tmp_path), "e": "http://169.254.169.254/"})
    found = source_at(home, tmp_path).runs("e", known={}, full=True)
    assert [(artifact.run_id, artifact.path) for artifact in found.artifacts] == [("a", "reference.csv")]
    reasons = {item.run_id: item.reason for item in found.unlisted}
    assert reasons == {"b": "foreign_host", "c": "foreign_host", "d": "local_path", "e": "forbidden_address"}
    assert evil.got == []


def test_another_host_of_the_configuration_is_read_without_credentials(
    home: Host, hosts: Callable[[str], Host], tmp_path: Path
) -> None:
    """Listing and download."""
    files = hosts("127.0.0.2")
    Server(files, {})
    Server(home, {"b": files.url.replace("http:", "mlflow-artifacts:")})
    source = source_at(home, tmp_path, files.url.removeprefix("http://"))
    (artifact,) = source.runs("e", known={}, full=True).artifacts
    with source.opener(artifact)() as file:
        assert file.read() == b"rows"
    assert files.credentials == [set(), set()]


@pytest.mark.parametrize("form", ["runs:/b/reference.csv", "models:/m/1/reference.csv"])
@pytest.mark.parametrize(
    ("place", "reason"), [("{evil}/x", "foreign_host"), ("{folder}", "local_path"), ("file://{folder}", "local_path")]
)
def test_references_that_a_server_names(
    home: Host, hosts: Callable[[str], Host], tmp_path: Path, *, form: str, place: str, reason: str
) -> None:
    """A run's root and a model version's source are what the server says."""
    evil = hosts("127.0.0.2")
    (tmp_path / "reference.csv").write_text("private")
    root = place.format(evil=evil.url, folder=tmp_path)
    Server(home, {"b": root}, source=root)
    with pytest.raises(BatchError) as refusal:
        source_at(home, tmp_path).reference(form)
    assert refusal.value.reason == reason
    assert evil.got == []


def test_a_version_that_leads_nowhere(home: Host, tmp_path: Path) -> None:
    """Copies of copies of itself end."""
    Server(home, {}, source="models:/m/1")
    with pytest.raises((BatchError, SourceMissing)):
        source_at(home, tmp_path).reference("models:/m/1/reference.csv")
    assert len(home.got) < 20


def test_references_of_the_configuration(home: Host, hosts: Callable[[str], Host], tmp_path: Path) -> None:
    """A place that the user wrote is read wherever it is, with nothing but what the user wrote."""
    other = hosts("127.0.0.2")
    other.answer = lambda _: (200, {}, b"rows")
    (tmp_path / "reference.csv").write_text("rows")
    source = source_at(home, tmp_path)
    for uri in (f"{other.url}/x/reference.csv", f"{tmp_path}/reference.csv"):
        with source.reference(uri).opener() as file:
            assert file.read() == b"rows"
    assert other.credentials == [set()]
    source.reference(f"{other.url.replace('http://', 'http://eve:pw@')}/x/reference.csv")
    assert other.credentials[-1] == {"Authorization"}
    assert "s3cr3t" not in json.dumps(other.got)

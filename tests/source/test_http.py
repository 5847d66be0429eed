"""Requests that repeat what MLflow sent, and when they do not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from driftgauge.source.deadline import Deadline
from driftgauge.source.http import Http
from driftgauge.source.origins import Borders
from driftgauge.source.pacing import pace_for


@dataclass
class Recorder:
    """A server that keeps connections open, answers with these statuses in turn, then 200, and notes what it got."""

    statuses: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    url: str = ""

    @property
    def tokens(self) -> list[str]:
        """The credentials of each request."""
        return [headers["Authorization"] for headers in self.headers]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Return a running recorder."""
    found = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.headers.append(dict(self.headers.items()))
            found.connections.add(self.client_address)
            status = found.statuses.pop(0) if found.statuses else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(self.path)))
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def sender(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    """Return what is tested, with a token for the server and its pace."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "first")
    pace = pace_for(recorder.url, patience=10.0)
    yield Http(Deadline(30), Borders(recorder.url))
    del pace


def test_later_requests_are_those_of_mlflow(sender: Http, recorder: Recorder) -> None:
    """From the second on, requests carry the same headers and credentials, over one connection."""
    bodies = [sender.get(recorder.url, f"/{number}", params={"path": "a b"}).text for number in range(4)]

    assert bodies == [f"/{number}?path=a+b" for number in range(4)]
    assert recorder.headers == [recorder.headers[0]] * 4
    assert recorder.tokens == ["Bearer first"] * 4
    # MLflow's own connection, and ours.
    assert len(recorder.connections) == 2


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_has_mlflow_asked_again(
    sender: Http, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A refusal is returned, and the next request carries the credentials that hold by then."""
    sender.get(recorder.url, "/")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "second")
    # Once more, for failures of the server are tried twice.
    recorder.statuses = [status, status] if status == 500 else [status]

    assert sender.get(recorder.url, "/").status_code == status
    assert sender.get(recorder.url, "/").status_code == 200
    assert recorder.tokens[-2:] == ["Bearer first", "Bearer second"]


def test_a_failure_is_tried_again(sender: Http, recorder: Recorder) -> None:
    """A server that fails once has answered."""
    sender.get(recorder.url, "/")
    recorder.statuses = [503]

    assert sender.get(recorder.url, "/").status_code == 200
    assert len(recorder.headers) == 3


def test_a_redirection_is_followed(sender: Http, recorder: Recorder) -> None:
    """A server that moves in between is followed as MLflow does it."""
    sender.get(recorder.url, "/")
    recorder.statuses = [302, 302]

    assert sender.get(recorder.url, "/here").text == "/elsewhere"


def test_what_mlflow_decided_is_not_kept_for_long(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its time is over a changed token is used without any refusal."""
    sender = Http(Deadline(30), Borders(recorder.url), good_for=0.0)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "first")
    sender.get(recorder.url, "/")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "second")
    sender.get(recorder.url, "/")

    assert recorder.tokens == ["Bearer first", "Bearer second"]


def test_signed_requests_are_left_to_mlflow(sender: Http, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an authentication plug-in, which may sign each request, MLflow sends them all."""
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "a-plug-in")
    with pytest.warns(UserWarning, match="a-plug-in"):
        sender.get(recorder.url, "/")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "second")
    with pytest.warns(UserWarning, match="a-plug-in"):
        sender.get(recorder.url, "/")

    assert recorder.tokens == ["Bearer first", "Bearer second"]

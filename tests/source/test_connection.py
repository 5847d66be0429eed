"""Servers that are away, refuse or fail."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from driftgauge.errors import SourceUnavailable
from driftgauge.scratch import Scratch
from driftgauge.source import Source
from mlflow_servers import free_port
from source.conftest import LIMIT, Canned, answers

API = "/api/2.0/mlflow/"


def failure_of(uri: str) -> str:
    """Return the message of the failure when a source at `uri` looks for runs."""
    with TemporaryDirectory() as folder, pytest.raises(SourceUnavailable) as failure:
        Source(uri, max_artifact_bytes=LIMIT, spool=Scratch(Path(folder))).runs("x", known={}, full=True)
    return str(failure.value)


def test_unreachable_fails_fast() -> None:
    """A server that is not there costs less than 5 seconds, and no credentials are shown."""
    port = free_port()
    started = time.monotonic()
    message = failure_of(f"http://me:geheim@127.0.0.1:{port}")
    assert time.monotonic() - started < 5
    assert f"127.0.0.1:{port}: connection refused; start the server" in message
    assert "geheim" not in message


def test_unroutable_fails_fast() -> None:
    """A server that swallows packets costs the connect timeout and no more."""
    started = time.monotonic()
    failure_of("http://192.0.2.1:5000")
    assert time.monotonic() - started < 6


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "refuses the credentials (401); set MLFLOW_TRACKING_USERNAME"),
        (403, "access is denied (403)"),
        (404, "answers 404 (not found); check that mlflow.tracking_uri is an MLflow server"),
        (429, "too many requests (429)"),
        (500, "the server fails (500)"),
        (503, "out of service, or limits requests (503)"),
    ],
)
def test_refusals(canned: Canned, status: int, expected: str) -> None:
    """Each refusal is named with its remedy; Retry-After does not hold up the refresh."""
    canned.answers["/"] = (status, {"Retry-After": "600"}, b"no")
    started = time.monotonic()
    message = failure_of(canned.url)
    assert expected in message
    assert canned.url in message
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "credentials (401)"),
        (403, "denied (403)"),
        (429, "requests (429)"),
        (503, "out of service, or limits requests (503)"),
    ],
)
def test_refusal_after_a_good_start(canned: Canned, status: int, expected: str) -> None:
    """A failure of a later request, which MLflow's own client makes, has the same words."""
    canned.answers[f"{API}experiments/search"] = (200, {}, b"{}")
    canned.answers["/"] = (status, {}, b"no")
    assert expected in failure_of(canned.url)


def test_credentials_are_sent(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials of MLflow's environment variables are used and not shown."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cr3t-token")
    canned.answers["/"] = (401, {}, b"s3cr3t-token is not known")
    assert "s3cr3t" not in failure_of(canned.url)
    assert canned.authorization == {"Bearer s3cr3t-token"}


def test_healthy_recovers(canned: Canned, tmp_path: Path) -> None:
    """Health follows the server down and up again."""
    source = Source(canned.url, max_artifact_bytes=LIMIT, spool=Scratch(tmp_path / "spool"))
    seen = []
    for status in (200, 503, 200):
        canned.answers["/"] = (status, {}, b"{}")
        seen.append(answers(source))
    assert seen == [True, False, True]

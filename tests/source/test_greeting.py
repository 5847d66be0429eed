"""What the answer to the first question to a tracking server shows."""

import json
from typing import Any

import pytest
import requests

from driftgauge.errors import SourceUnavailable
from driftgauge.source.greeting import ENDPOINT, check_answer, too_old

SERVER = "http://host"
EXPERIMENTS = {"experiments": [{"experiment_id": "0"}]}


def answer(status: int, body: object = "", url: str = SERVER + ENDPOINT, **headers: str) -> requests.Response:
    """Return an answer; `body` as text, or as JSON when it is none."""
    made = requests.Response()
    made.status_code, made.url = status, url
    made._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    made.headers.update(headers)
    return made


def after(last: requests.Response, *statuses: int) -> requests.Response:
    """Return an answer that came by redirects with these statuses."""
    last.history = [answer(status, Location=last.url) for status in statuses]
    return last


def refusal(response: Any) -> tuple[str, str]:
    """Return the reason and the message of an answer that is refused."""
    with pytest.raises(SourceUnavailable) as failure:
        check_answer(response, server=SERVER)
    return failure.value.reason, str(failure.value)


@pytest.mark.parametrize(
    "body", [{}, EXPERIMENTS, {"next_page_token": "x"}, {"experiments": [], "next_page_token": "x", "more": 1}]
)
def test_mlflow(body: object) -> None:
    """A tracking server's answer is taken, also behind redirects that keep the method."""
    check_answer(answer(200, body), server=SERVER)
    check_answer(after(answer(200, body, f"https://host{ENDPOINT}"), 308, 307), server=SERVER)


@pytest.mark.parametrize(
    ("response", "reason", "words"),
    [
        (answer(200, "<html>"), "not_mlflow", "not to a login page"),
        (answer(200, [1]), "not_mlflow", "not to a login page"),
        (answer(200, {"status": "ok"}), "not_mlflow", "not to a login page"),
        (answer(200, {"experiments": "none"}), "not_mlflow", "not to a login page"),
        (answer(404, "Not Found"), "not_found", "with its path prefix"),
        (answer(404, "Workspace 'x' not found"), "not_found", "correct MLFLOW_WORKSPACE"),
        (answer(401, "no"), "unauthorized", "(401)"),
        (answer(403, "Invalid Host header"), "forbidden", "--allowed-hosts"),
        (answer(418, "no"), "mlflow_unavailable", "cannot be asked: HTTP 418"),
        (
            after(answer(200, EXPERIMENTS, f"https://host/mlflow{ENDPOINT}?max_results=1"), 301),
            "redirected",
            "redirects (301) to https://host/mlflow, and on the way a POST becomes a GET; write https://host/mlflow as",
        ),
        (after(answer(405, "no", f"https://host{ENDPOINT}"), 302), "redirected", "write https://host as mlflow."),
        (after(answer(401, "no", f"https://me:geheim@else{ENDPOINT}"), 308), "redirected", "credentials are lost"),
        (
            after(answer(200, "<html>", "https://sso/login?state=geheim"), 302),
            "not_mlflow",
            "redirects (302) to https://sso/login, which is not MLflow's but perhaps a login page",
        ),
        (answer(301, "", Location=f"https://host{ENDPOINT}?x"), "redirected", "write https://host as mlflow."),
        (answer(302, "", Location="/login?next=geheim"), "not_mlflow", "to http://host/login, which is not MLflow's"),
    ],
)
def test_anything_else(response: requests.Response, reason: str, words: str) -> None:
    """Whatever else answers is told apart, with a remedy and without secrets."""
    found, text = refusal(response)
    assert (found, words in text) == (reason, True), text
    assert text.startswith(SERVER)
    assert "geheim" not in text


@pytest.mark.parametrize(("version", "old"), [("1.20.1", True), ("1.30\n", True), ("<html>2.0", False), ("", False)])
def test_too_old(version: str, old: bool) -> None:  # noqa: FBT001 - of the table
    """A server that lacks the endpoint but knows its version is an old MLflow."""
    found = too_old(version)
    assert bool(found) == old
    if found:
        assert (found.reason, version.strip() in found.happened) == ("not_found", True)

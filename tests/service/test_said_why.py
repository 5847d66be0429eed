"""Why MLflow does not answer, on its way to the log, `once`, the landing page and the metrics."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from driftgauge.cli import main
from driftgauge.service.front import Front
from e2e.service_bench import Bench, refreshed, until, values
from source.conftest import Canned, canned

__all__ = ["canned"]

SECRET = "geheim"  # noqa: S105 - the marker that is looked for
API = "/api/2.0/mlflow/"
JSON = {"Content-Type": "application/json"}
# An experiment without runs.
EXPERIMENT = {"experiment": {"experiment_id": "1", "name": "churn", "lifecycle_stage": "active"}}
GOOD = {
    f"{API}experiments/search": (200, JSON, b"{}"),
    f"{API}experiments/get-by-name": (200, JSON, json.dumps(EXPERIMENT).encode()),
    "/": (200, JSON, b"{}"),
}
PAGE = f"<html>log in, {SECRET}</html>".encode()

Answers = dict[str, tuple[int, dict[str, str], bytes]]
CAUSES: dict[str, tuple[Answers, str]] = {
    "unauthorized": ({"/": (401, {}, PAGE)}, "set MLFLOW_TRACKING_USERNAME"),
    "forbidden": ({"/": (403, {}, b"Invalid Host header - possible DNS rebinding attack detected")}, "--allowed-hosts"),
    "not_found": ({"/version": (200, {}, b"1.20.1"), "/": (404, {}, PAGE)}, "needs MLflow 2.0"),
    "not_mlflow": ({"/": (200, {"Content-Type": "text/html"}, PAGE)}, "not to a login page"),
    "tls": ({"/": (400, {}, b"The plain HTTP request was sent to HTTPS port")}, "write https://"),
    "proxy": ({"/": (407, {}, PAGE)}, "http_proxy"),
    "server_error": ({"/": (502, {}, PAGE)}, "look at the proxies"),
    # The first question goes through, and not the next.
    "redirected": ({f"{API}experiments/search": GOOD["/"], "/": (405, {}, PAGE)}, "write the address"),
}


@contextmanager
def serving(canned: Canned, folder: Path) -> Iterator[Front]:
    """Run a front that asks the canned server with a password."""
    uri = canned.url.replace("http://", f"http://me:{SECRET}@")
    with Bench(uri, folder, models=["churn"]).serving() as front:
        yield front


def test_each_cause_is_said_everywhere(canned: Canned, tmp_path: Path) -> None:
    """The counter's reason, the log and the landing page have cause and remedy, never a secret; the end is said too."""
    canned.answers = dict(GOOD)
    with capture_logs() as log, serving(canned, tmp_path) as front:
        until(front, refreshed)
        for reason, (answers, remedy) in CAUSES.items():
            canned.answers = answers
            failed = ("driftgauge_refresh_failures_total", reason)
            until(front, lambda found, failed=failed: failed in found)  # type: ignore[misc] # of this round
            shown = front.status().models[0].error or ""
            said = [line for line in log if line.get("reason") == reason]
            assert remedy in shown, reason
            assert len(said) == 1
            assert said[0]["log_level"] == "error"
            assert remedy in said[0]["error"]
        canned.answers = dict(GOOD)
        until(front, refreshed)
        assert front.status().models[0].error is None
        assert values(front)["driftgauge_mlflow_up",] == 1
    assert SECRET not in repr(log)
    assert [line["event"] for line in log if "again" in line["event"]] == ["model refreshed again"]
    assert [line["event"] for line in log if "MLflow" in line["event"]][-1] == "MLflow answers"


@pytest.mark.parametrize("reason", ["unauthorized"])
def test_once_says_it(canned: Canned, tmp_path: Path, reason: str) -> None:
    """`driftgauge once` ends with cause and remedy, and counts the reason."""
    canned.answers, remedy = CAUSES[reason]
    config = tmp_path / "driftgauge.yml"
    config.write_text(Bench(canned.url, tmp_path, models=["churn"]).read().text)
    found = CliRunner().invoke(main, ["once", f"--config.file={config}"])
    assert found.exit_code == 1
    assert f'driftgauge_refresh_failures_total{{reason="{reason}"}} 1' in found.stdout
    assert remedy in found.stderr
    assert SECRET not in found.output

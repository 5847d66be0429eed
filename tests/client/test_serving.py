"""A monitored model behind a real `mlflow models serve`, and the examples of the guide, run as they stand."""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import prometheus_client
import pytest

from client.models import log_model, logged_rows, register, tracking
from driftgauge.client import MonitoredModel, PredictionLogger
from e2e.servers import running
from mlflow_servers import free_port
from web.servers import running as serving

GUIDE: Final = Path(__file__).parents[2] / "exporter" / "docs" / "client.md"
PATIENCE: Final = 240
CHURN: Final = "/monitoring/churn"
_BLOCK: Final = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)


def post(url: str, body: object, headers: Mapping[str, str] | None = None) -> tuple[int, Any, Mapping[str, str]]:
    """Post JSON; return the status, what came back, and the headers."""
    all_headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), all_headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - as above
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def blocks(section: str) -> list[str]:
    """Return the Python of one section of the guide."""
    parts = _SECTION.split(GUIDE.read_text(encoding="utf-8"))
    (text,) = (text for title, text in zip(["Start", *parts[1::2]], parts[::2], strict=True) if title == section)
    found = _BLOCK.findall(text)
    assert found, section
    return found


@pytest.fixture(scope="module")
def client(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the client of a tracking server that MLflow uses meanwhile, with `churn`, whose champion is 1 from 40."""
    folder = tmp_path_factory.mktemp("serving")
    with tracking(mlflow_server) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
        patch.setenv("DRIFTGAUGE_SPOOL_DIR", str(folder / "spool"))
        body = "return (model_input['age'] >= 40).astype(int).tolist()"
        register(found, "churn", log_model(folder, body, experiment="/training/churn"))
        yield found


@pytest.fixture
def guide(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return the names that the guide's examples use without saying so; what they make is closed."""
    assert client
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "guide", "frame": pd.DataFrame({"age": [35, 52, 29], "plan": ["A", "B", "A"]})}
    yield names
    for made in names.values():
        # By type: Flask's proxies answer no question outside of a request.
        if type(made) in {PredictionLogger, MonitoredModel}:
            made.close(PATIENCE)


def run(names: dict[str, Any], section: str) -> None:
    """Run the examples of a section one after the other."""
    for code in blocks(section):
        exec(compile(code, f"{GUIDE.name}: {section}", "exec"), names)  # noqa: S102 - that is what is tested


def score(features: Mapping[str, Any]) -> int:
    """Predict as the endpoints of the guide do; fail for who is not born yet."""
    if features["age"] < 0:
        raise ValueError("age")
    return int(features["age"] >= 40)


def logged(client: Any, names: dict[str, Any], logger: str) -> dict[str, dict[str, Any]]:
    """Deliver what a logger has and return the rows of the experiment by request id."""
    assert names[logger].close(PATIENCE)
    return {row["request_id"]: row for row in logged_rows(client, CHURN)}


def test_the_first_steps(client: Any, guide: dict[str, Any]) -> None:
    """Rows, batches and labels arrive; what is private does not."""
    for section in ("Start", "Rows, batches and labels", "Privacy"):
        run(guide, section)

    assert guide["private"].close(PATIENCE)
    rows = logged(client, guide, "logger")
    assert [rows[key]["prediction"] for key in (guide["request_id"], *guide["ids"])] == [1, 1, 0, 1]
    assert rows[guide["request_id"]]["latency_seconds"] == 0.004
    assert guide["logger"].health().labels_logged == 4
    assert "order-7" not in rows
    assert not {"jane@example.org", "C-1017"} & {value for row in rows.values() for value in row.values()}
    assert [row for row in rows.values() if len(str(row.get("feature_customer"))) == 32]


def test_monitored_models(client: Any, guide: dict[str, Any]) -> None:
    """A monitored model answers, logs by its version, and takes labels."""
    run(guide, "Monitored models")

    assert guide["answer"] == [0, 1, 0]
    assert guide["model"].logger.health().labels_logged == 0
    rows = logged(client, {"model": guide["model"]}, "model")
    assert [(rows[key]["prediction"], rows[key]["model_version"]) for key in ("r1", *guide["ids"])] == [
        (0, "1"), (0, "1"), (1, "1"), (0, "1"),
    ]  # fmt: skip
    assert guide["model"].logger.health().labels_logged == 3


def test_references(guide: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The reference is logged, and its accuracy printed."""
    p = np.linspace(0, 1, 100)
    guide["validation"] = pd.DataFrame({"age": range(100), "p": p, "churned": p > 0.6})
    run(guide, "References")

    assert float(capsys.readouterr().out) == 0.9


def test_fastapi(client: Any, guide: dict[str, Any]) -> None:
    """Each request is logged under its id, also one that fails, with features, prediction and latency."""
    guide["score"] = score
    run(guide, "FastAPI and Starlette")
    with serving(guide["app"]) as url:
        status, answer, headers = post(f"{url}/predict", {"age": 50}, {"X-Request-ID": "fast-1"})
        failed, _, _ = post(f"{url}/predict", {"age": -1}, {"X-Request-ID": "fast-2"})
        made_up = post(f"{url}/predict", {"age": 20})[2]["x-request-id"]
        other, _, _ = post(f"{url}/nothing", {})

    assert (status, answer, headers["x-request-id"]) == (200, {"prediction": 1}, "fast-1")
    assert (failed, other) == (500, 404)
    check_requests(logged(client, guide, "predictions"), "fast-1", "fast-2", made_up)
    assert guide["predictions"].health().logged == 3


def test_flask(client: Any, guide: dict[str, Any]) -> None:
    """The same with Flask."""
    guide["score"] = score
    run(guide, "Flask")
    caller = guide["app"].test_client()
    answer = caller.post("/predict", json={"age": 50}, headers={"X-Request-ID": "flask-1"})
    failed = caller.post("/predict", json={"age": -1}, headers={"X-Request-ID": "flask-2"})
    made_up = caller.post("/predict", json={"age": 20}).headers["X-Request-ID"]

    assert (answer.status_code, answer.json, answer.headers["X-Request-ID"]) == (200, {"prediction": 1}, "flask-1")
    assert failed.status_code == 500
    assert caller.get("/nothing").status_code == 404
    check_requests(logged(client, guide, "predictions"), "flask-1", "flask-2", made_up)
    assert guide["predictions"].health().logged == 3


def check_requests(rows: Mapping[str, Mapping[str, Any]], good: str, failed: str, made_up: str) -> None:
    """Check what two good requests and a failed one left."""
    assert [rows[key]["feature_age"] for key in (good, failed, made_up)] == [50, -1, 20]
    assert [rows[key]["prediction"] for key in (good, failed, made_up)] == [1, None, 0]
    assert [rows[key].get("error") for key in (good, failed, made_up)] == [None, "ValueError", None]
    assert all(0 < rows[key]["latency_seconds"] < PATIENCE for key in (good, failed, made_up))


def test_metrics(guide: dict[str, Any]) -> None:
    """The guide's table has every metric that the host then exposes."""
    run(guide, "Metrics of the client")
    try:
        families = [family for family in prometheus_client.REGISTRY.collect() if "driftgauge_client" in family.name]
    finally:
        # Other tests of this process register them as well.
        ours = [c for c in prometheus_client.REGISTRY._collector_to_names if type(c).__name__ == "ClientCollector"]
        for collector in ours:
            prometheus_client.REGISTRY.unregister(collector)
    names = {family.name + "_total" * (family.type == "counter"): family for family in families}
    text = GUIDE.read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(driftgauge_client_\w+)`", text, re.MULTILINE)) == names.keys()
    assert [name for name, family in names.items() if f"| {family.type} | {family.documentation} |" not in text] == []


def test_mlflow_models_serve(
    client: Any, guide: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real scoring server answers as the model does; what it was asked is in MLflow once it has ended by SIGTERM."""
    code, logs = blocks("`mlflow models serve`")
    (tmp_path / "served.py").write_text(code, encoding="utf-8")
    exec(compile(logs, GUIDE.name, "exec"), guide)  # noqa: S102 - that is what is tested
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    port = free_port()
    place = ["--host", "127.0.0.1", "--port", str(port), "--env-manager", "local"]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", guide["served"].model_uri, *place]
    with ExitStack() as until:
        until.enter_context(running(command, health=f"http://127.0.0.1:{port}/ping", folder=tmp_path))
        table = {"columns": ["request_id", "age"], "data": [["served-1", 50], ["served-2", 20]]}
        status, answer, _ = post(f"http://127.0.0.1:{port}/invocations", {"dataframe_split": table})
        without_ids = post(f"http://127.0.0.1:{port}/invocations", {"dataframe_records": [{"age": 77}]})

        assert (status, answer) == (200, {"predictions": [1, 0]})
        assert without_ids[:2] == (200, {"predictions": [1]})
        deadline = time.monotonic() + PATIENCE
        rows: list[dict[str, Any]] = []
        # While the server lives: what it cannot deliver in time when it is stopped would wait for the next one.
        while len(rows) < 3:
            assert time.monotonic() < deadline, (tmp_path / "server.log").read_text()
            time.sleep(0.2)
            stored = logged_rows(client, CHURN)
            rows = [row for row in stored if row["request_id"].startswith("served-") or row["feature_age"] == 77]
    found = [(row["feature_age"], row["prediction"], row["model_version"]) for row in rows]
    assert found == [(50, 1, "1"), (20, 0, "1"), (77, 1, "1")]
    assert "feature_request_id" not in rows[0]

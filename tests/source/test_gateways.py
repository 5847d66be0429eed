"""Tracking servers behind a real nginx: limits of requests, redirects, TLS, prefixes, logins."""

import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from structlog.testing import capture_logs

from driftgauge.config import Config
from driftgauge.errors import SourceUnavailable
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.scratch import Scratch
from driftgauge.service.refreshing import refresh_models
from driftgauge.source import Source
from driftgauge.source.schedule import Portions
from driftgauge.store import Store
from source.conftest import LIMIT
from source.fault_proxy import Exchange, FaultProxy, status, untouched
from source.nginx import Gateways, gateways

# `make gateways` takes 60, as a first pull has.
RUNS = int(os.environ.get("GATEWAY_RUNS", "16"))
ROWS = 5
# What it takes to find, list and read so many runs of a file in a folder each.
LEAST = 3 * RUNS


@pytest.fixture(scope="module")
def nginx(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    """Return gateways in front of the tracking server."""
    with gateways(mlflow_server, tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture(scope="module")
def experiment(mlflow_server: str) -> str:
    """Return an experiment with so many runs of a file each."""
    client, name = MlflowClient(mlflow_server), f"/monitoring/{uuid4().hex}"
    experiment_id = client.create_experiment(name)
    lines = "".join(json.dumps({"prediction": 1, "timestamp": time.time()}) + "\n" for _ in range(ROWS))
    for _ in range(RUNS):
        run_id = client.create_run(experiment_id).info.run_id
        client.log_text(run_id, lines, "preds/p.jsonl")
        client.set_terminated(run_id)
    return name


def config_for(uri: str, experiment: str, folder: Path) -> Config:
    """Return a configuration of one model."""
    model = {"name": "churn", "predictions": {"experiment": experiment, "artifacts": "preds/*"}}
    fixed = {"mlflow": {"tracking_uri": uri}, "state_dir": str(folder / "state"), "models": [model]}
    return Config.model_validate(fixed)


def predictions(pipeline: Pipeline) -> int:
    """Return how many predictions were counted."""
    return sum(version.predictions for version in pipeline.states[0].totals.versions.values())


@pytest.mark.parametrize(
    ("gateway", "per_second", "burst", "refused"),
    [("limit 20", 20, 40, 429), ("limit 10", 10, 5, 503), ("limit 10 with Retry-After", 10, 5, 429)],
)
def test_first_pull_behind_a_limit(
    nginx: Gateways, experiment: str, tmp_path: Path, gateway: str, per_second: int, burst: int, refused: int
) -> None:
    """It ends with the first refresh or the next, in at most twice the least time, with few requests in vain."""
    config = config_for(nginx.url(gateway), experiment, tmp_path)
    store, began = Store.open(config.state_dir), time.monotonic()
    try:
        pipeline = Pipeline(config, Feeds(config), store, executor=Inline(), patience=config.refresh_interval)
        refreshes = 0
        while predictions(pipeline) < RUNS * ROWS and refreshes < 4:
            report = pipeline.refresh(int(time.time() * 1e6))
            refreshes += 1
        seconds = time.monotonic() - began
    finally:
        store.close()
    statuses = nginx.asked(gateway)
    sys.stderr.write(
        f"\n{gateway}: {RUNS} runs in {refreshes} refreshes, {seconds:.1f} s, {len(statuses)} requests, "
        f"{statuses.count(refused)} refused\n"
    )
    assert report.failures == {}
    assert predictions(pipeline) == RUNS * ROWS
    assert seconds < 2 * (len(statuses) - burst) / per_second + 3
    assert LEAST < len(statuses) < 1.5 * LEAST
    assert statuses.count(refused) < 50


def test_a_quota_smaller_than_a_refresh_takes(mlflow_server: str, experiment: str, tmp_path: Path) -> None:
    """Forty requests for each refresh: what they give is read, counted and shown, and the next refresh goes on."""
    proxy, left = FaultProxy(mlflow_server), [0]

    def quota(exchange: Exchange) -> None:
        left[0] -= 1
        (status(429, ("Retry-After", "600")) if left[0] < 0 else untouched)(exchange)

    config = config_for(proxy.url, experiment, tmp_path)
    feeds = Feeds(config, portions=Portions(patience=0.3))
    store = Store.open(config.state_dir)
    reasons, counts, shown, samples = [], [0], [0], {}
    try:
        pipeline = Pipeline(config, feeds, store, executor=Inline(), patience=config.refresh_interval)
        with proxy.spoiling("/", quota), capture_logs() as logs:
            # How much fits into forty requests depends on how busy the machine is.
            while reasons[-1:] != [""] and len(reasons) < 4 * RUNS:
                left[0] = 40
                report, samples = refresh_models(config, pipeline, samples, now=int(time.time() * 1e6))
                reasons.append(report.failures.get("churn", ("", ""))[0])
                counts.append(predictions(pipeline))
                totals = samples["churn"].get("model_predictions_total", ())
                shown.append(int(sum(sample.value for sample in totals)))
                # What is counted is shown, unless the server said nothing at all.
                assert shown[-1] == (shown[-2] if reasons[-1] == "rate_limited" else counts[-1])
    finally:
        store.close()
        proxy.close()
    # The first may list all runs and read none of them, as it knows of no quota.
    assert "unfinished" in reasons
    assert reasons[-1] == ""
    assert counts[-1] == RUNS * ROWS
    assert all(sooner <= later for sooner, later in pairwise(counts))
    # Said when it begins, and not at each refresh.
    said = [line for line in logs if line.get("reason") == "unfinished"]
    begun = sum(now == "unfinished" != before for before, now in pairwise(["", *reasons]))
    assert 1 <= len(said) <= begun, (reasons, counts, logs)
    assert "raise the limit of requests" in said[0]["error"]


def refusal(uri: str, folder: Path) -> tuple[str, str]:
    """Return the reason and the words of a tracking server that cannot be asked."""
    with pytest.raises(SourceUnavailable) as failure:
        Source(uri, max_artifact_bytes=LIMIT, spool=Scratch(folder / "spool"), timeout=5).check()
    assert "geheim" not in str(failure.value)
    return failure.value.reason, str(failure.value)


@pytest.mark.parametrize(
    ("gateway", "reason", "words"),
    [
        ("redirect 301", "redirected", "write https://localhost:PORT as mlflow.tracking_uri"),
        ("login page", "not_mlflow", "redirects (302) to http://127.0.0.1:OWN/login"),
        ("token", "unauthorized", "MLFLOW_TRACKING_TOKEN"),
        ("prefix", "not_found", "with its path prefix"),
        ("client certificate", "tls", "MLFLOW_TRACKING_CLIENT_CERT_PATH"),
        ("dead upstream", "server_error", "gets no answer from it (502)"),
    ],
)
def test_refusals(
    nginx: Gateways, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway: str, reason: str, words: str
) -> None:
    """Each is told apart, with what to do."""
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(nginx.certificate))
    words = words.replace("PORT", str(nginx.ports["https"])).replace("OWN", str(nginx.ports[gateway]))
    found, text = refusal(nginx.url(gateway), tmp_path)
    assert (found, words in text) == (reason, True), text


def test_tls(nginx: Gateways, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of nobody known, one for another name, TLS where there is none, and none where there is TLS."""
    https = nginx.url("https")
    assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in refusal(https, tmp_path)[1]
    assert refusal(nginx.url("plain").replace("http:", "https:"), tmp_path)[0] == "tls"
    reason, text = refusal(https.replace("https:", "http:"), tmp_path)
    assert (reason, "write https://" in text) == ("tls", True)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(nginx.certificate))
    reason, text = refusal(https.replace("localhost", "127.0.0.1"), tmp_path)
    assert (reason, "another name" in text) == ("tls", True)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "nowhere.pem"))
    assert "is not there" in refusal(https, tmp_path)[1]


def test_a_dead_proxy(nginx: Gateways, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the proxy that is named, not the server."""
    monkeypatch.setenv("http_proxy", f"http://me:geheim@127.0.0.1:{nginx.ports['nobody']}")
    reason, text = refusal("http://mlflow.example.com:5000", tmp_path)
    assert (reason, "no_proxy" in text) == ("proxy", True)


def test_a_workspace_of_a_server_without_workspaces(
    mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the variable that is named."""
    monkeypatch.setenv("MLFLOW_WORKSPACE", "nowhere")
    reason, text = refusal(mlflow_server, tmp_path)
    assert (reason, "unset MLFLOW_WORKSPACE" in text) == ("not_found", True), text


@pytest.mark.parametrize("gateway", ["https", "prefix", "redirect 308", "token"])
def test_what_works(
    nginx: Gateways, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway: str
) -> None:
    """The same gateways let through whom they should."""
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(nginx.certificate))
    if gateway == "token":
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cr3t-token")
    uri = nginx.url(gateway) + ("/mlflow" if gateway == "prefix" else "")
    with capture_logs() as logs:
        source = Source(uri, max_artifact_bytes=LIMIT, spool=Scratch(tmp_path / "spool"))
        found = source.runs(experiment, known={}, full=True)
    assert len(found.states) == RUNS
    assert logs == []

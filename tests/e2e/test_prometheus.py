"""A real Prometheus scrapes the running exporter, in both formats, and answers queries with the true figures."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from driftgauge.families import LATENCY_BUCKETS
from driftgauge.generator.rules import alert
from driftgauge.generator.thresholds import parse
from e2e.exporter import request as ask
from e2e.exporter import serving
from e2e.oracle import numeric_drift
from e2e.servers import running
from installed import found
from mlflow_servers import free_port

PATIENCE: Final = 60
TEXT: Final = "text/plain;version=0.0.4"
CONFIG: Final = """
mlflow: {{tracking_uri: "{uri}"}}
state_dir: {folder}/state
refresh_interval: 1s
models:
  - name: churn
    predictions: {{experiment: prometheus-churn}}
    reference: {{uri: "runs:/{reference}/reference.parquet"}}
"""
SCRAPES: Final = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: openmetrics
    static_configs: [{{targets: ["{exporter}"]}}]
  - job_name: text
    static_configs: [{{targets: ["{proxy}"]}}]
  - job_name: honored
    honor_labels: true
    static_configs: [{{targets: ["{exporter}"], labels: {labels}}}]
  - job_name: renamed
    static_configs: [{{targets: ["{exporter}"], labels: {labels}}}]
"""
# Families by name, and what Prometheus 3 can be told to ask for; the one before has no such setting.
SOME: Final = """
  - job_name: some
    params: {{"name[]": [model_accuracy, model_window_latency_seconds, process_cpu_seconds_total, no_such]}}
    static_configs: [{{targets: ["{exporter}"]}}]
"""
PROTOCOLS: Final = ("PrometheusText1.0.0", "PrometheusText0.0.4", "OpenMetricsText1.0.0")
PROTOCOL: Final = """
  - job_name: {name}
    scrape_protocols: [{name}]
    params: {{"name[]": [model_accuracy]}}
    static_configs: [{{targets: ["{exporter}"]}}]
"""
# Of a target, as of a pod that Istio runs.
OTHERS_LABELS: Final = '{version: "1.2.0", model: pod, window: night}'


def traffic(rng: np.random.Generator, rows: int, *, shift: float) -> pd.DataFrame:
    """Return records of the last half hour that carry their label."""
    score = rng.random(rows)
    return pd.DataFrame(
        {
            "timestamp": time.time() - rng.uniform(60, 1800, rows),
            "model_version": "3",
            "feature_age": rng.normal(40 + shift, 10, rows),
            "score": score,
            "label": (rng.random(rows) < score).astype(int),
            "latency_s": rng.lognormal(-3, 1, rows),
        }
    )


@dataclass(frozen=True)
class Scraped:
    """What was logged, the reference, and the address of the Prometheus that knows it."""

    rows: pd.DataFrame
    reference: pd.DataFrame
    prometheus: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        status, _, body = ask(self.prometheus, f"/api/v1/query?{urlencode({'query': expression})}")
        assert status == 200, body
        result: list[dict[str, Any]] = json.loads(body)["data"]["result"]
        return result

    def value(self, expression: str) -> float:
        """Return the one value an expression has."""
        (found,) = self.query(expression)
        return float(found["value"][1])


@dataclass(frozen=True)
class Exported:
    """What was logged, the reference, and where the exporter and a proxy before it answer (host:port)."""

    rows: pd.DataFrame
    reference: pd.DataFrame
    exporter: str
    proxy: str


@pytest.fixture(scope="module")
def exported(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """Fill a tracking server and run the exporter over it."""
    folder, rng = tmp_path_factory.mktemp("prometheus"), np.random.default_rng(3)
    rows, reference = traffic(rng, 3_000, shift=5), traffic(rng, 2_000, shift=0)
    config = folder / "driftgauge.yml"
    uris = {"uri": mlflow_server, "reference": log(mlflow_server, folder, rows, reference)}
    config.write_text(CONFIG.format(folder=folder, **uris), encoding="utf-8")
    port = free_port()
    with serving(config, port) as exporter, text_proxy(exporter.url) as proxy:
        exporter.wait_until_ready()
        yield Exported(rows, reference, f"127.0.0.1:{port}", proxy)


@pytest.fixture(scope="module", params=found("prometheus"))
def scraped(
    request: pytest.FixtureRequest, exported: Exported, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scraped]:
    """Let each Prometheus there is scrape it directly and through a proxy."""
    folder, url = tmp_path_factory.mktemp("scrapes"), f"http://127.0.0.1:{free_port()}"
    scrapes = folder / "prometheus.yml"
    places = {"exporter": exported.exporter, "proxy": exported.proxy}
    text = SCRAPES.format(**places, labels=OTHERS_LABELS) + SOME.format(**places)
    if not request.param.startswith("2."):
        text += "".join(PROTOCOL.format(name=name, **places) for name in PROTOCOLS)
    scrapes.write_text(text, encoding="utf-8")
    command = [found("prometheus")[request.param], f"--config.file={scrapes}", f"--storage.tsdb.path={folder}/data"]
    command.append(f"--web.listen-address={url.removeprefix('http://')}")
    with running(command, health=f"{url}/-/ready", folder=folder):
        known = Scraped(exported.rows, exported.reference, url)
        wait_for_scrapes(known, jobs=text.count("job_name"))
        yield known


def log(uri: str, folder: Path, rows: pd.DataFrame, reference: pd.DataFrame) -> str:
    """Log the rows and the reference in a run each; return the id of the reference's."""
    client = MlflowClient(uri)
    runs = {}
    for name, frame, experiment in (("batch", rows, "churn"), ("reference", reference, "references")):
        file = folder / f"{name}.parquet"
        frame.to_parquet(file)
        runs[name] = client.create_run(client.create_experiment(f"prometheus-{experiment}")).info.run_id
        client.log_artifact(runs[name], str(file))
        client.set_terminated(runs[name])
    return str(runs["reference"])


@contextlib.contextmanager
def text_proxy(target: str) -> Iterator[str]:
    """Pass requests on, asking for plain text whatever the client accepts, which Prometheus has no setting for."""
    server = _Proxy(("127.0.0.1", 0), _Pass)
    server.target = target
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Proxy(ThreadingHTTPServer):
    target: str


class _Pass(BaseHTTPRequestHandler):
    server: _Proxy

    def do_GET(self) -> None:
        status, headers, body = ask(self.server.target, self.path, headers={"Accept": TEXT})
        self.send_response(status)
        for name in ("content-type", "content-length"):
            self.send_header(name, headers[name])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def wait_for_scrapes(known: Scraped, *, jobs: int) -> None:
    """Wait until Prometheus has scraped all targets."""
    deadline = time.monotonic() + PATIENCE
    while len(known.query("model_accuracy")) < 3 * jobs:
        assert time.monotonic() < deadline, known.query("up")
        time.sleep(0.2)


BOTH: Final = pytest.mark.parametrize("job", ["openmetrics", "text"])


def selector(job: str, **labels: str) -> str:
    """Return a matcher of the model's series in the last hour, as scraped by a job."""
    wanted: Mapping[str, str] = {"job": job, "model": "churn", "version": "3", "window": "1h", **labels}
    return "{" + ",".join(f'{name}="{value}"' for name, value in wanted.items()) + "}"


@BOTH
def test_targets_are_scraped_in_their_format(scraped: Scraped, job: str) -> None:
    """Both scrapes succeed, and Prometheus itself says which type a gauge histogram had on each page."""
    assert scraped.value(f'up{{job="{job}"}}') == 1
    _, _, body = ask(scraped.prometheus, "/api/v1/targets/metadata?metric=model_window_latency_seconds")
    types = {entry["target"]["job"]: entry["type"] for entry in json.loads(body)["data"]}

    assert types[job] == {"openmetrics": "gaugehistogram", "text": "histogram"}[job]


@BOTH
def test_psi(scraped: Scraped, job: str) -> None:
    """The population stability index is the one computed by hand on the logged rows, and the drift is flagged."""
    age = selector(job, feature="age")
    expected = numeric_drift(scraped.reference["feature_age"], scraped.rows["feature_age"])["psi"]

    assert scraped.value(f"model_feature_psi{age}") == pytest.approx(expected, rel=1e-9)
    assert scraped.value(f"model_feature_drift_detected{age}") == 1


@BOTH
@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_latency_quantiles(scraped: Scraped, job: str, quantile: float) -> None:
    """The published quantile is numpy's; the one from the window's buckets lies in the bucket of the true value."""
    latency = scraped.rows["latency_s"]
    expected = float(np.quantile(latency, quantile))
    published = scraped.value(f"model_latency_quantile_seconds{selector(job, quantile=str(quantile))}")
    from_buckets = scraped.value(f"histogram_quantile({quantile}, model_window_latency_seconds_bucket{selector(job)})")

    assert published == pytest.approx(expected, rel=1e-2)
    assert from_buckets == pytest.approx(interpolated(latency, quantile), rel=1e-9)


def test_labels_of_the_target_change_nothing_where_ours_are_honored(scraped: Scraped) -> None:
    """With `honor_labels` driftgauge's labels are what it says; without, they are renamed, and a rule finds that."""
    model = '{model="churn", version="3", window="1h"}'
    jobs = {each["metric"]["job"] for each in scraped.query(f"model_accuracy{model}")}
    renamed = {}
    for job in ("honored", "renamed"):
        rule = alert(parse(f"exporter: {{job: {job}}}", filename="mine.yml"), "DriftgaugeLabelsRenamed")
        assert rule is not None
        renamed[job] = {each["metric"]["label"] for each in scraped.query(rule["expr"])}

    assert {"openmetrics", "text", "honored"} <= jobs
    assert "renamed" not in jobs
    assert renamed == {"honored": set(), "renamed": {"model", "version", "window"}}


def test_families_by_name(scraped: Scraped) -> None:
    """A job that names families gets these, in whatever protocol it asks for, and nothing else."""
    names = {each["metric"]["__name__"] for each in scraped.query('{__name__!~"(up|scrape_.+)", job="some"}')}
    latency = "model_window_latency_seconds"

    assert names == {
        *("model_accuracy", "process_cpu_seconds_total"),
        *(f"{latency}_bucket", f"{latency}_gcount", f"{latency}_gsum"),
    }
    if scraped.query('up{job="PrometheusText1.0.0"}'):
        protocols = scraped.query('count by (job) ({__name__=~"model_.+", job=~".+Text.+"})')
        assert {each["metric"]["job"]: each["value"][1] for each in protocols} == dict.fromkeys(PROTOCOLS, "3")


def interpolated(latency: pd.Series, quantile: float) -> float:
    """Return the quantile of bucketed values as Prometheus defines it: linear within the bucket it falls into."""
    bounds = np.array([0.0, *LATENCY_BUCKETS])
    below = np.array([(latency <= bound).sum() for bound in bounds])
    return float(np.interp(quantile * len(latency), below, bounds))


@BOTH
def test_counters_and_totals(scraped: Scraped, job: str) -> None:
    """Counters and the gauge histogram's count have the same names in both formats."""
    model = f'{{job="{job}",model="churn"}}'

    for name in ("model_predictions_total", "model_labels_total", "model_latency_seconds_count"):
        assert scraped.value(f"{name}{model}") == len(scraped.rows)
    assert scraped.value(f"model_window_latency_seconds_gcount{selector(job)}") == len(scraped.rows)
    assert scraped.value(f"model_batches_total{model}") == 1

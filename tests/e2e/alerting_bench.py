"""Everything between a batch in MLflow and a person's phone: store, exporter, Prometheus, Alertmanager, receivers.

All are the real programs, with the rules and the Alertmanager configuration that `driftgauge generate` renders. What is
faster than in production stands in a user's file of thresholds: waiting times, windows, addresses.
"""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest

from e2e.exporter import Exporter, driftgauge, request, serving
from e2e.filling import Filling
from e2e.paging import MAIL_PASSWORD, MAIL_USER, PAGERDUTY_PATH, Inbox, inbox
from e2e.servers import running
from installed import newest
from mlflow_servers import free_port

# Nothing takes that long but on a machine that is busy with much else.
PATIENCE: Final = 240
FEATURES: Final = ("age", "balance", "income", "tenure", "usage", "visits")
MODELS: Final = ("churn", "fraud", "eta")
SECRETS: Final = {"growth-pagerduty-key": "key-of-growth", "platform-pagerduty-key": "key-of-platform"}
# What a user writes to hear within seconds. Everything else is as shipped.
THRESHOLDS: Final = """
links: {{runbooks: "http://runbooks.test", grafana: "http://grafana.test", mlflow: "http://mlflow.test"}}
exporter: {{refresh_interval: 1s}}
windows: {{performance: 1h, drift: 1h, quality: 1h, service: 1h, traffic: 1h, labels: 1h}}
smoothing: 2s
activity: 15s
notifications:
  secrets_directory: {folder}/secrets
  pagerduty_url: {web}{pagerduty}
  smtp: {{smarthost: "{smarthost}", username: {user}, require_tls: false}}
  watchdog: {{url: "{web}/watchdog", every: 2s}}
  severities:
    critical: {{channels: [pagerduty], group_wait: 2s, group_interval: 2s}}
    high: {{channels: [slack], group_wait: 2s, group_interval: 2s}}
    low: {{channels: [email], group_wait: 4s, group_interval: 2s}}
  teams:
    platform: {{slack_channel: "#platform", email: [platform@example.com]}}
    growth: {{slack_channel: "#growth", email: [growth@example.com]}}
  default_team: platform
models:
  churn: {{team: growth}}
alerts:
  ModelPerformanceDegraded: {{for: 4s, keep_firing_for: 1s}}
  ModelFeaturesDrifted: {{for: 4s, keep_firing_for: 15s}}
  ModelFeatureDrifted: {{for: 4s, keep_firing_for: 12s}}
  ModelRowsRejected: {{within: 10s}}
  ModelBatchesRejected: {{within: 10s}}
  DriftgaugeAbsent: {{for: 8s, keep_firing_for: 14s}}
  DriftgaugeDown: {{for: 8s, keep_firing_for: 16s}}
"""
CONFIG: Final = """
mlflow: {{tracking_uri: "{uri}"}}
state_dir: {folder}/state
refresh_interval: 1s
windows: [1h]
models:
"""
MODEL: Final = """
  - name: {name}
    predictions: {{experiment: /monitoring/{name}}}
    reference: {{uri: "{folder}/reference.parquet"}}
"""
PROMETHEUS: Final = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{folder}/set/alerting-rules/*.rules.yml"]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]
scrape_configs:
  - job_name: driftgauge
    honor_labels: true
    static_configs: [{{targets: ["{exporter}"]}}]
"""


def rows(count: int, *, seed: int, right: float = 0.95, shifted: Sequence[str] = ()) -> pd.DataFrame:
    """Return predictions with their labels: such a share is right, and these features are off by a deviation."""
    rng = np.random.default_rng(seed)
    predicted = np.arange(count) % 2
    correct = np.arange(count) % 100 < right * 100
    frame = pd.DataFrame({f"feature_{name}": rng.normal(name in shifted, 1, count) for name in FEATURES})
    return frame.assign(
        feature_plan=rng.choice(["A", "B", "C"], count),
        model_version="3",
        prediction=predicted,
        score=np.where(predicted == 1, rng.uniform(0.5, 1, count), rng.uniform(0, 0.5, count)),
        label=np.where(correct, predicted, 1 - predicted),
        latency_s=0.02,
    )


@dataclass
class Stack:
    """The running servers, and the exporter, which can be killed and started again."""

    filling: Filling
    inbox: Inbox
    rules: Path
    prometheus: str
    exporter: "Mortal"
    batches: int = 0

    def log(self, model: str, frame: pd.DataFrame) -> float:
        """Log a batch of predictions made just now; return when that was done."""
        self.batches += 1
        stamped = frame.assign(timestamp=time.time() - 1)
        self.filling.log(f"/monitoring/{model}", f"predictions-{self.batches}.parquet", stamped.to_parquet)
        return time.monotonic()

    def log_damaged(self, model: str) -> None:
        """Log a file that cannot be read, and one with a row that cannot."""
        row = json.dumps({"prediction": 1, "label": 1, "model_version": "3", "timestamp": time.time() - 1})
        damaged = {"predictions-cut.parquet": "PAR1", "predictions-cut.jsonl": f'{row}\n{{"prediction": 1, "la'}
        for name, text in damaged.items():
            self.filling.log(f"/monitoring/{model}", name, partial(Path.write_text, data=text, encoding="utf-8"))

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        status, _, body = request(self.prometheus, f"/api/v1/query?{urlencode({'query': expression})}")
        assert status == 200, body
        result: list[dict[str, Any]] = json.loads(body)["data"]["result"]
        return result

    def firing(self, alert: str, **labels: str) -> bool:
        """Whether Prometheus says that the alert fires."""
        wanted = {"alertname": alert, "alertstate": "firing", **labels}
        matchers = ",".join(f'{name}="{value}"' for name, value in wanted.items())
        return bool(self.query(f"ALERTS{{{matchers}}}"))

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until the condition holds; fail with the notifications so far when it never does."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                sent = "\n".join(f"{each.channel} {each.to}: {each.subject}" for each in self.inbox.notifications)
                fire = [found["metric"] for found in self.query("ALERTS")]
                pytest.fail(f"waited in vain for {what}; notifications:\n{sent}\nalerts: {fire}")
            time.sleep(0.1)


@dataclass
class Mortal:
    """An exporter that comes back with the same state under the same address."""

    config: Path
    port: int
    _lives: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _now: Exporter | None = None

    def start(self) -> None:
        """Start it and wait for its first refresh."""
        self._now = self._lives.enter_context(serving(self.config, self.port))
        self._now.wait_until_ready()

    def kill(self) -> float:
        """Kill it without a chance to say anything; return when."""
        assert self._now is not None
        self._now.process.kill()
        self._now.process.wait()
        return time.monotonic()

    def close(self) -> None:
        """End what is left of it."""
        self._lives.close()


@contextlib.contextmanager
def stack(empty_database: Path, folder: Path) -> Iterator[Stack]:
    """Run everything, on a store without a batch, until the block is left."""
    shutil.copyfile(empty_database, folder / "mlflow.db")
    uri = f"sqlite:///{folder}/mlflow.db"
    filling = Filling(uri, folder)
    for model in MODELS:
        filling.client.create_experiment(f"/monitoring/{model}", str(folder / "artifacts"))
    rows(2_000, seed=1).to_parquet(folder / "reference.parquet")
    config = folder / "driftgauge.yml"
    models = "".join(MODEL.format(name=name, folder=folder) for name in MODELS)
    config.write_text(CONFIG.format(uri=uri, folder=folder) + models, encoding="utf-8")
    exporter = Mortal(config, free_port())
    prometheus, alertmanager = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with inbox() as box, contextlib.closing(exporter):
        _generate(folder, box)
        scrapes = PROMETHEUS.format(folder=folder, alertmanager=alertmanager, exporter=f"127.0.0.1:{exporter.port}")
        (folder / "prometheus.yml").write_text(scrapes, encoding="utf-8")
        exporter.start()
        with alertmanager_of(folder, alertmanager), prometheus_of(folder, prometheus) as url:
            yield Stack(filling, box, folder / "set" / "alerting-rules", url, exporter)


def _generate(folder: Path, box: Inbox) -> None:
    """Render the set from the user's file, as the user does, and lay out the secrets that its header asks for."""
    values: Mapping[str, object] = {"web": box.address, "smarthost": box.smarthost, "user": MAIL_USER}
    text = THRESHOLDS.format(folder=folder, pagerduty=PAGERDUTY_PATH, **values)
    (folder / "mine.yml").write_text(text, encoding="utf-8")
    done = driftgauge("generate", "--thresholds", folder / "mine.yml", "--output", folder / "set")
    assert done.returncode == 0, done.stderr
    secrets = {
        **SECRETS,
        "platform-slack-url": f"{box.address}/slack/platform",
        "growth-slack-url": f"{box.address}/slack/growth",
        "smtp-password": MAIL_PASSWORD,
        "watchdog-token": "token-of-the-switch",
    }
    (folder / "secrets").mkdir()
    for name, secret in secrets.items():
        (folder / "secrets" / name).write_text(secret, encoding="utf-8")


@contextlib.contextmanager
def alertmanager_of(folder: Path, address: str) -> Iterator[None]:
    """Run Alertmanager with the set that was rendered into the folder."""
    config = folder / "set" / "alerting-rules" / "alertmanager.yml"
    command = [newest("alertmanager"), f"--config.file={config}", f"--storage.path={folder}/alertmanager"]
    command += [f"--web.listen-address={address}", "--cluster.listen-address="]
    with running(command, health=f"http://{address}/-/ready", folder=_own(folder, "alertmanager")):
        yield


@contextlib.contextmanager
def prometheus_of(folder: Path, address: str) -> Iterator[str]:
    """Run Prometheus with `prometheus.yml` in the folder; lend its URL."""
    command = [newest("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    url = f"http://{address}"
    with running(
        [*command, f"--web.listen-address={address}"], health=f"{url}/-/ready", folder=_own(folder, "prometheus")
    ):
        yield url


def _own(folder: Path, name: str) -> Path:
    """Return a folder for a server's log."""
    (folder / name).mkdir(exist_ok=True)
    return folder / name

"""Everything between a batch in MLflow and the next version of its model: the servers, and the code that serves it.

The training script is the one that stands in the documentation, started by `driftgauge hook` as its users start it.
"""

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import mlflow
import numpy as np
import pandas as pd
import pytest

from client.models import tracking
from e2e.alerting_bench import PROMETHEUS, alertmanager_of, prometheus_of
from e2e.exporter import command, serving
from e2e.filling import Filling
from e2e.grafana import Prometheus
from hook.running import Hook, hooked
from mlflow_servers import free_port

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 240
MODEL: Final = "retrained"
PREDICTIONS: Final = f"/monitoring/{MODEL}"
RECORDS: Final = f"/monitoring/{MODEL}-retraining"
TOKEN: Final = "token-of-the-hook"  # noqa: S105 - of a hook that lives for a minute
# What a user writes to see within seconds what takes days. Everything else is as shipped.
THRESHOLDS: Final = """
exporter: {{refresh_interval: 1s}}
windows: {{performance: 1h, drift: 1h, quality: 1h, service: 1h, traffic: 1h, labels: 1h}}
smoothing: 2s
activity: 10s
notifications:
  secrets_directory: {folder}
  smtp: false
  watchdog: false
  severities: {{critical: {{channels: []}}, high: {{channels: []}}, medium: {{channels: []}}, low: {{channels: []}}}}
  hook:
    url: http://{hook}/alerts
    alerts: [ModelPerformanceDegraded]
    group_wait: 1s
    group_interval: 1s
    repeat_interval: 2s
alerts:
  ModelPerformanceDegraded: {{for: 4s, keep_firing_for: 1s}}
"""
HOOK: Final = """
state_dir: {folder}/hook
bearer_token_file: hook-token
mlflow: {{tracking_uri: "{uri}", experiment: {records}}}
actions:
  - name: retrain
    matchers: ['alertname="ModelPerformanceDegraded"', 'model="{model}"']
    command: [{python}, {folder}/train.py, "{{{{ model }}}}", {folder}/recent.parquet]
"""
CONFIG: Final = """
mlflow: {{tracking_uri: "{uri}"}}
state_dir: {folder}/state
refresh_interval: 1s
windows: [1h]
models:
  - name: {model}
    predictions: {{experiment: {predictions}}}
    reference: {{uri: "models:/{model}@champion/reference.parquet"}}
"""


def rows(count: int, *, seed: int, changed: bool = False) -> pd.DataFrame:
    """Return features and labels; when the world has changed, inputs moved and the old boundary is wrong."""
    rng = np.random.default_rng(seed)
    moved = 2.0 if changed else 0.0
    frame = pd.DataFrame({f"feature_{name}": rng.normal(moved, 1, count) for name in ("age", "income", "usage")})
    label = (frame.sum(axis="columns") + rng.normal(0, 0.3, count)) > 3 * moved
    return frame.assign(label=label.astype(int))


@dataclass
class Stack:
    """The running servers, and the code that serves the version that the alias means. came: what, and when (s)."""

    prometheus: Prometheus
    client: Any
    hook: Hook
    _filling: Filling
    came: dict[str, float] = field(default_factory=dict)
    _models: dict[str, Any] = field(default_factory=dict)
    _batches: int = 0

    def serve(self, frame: pd.DataFrame) -> str:
        """Answer requests that come now, and log the answers with their labels; return the version that answered."""
        version = str(self.client.get_model_version_by_alias(MODEL, "champion").version)
        if version not in self._models:
            self._models[version] = mlflow.sklearn.load_model(f"models:/{MODEL}/{version}")
        score = self._models[version].predict_proba(frame.drop(columns="label"))[:, 1]
        answers = frame.assign(
            score=score, prediction=(score >= 0.5).astype(int), model_version=version, timestamp=time.time() - 1
        )
        self._batches += 1
        self._filling.log(PREDICTIONS, f"predictions-{self._batches}.parquet", answers.to_parquet)
        return version

    def value(self, expression: str) -> list[float]:
        """Return the values of an instant query."""
        return [found[-1][1] for _, found in self.prometheus.instant(expression, time.time())]

    def until(self, what: str, condition: Callable[[], object], *, changed: bool) -> None:
        """Serve requests until the condition holds, and keep when it did."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for: {what}\n{self.hook.log.read_text()[-3000:]}"
            self.serve(rows(100, seed=1_000 + self._batches, changed=changed))
            time.sleep(2)
        self.came[what] = time.monotonic()


@contextlib.contextmanager
def stack(uri: str, folder: Path) -> Iterator[Stack]:
    """Run everything over an MLflow server, with version 1 in it, until the block is left."""
    page = (ROOT / "exporter/docs/retraining.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(# train\.py\n.*?)```", page, re.DOTALL)
    (folder / "train.py").write_text(script, encoding="utf-8")
    prometheus, alertmanager, exporter = (f"127.0.0.1:{free_port()}" for _ in range(3))
    with pytest.MonkeyPatch.context() as environment, tracking(uri) as client, contextlib.ExitStack() as servers:
        # Of the hook, of what it starts, and of the first training.
        environment.setenv("MLFLOW_TRACKING_URI", uri)
        rows(4_000, seed=1).to_parquet(folder / "past.parquet")
        rows(4_000, seed=2, changed=True).to_parquet(folder / "recent.parquet")
        subprocess.run([sys.executable, folder / "train.py", MODEL, folder / "past.parquet"], check=True)
        hook = servers.enter_context(_hook(folder, uri))
        _written(folder, hook.address, uri, alertmanager=alertmanager, exporter=exporter)
        found = servers.enter_context(serving(folder / "driftgauge.yml", int(exporter.partition(":")[2])))
        found.wait_until_ready()
        servers.enter_context(alertmanager_of(folder, alertmanager))
        url = servers.enter_context(prometheus_of(folder, prometheus))
        yield Stack(Prometheus(url), client, hook, Filling(uri, folder))


@contextlib.contextmanager
def _hook(folder: Path, uri: str) -> Iterator[Hook]:
    (folder / "hook-token").write_text(TOKEN, encoding="utf-8")
    text = HOOK.format(folder=folder, uri=uri, records=RECORDS, model=MODEL, python=sys.executable)
    (folder / "hook.yml").write_text(text, encoding="utf-8")
    with hooked(folder / "hook.yml") as hook:
        yield hook


def _written(folder: Path, hook: str, uri: str, *, alertmanager: str, exporter: str) -> None:
    """Write the exporter's configuration and that of Prometheus, and render the set as users do."""
    config = CONFIG.format(folder=folder, uri=uri, model=MODEL, predictions=PREDICTIONS)
    (folder / "driftgauge.yml").write_text(config, encoding="utf-8")
    scrapes = PROMETHEUS.format(folder=folder, alertmanager=alertmanager, exporter=exporter)
    (folder / "prometheus.yml").write_text(scrapes, encoding="utf-8")
    (folder / "mine.yml").write_text(THRESHOLDS.format(folder=folder, hook=hook), encoding="utf-8")
    done = command("generate", "--thresholds", folder / "mine.yml", "--output", folder / "set")
    assert done.returncode == 0, done.stderr

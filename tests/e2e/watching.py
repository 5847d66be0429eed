"""A Prometheus with the generated rules that scrapes a running exporter over the story of three models."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from mlflow import MlflowClient

from driftgauge.generator.outputs import outputs
from driftgauge.generator.thresholds import parse
from e2e.exporter import Exporter, serving
from e2e.grafana import Prometheus
from e2e.servers import running
from e2e.story import CONFIG, HOUR, MINUTE, MODELS, Circumstances, Journal
from installed import newest
from mlflow_servers import free_port

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"
WEEK: Final = 7 * 24 * HOUR
# Alerts that fire within seconds: a file of the user's own may say so.
THRESHOLDS: Final = """
exporter: {refresh_interval: 2s}
smoothing: 1s
alerts:
  ModelFeaturesDrifted: {for: 5s}
  ModelFeatureDrifted: {for: 5s}
  ModelPerformanceDegraded: {for: 5s}
  DriftgaugeRefreshFailing: {for: 5s}
"""
SCRAPES: Final = """
global: {{scrape_interval: 1s, evaluation_interval: 2s}}
rule_files: ["{folder}/rules/*.rules.yml"]
scrape_configs:
  - job_name: driftgauge
    honor_labels: true
    static_configs: [{{targets: ["{target}"]}}]
"""
BROKEN: Final = """
  - name: fraud
    predictions: {experiment: /fraud}
    reference: {uri: /nowhere/fraud.parquet}
"""
BAD: Final = Circumstances(drift=0.8, wrong=0.4, missing=0.3, unseen=0.1, failed=0.08, slow=20, version="4")


@dataclass(frozen=True)
class Watched:
    """The exporter, the server that watches it, what is logged to MLflow, and the configuration file.

    since: a time just before the first scrape.
    """

    exporter: Exporter
    prometheus: Prometheus
    journal: Journal
    config: Path
    since: float


@contextlib.contextmanager
def watching(folder: Path, empty_database: Path) -> Iterator[Watched]:
    """Fill a store, run the exporter over it and Prometheus over that; the same page stands a week before as well."""
    shutil.copyfile(empty_database, folder / "mlflow.db")
    uri = f"sqlite:///{folder}/mlflow.db"
    journal = Journal(uri, folder, np.random.default_rng(5))
    journal.write_references()
    prepare_results(uri, folder)
    as_usual(journal)
    config, port = folder / "driftgauge.yml", free_port()
    config.write_text(CONFIG.format(uri=uri, folder=folder), encoding="utf-8")
    with serving(config, port) as exporter:
        exporter.wait_until_ready()
        target = f"127.0.0.1:{port}"
        _, page = exporter.get("/metrics", headers={"Accept": OPENMETRICS})
        backfill(folder, page, job="driftgauge", instance=target, around=time.time() - WEEK)
        write_rules(folder)
        since = time.time()
        with prometheus(folder, SCRAPES.format(folder=folder, target=target)) as url:
            yield Watched(exporter, Prometheus(url), journal, config, since)


def prepare_results(uri: str, folder: Path) -> None:
    """Make the experiment for results of one model, and one that those of another cannot be written to."""
    client = MlflowClient(uri)
    client.create_experiment("/results", str(folder / "results"))
    client.delete_experiment(client.create_experiment("/deleted"))


def as_usual(journal: Journal, *, rows: int = 400) -> None:
    """Log what was served in the last hour, by the version in use."""
    now = time.time()
    log(journal, rows, start=now - 50 * MINUTE, end=now - 10 * MINUTE, circumstances=Circumstances())


def gone_wrong(journal: Journal) -> None:
    """Log a little more of the usual, what a bad new version served, and files that cannot be used."""
    now = time.time()
    as_usual(journal, rows=100)
    log(journal, 400, start=now - 10 * MINUTE, end=now - MINUTE, circumstances=BAD)
    journal.spoilt("churn", now)


def log(journal: Journal, rows: int, *, start: float, end: float, circumstances: Circumstances) -> None:
    """Log a batch of each model, and labels where they come apart."""
    for model in MODELS:
        served = journal.predictions(model, rows, start=start, end=end, now=circumstances)
        if model == "churn":
            journal.labels(served, delay=2 * MINUTE, until=time.time())


def write_rules(folder: Path) -> None:
    """Write the rules that `driftgauge generate` makes of the thresholds."""
    place = folder / "rules"
    place.mkdir()
    for path, text in outputs(parse(THRESHOLDS, filename="thresholds.yml")).items():
        if path.endswith(".rules.yml"):
            (place / Path(path).name).write_text(text, encoding="utf-8")


def backfill(folder: Path, page: str, *, job: str, instance: str, around: float) -> None:
    """Put an exporter's page into the server's storage, as if scraped each minute for a quarter of an hour."""
    target = f'job="{job}",instance="{instance}"'
    names, lines = page.splitlines(), []
    for line in names:
        if line.startswith("model_window_predictions"):
            series, _, value = line.rpartition(" ")
            labelled = series.replace("{", f"{{{target},", 1)
            lines += [f"{labelled} {value} {around + minute * MINUTE:.0f}" for minute in range(-7, 8)]
    blocks = folder / "backfill.txt"
    blocks.write_text("\n".join(["# TYPE model_window_predictions gauge", *lines, "# EOF\n"]), encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(blocks), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def prometheus(folder: Path, config: str, *options: str) -> Iterator[str]:
    """Run a server with its data in the folder; yield its URL."""
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(config, encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = [newest("prometheus"), f"--config.file={file}", f"--storage.tsdb.path={folder}/data", *options]
    with running([*command, f"--web.listen-address=127.0.0.1:{port}"], health=f"{url}/-/ready", folder=folder):
        yield url

"""The main job at size: a filled store goes in, and every metric that comes out equals scipy and scikit-learn."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pytest
from prometheus_client import parser

from e2e.comparing import about_models, beyond_tolerance, deviations
from e2e.exporter import driftgauge
from e2e.filling import BROKEN_LINES, FUTURE_ROWS, Filling, Logged
from e2e.oracle import Key, Oracle, Series
from e2e.traffic import AT, DAY, Traffic, churn, eta, intent

# A week of a busy model; `make test` reads a fifth of it.
ROWS: Final = int(os.environ.get("ACCEPTANCE_ROWS", "42000"))
# Of `ModelRetrainingRecommended` in the shipped thresholds.
LABELS: Final = 300
CONFIG: Final = """
mlflow: {{tracking_uri: "{uri}"}}
state_dir: {folder}/state
models:
  - name: churn
    predictions: {{experiment: /monitoring/churn, artifacts: "predictions*"}}
    labels: {{experiment: /monitoring/churn-labels}}
    reference: {{uri: "models:/churn@champion/reference.parquet"}}
    features: {{categorical: [tier]}}
  - name: eta
    task: regression
    predictions: {{experiment: /monitoring/eta}}
    reference: {{uri: "{folder}/eta.csv"}}
  - name: intent
    task: multiclass
    average: macro
    baseline: {{accuracy: 0.9}}
    predictions: {{experiment: /monitoring/intent, artifacts: "predictions*"}}
    labels: {{key: [session, turn], window_by: prediction_time}}
"""


class Store(NamedTuple):
    """The configuration that reads a filled store, and every series about models that must come out."""

    config: Path
    expected: Series


@pytest.fixture(scope="module")
def store(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Fill a sqlite store with three models and compute what their metrics must be."""
    folder = tmp_path_factory.mktemp("acceptance")
    database = folder / "mlflow.db"
    shutil.copyfile(empty_database, database)
    uri, rng = f"sqlite:///{database}", np.random.default_rng(7)
    models = churn(rng, ROWS), eta(rng, 6_000), intent(rng, 6_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        filling = Filling(uri, folder / "files")
        logged = (
            filling.log_churn(models[0]),
            filling.log_eta(models[1], folder / "eta.csv"),
            filling.log_intent(models[2]),
        )
    config = folder / "driftgauge.yml"
    config.write_text(CONFIG.format(uri=uri, folder=folder), encoding="utf-8")
    return Store(config, {key: value for pair in zip(models, logged, strict=True) for key, value in _expected(*pair)})


def _expected(traffic: Traffic, logged: Logged) -> Iterator[tuple[Key, float]]:
    """Yield the oracle's series of a model, and those that follow from how the store was filled."""
    oracle = Oracle(traffic, baseline={"accuracy": 0.9} if traffic.model == "intent" else {})
    oracle.compute()
    labels = pd.concat([traffic.predictions, traffic.corrections, traffic.orphans])
    oracle.put("model_last_prediction_timestamp_seconds", traffic.predictions["time"].max() / 1000)
    oracle.put("model_last_label_timestamp_seconds", labels["label_time"].max() / 1000)
    oracle.put("model_last_batch_timestamp_seconds", AT)
    oracle.put("model_last_refresh_timestamp_seconds", AT)
    oracle.put("model_batches_total", logged.batches)
    for counter in ("model_files_not_read_total", "model_duplicate_batches_total"):
        oracle.put(counter, 0)
    if traffic.model != "eta":
        # Of eta the labels are in the rows of the predictions. Replaced labels are kept for a day.
        kept = traffic.predictions.dropna(subset="label_time")
        if len(traffic.corrections):
            replaced = kept["request_id"].isin(traffic.corrections["request_id"])
            kept = pd.concat([kept, kept[replaced & (kept["label_time"] >= (AT - DAY) * 1000)]])
        oracle.put("model_label_match_ratio", len(kept) / (len(kept) + len(traffic.orphans)))
    for version, reason in _judged(oracle.series):
        # Intent is a third below its baseline on each day; of the others nothing holds on days before.
        recommended = traffic.model == "intent" and reason == "performance"
        oracle.put("model_retraining_recommended", recommended, version=version, reason=reason)
    for version, identity in logged.identities.items():
        oracle.put("model_info", 1, version=version, **identity)
    if traffic.model == "churn":
        oracle.put("model_batch_failures_total", 1, reason="invalid_parquet")
        oracle.put("model_rows_rejected_total", BROKEN_LINES, reason="invalid_json")
        oracle.put("model_rows_rejected_total", FUTURE_ROWS, reason="future_timestamp")
    yield from oracle.series.items()


def _judged(series: Series) -> set[tuple[str, str]]:
    """Return versions and reasons of which the shipped policy can judge: on 300 labels, or on an estimated loss."""

    def versions(name: str, **wanted: str) -> set[str]:
        found = (dict(labels) for each, labels in series if each == name)
        return {labels["version"] for labels in found if wanted.items() <= labels.items()}

    day = {"window": "24h"}
    labelled = {
        dict(labels)["version"]
        for (name, labels), value in series.items()
        if name == "model_window_labels" and day.items() <= dict(labels).items() and value >= LABELS
    }
    estimated = versions("model_estimated_performance_bound", **day) & versions("model_performance_baseline")
    return {
        *((version, "performance") for version in versions("model_performance_degradation", **day) & labelled),
        *((version, "concept_drift") for version in versions("model_concept_drift_detected", **day) & labelled),
        *((version, "data_drift") for version in versions("model_drifted_features", **day) & estimated),
    }


@pytest.fixture(scope="module")
def page(store: Store) -> str:
    """Return what `driftgauge once` prints for the filled store."""
    return _once(store)


def _once(store: Store) -> str:
    refreshed = driftgauge("once", f"--config.file={store.config}", "--at=2026-01-31T00:00:00Z")
    assert refreshed.returncode == 0, refreshed.stderr
    return refreshed.stdout


def test_no_series_is_missing_and_none_too_many(store: Store, page: str) -> None:
    """What can be computed is there for every window and version, and nothing else is."""
    published = about_models(parser.text_string_to_metric_families(page))

    assert sorted(map(str, store.expected.keys() - published.keys())) == []
    assert sorted(map(str, published.keys() - store.expected.keys())) == []


def test_every_value_is_the_oracles(store: Store, page: str) -> None:
    """Every series equals scipy, scikit-learn or pandas on the raw rows; `pytest -rP` shows the table."""
    published = about_models(parser.text_string_to_metric_families(page))

    largest = deviations(published, store.expected)
    for place, deviation in sorted(largest.items()):
        print(f"{place:60} {deviation:.1e}")  # noqa: T201 - the table is what the test is run for
    assert beyond_tolerance(largest) == {}


def test_the_drifting_feature_is_found(page: str) -> None:
    """Of ten features only the price drifts, and it is flagged in the last day's window of the current version."""
    published = about_models(parser.text_string_to_metric_families(page))
    here = {("model", "churn"), ("version", "2"), ("window", "24h")}

    flagged = {
        dict(labels)["feature"]
        for (name, labels), value in published.items()
        if name == "model_feature_drift_detected" and here <= labels and value
    }
    assert flagged == {"price"}


def test_promtool_has_nothing_to_say(page: str) -> None:
    """The page passes `promtool check metrics` without a remark."""
    check = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False)

    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")

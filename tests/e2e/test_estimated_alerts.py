"""Alerts on what is estimated, on a Prometheus that scrapes an exporter over data in which each has to fire, or none.

Every rule that ships is loaded, with shorter times; the rows are made so that one thing is wrong with each model.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pytest
import yaml

from driftgauge.generator.outputs import outputs
from driftgauge.generator.thresholds import parse
from e2e.exporter import serving
from e2e.grafana import Prometheus
from e2e.watching import SCRAPES, prometheus
from generator.promql_trees import is_estimated, parsed, selectors, written
from mlflow_servers import free_port

HOURS: Final = 6
ROWS: Final = 6_000
PATIENCE: Final = 240
ALERTS: Final = (
    *("ModelPerformanceDegraded", "ModelPerformanceEvidence", "ModelEstimatedPerformanceDegraded"),
    *("ModelConceptDrift", "ModelSlicesDegraded", "ModelMultivariateDrift", "ModelDriftEvidence", "ModelUnusualRows"),
    "ModelLabelDrift",
)
THRESHOLDS: Final = "exporter: {refresh_interval: 1s}\nsmoothing: 1s\nalerts:\n" + "".join(
    f"  {alert}: {{for: 3s}}\n" for alert in ALERTS
)
CONFIG: Final = "refresh_interval: 1s\nstate_dir: {folder}/state\nwindows: [1h, 24h, 7d]\nmodels:\n"
MODEL: Final = """\
  - name: {name}
    predictions: {{files: {folder}/{name}}}
    reference: {{uri: {folder}/reference.parquet}}
"""
Rows = pd.DataFrame


def rows(rng: np.random.Generator, count: int = ROWS) -> Rows:
    """Return a binary classifier's rows as they should be: two features that go together, and a score that is right."""
    first = rng.normal(size=count)
    second = 0.8 * first + 0.6 * rng.normal(size=count)
    return scored(rng, first, second)


def scored(rng: np.random.Generator, first: np.ndarray, second: np.ndarray) -> Rows:
    """Return rows with these features; the score is the probability of the label."""
    score = 1 / (1 + np.exp(-3.5 * first))
    label = rng.random(len(score)) < score
    return pd.DataFrame(
        {
            "feature_first": first,
            "feature_second": second,
            "feature_third": rng.normal(size=len(score)),
            "feature_plan": rng.choice(["basic", "plus", "pro"], len(score)),
            "score": score,
            "prediction": (score >= 0.5).astype(int),
            "label": label.astype(float),
        }
    )


def flipped(rng: np.random.Generator) -> Rows:
    """Return rows of which every fifth label is wrong: inputs and scores are as ever."""
    found = rows(rng)
    wrong = rng.random(len(found)) < 0.2
    return found.assign(label=np.where(wrong, 1 - found["label"], found["label"]))


def unsure(rng: np.random.Generator) -> Rows:
    """Return rows about which the model is less sure, before any label."""
    found = rows(rng)
    return scored(rng, found["feature_first"] * 0.3, found["feature_second"]).assign(label=np.nan)


def apart(rng: np.random.Generator) -> Rows:
    """Return rows whose features go together no more, though each looks as ever."""
    found = rows(rng)
    return found.assign(feature_second=rng.permutation(found["feature_second"]))


def strange(rng: np.random.Generator) -> Rows:
    """Return rows of which one in twelve is unlike all others."""
    found = rows(rng)
    odd = rng.random(len(found)) < 1 / 12
    return found.assign(feature_third=np.where(odd, 9.0, found["feature_third"]))


def early(rng: np.random.Generator) -> Rows:
    """Return rows of which the labels of one class came, and few of the other: none of them is wrong."""
    found = rows(rng)
    waits = (found["label"] == 0) & (rng.random(len(found)) < 0.7)
    return found.assign(label=found["label"].mask(waits))


MODELS: Final[Mapping[str, Callable[[np.random.Generator], Rows]]] = {
    "quiet": rows,
    "flipped": flipped,
    "unsure": unsure,
    "apart": apart,
    "strange": strange,
    "early": early,
}
# What has to fire.
FIRES: Final = {
    ("flipped", "ModelPerformanceDegraded"),
    ("flipped", "ModelPerformanceEvidence"),
    ("flipped", "ModelConceptDrift"),
    ("flipped", "ModelSlicesDegraded"),
    ("unsure", "ModelEstimatedPerformanceDegraded"),
    ("unsure", "ModelDriftEvidence"),
    ("apart", "ModelMultivariateDrift"),
    ("strange", "ModelUnusualRows"),
    ("early", "ModelLabelDrift"),
}


@dataclass(frozen=True)
class Watched:
    """What fires, and the expressions of all rules."""

    prometheus: Prometheus
    rules: frozenset[str]

    def firing(self) -> set[tuple[str, str]]:
        """Return model and name of the alerts that fire."""
        found = self.prometheus.instant('ALERTS{alertstate="firing", model!=""}', time.time())
        return {(labels["model"], labels["alertname"]) for labels, _ in found}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Serve all models, and let Prometheus look at them with the rules."""
    folder, rng = tmp_path_factory.mktemp("estimated"), np.random.default_rng(20)
    rows(rng, 12_000).to_parquet(folder / "reference.parquet")
    now = time.time()
    for name, made in MODELS.items():
        (folder / name).mkdir()
        times = np.sort(rng.uniform(now - HOURS * 3600, now - 60, ROWS))
        known = made(rng).assign(
            timestamp=pd.to_datetime(times, unit="s", utc=True),
            model_version="1",
            request_id=[f"{name}-{number}" for number in range(ROWS)],
        )
        known.to_parquet(folder / name / "predictions.parquet")
    config, port = folder / "driftgauge.yml", free_port()
    models = "".join(MODEL.format(name=name, folder=folder) for name in MODELS)
    config.write_text(CONFIG.format(folder=folder) + models, encoding="utf-8")
    (folder / "rules").mkdir()
    rules = set[str]()
    for path, text in outputs(parse(THRESHOLDS, filename="thresholds.yml")).items():
        if path.endswith(".rules.yml"):
            (folder / "rules" / Path(path).name).write_text(text, encoding="utf-8")
            rules |= {rule["expr"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]}
    with serving(config, port) as exporter:
        exporter.wait_until_ready()
        with prometheus(folder, SCRAPES.format(folder=folder, target=f"127.0.0.1:{port}")) as url:
            yield Watched(Prometheus(url), frozenset(rules))


def test_every_rule_has_its_series(watched: Watched) -> None:
    """There is data for every selector of what is estimated, as it stands in a rule, but for those of regressions."""
    estimated = {written(each) for text in watched.rules for each in selectors(parsed(text)) if is_estimated(each)}
    wanted = [selector for selector in sorted(estimated) if "mae" not in selector]
    deadline = time.monotonic() + PATIENCE
    while empty := [each for each in wanted if not watched.prometheus.instant(f"count({each})", time.time())]:
        assert time.monotonic() < deadline, empty
        time.sleep(1)

    assert len(wanted) > 15


def test_each_fires_where_it_must_and_nothing_where_all_is_well(watched: Watched) -> None:
    """Of every model what is wrong with it is told; of the one that is as its reference, nothing is."""
    deadline = time.monotonic() + PATIENCE
    while missing := FIRES - (found := watched.firing()):
        assert time.monotonic() < deadline, f"{missing} do not fire; {sorted(found)}"
        time.sleep(1)

    assert {alert for model, alert in watched.firing() if model == "quiet"} == set()
    assert ("flipped", "ModelEstimatedPerformanceDegraded") not in watched.firing()
    assert ("unsure", "ModelConceptDrift") not in watched.firing()
    assert ("flipped", "ModelLabelDrift") not in watched.firing()

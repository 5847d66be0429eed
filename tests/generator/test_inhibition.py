"""What stays silent, asked from a running Alertmanager with the rendered configuration."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.request import Request, urlopen

import pytest

from driftgauge.generator.thresholds import parse
from e2e.exporter import request
from e2e.servers import running
from generator.alertmanager_sets import written
from installed import newest
from mlflow_servers import free_port

Labels = Mapping[str, str]
PATIENCE = 60
LAST = "the last one posted"
CHURN_3 = {"model": "churn", "version": "3"}


@dataclass(frozen=True)
class Case:
    """Two alerts that fire together in an installation of their own, and whether the second is muted."""

    posted: Labels
    other: Labels
    muted: bool


def named(alert: str, severity: str, about: Labels | None = None, **labels: str) -> Labels:
    """Return the labels of an alert."""
    return {"alertname": alert, "severity": severity, **(about or {}), **labels}


DEGRADED = named("ModelPerformanceDegraded", "critical", CHURN_3, window="24h", metric="accuracy")
SEVERAL = named("ModelFeaturesDrifted", "high", CHURN_3, window="24h")
SINGLE = named("ModelFeatureDrifted", "low", CHURN_3, window="24h", feature="age")
DOWN = named("DriftgaugeDown", "critical", instance="a:10210")
ABSENT = named("DriftgaugeAbsent", "critical")
CASES = {
    "critical over high of a version": Case(DEGRADED, SEVERAL, muted=True),
    "critical over low, in another window": Case(DEGRADED, {**SINGLE, "window": "1h"}, muted=True),
    "not over another version": Case(DEGRADED, {**SEVERAL, "version": "4"}, muted=False),
    "not over another model": Case(DEGRADED, {**SEVERAL, "model": "fraud"}, muted=False),
    "not over another environment": Case(DEGRADED, {**SEVERAL, "env": "test"}, muted=False),
    "not over what concerns the whole model": Case(
        DEGRADED, named("ModelTrafficStopped", "high", {"model": "churn"}), muted=False
    ),
    "critical mutes no other critical": Case(DEGRADED, named("ModelBelowFloor", "critical", CHURN_3), muted=False),
    "not over what is to be done": Case(
        DEGRADED, named("ModelRetrainingRecommended", "medium", CHURN_3, reason="performance"), muted=False
    ),
    "several features over each": Case(SEVERAL, SINGLE, muted=True),
    "high is not over medium": Case(SEVERAL, named("ModelLatencyHigh", "medium", CHURN_3), muted=False),
    "large shift of the output over the small one": Case(
        named("ModelPredictionShifted", "high", CHURN_3), named("ModelOutputDrifted", "medium", CHURN_3), muted=True
    ),
    "what is known over what was estimated": Case(
        {**DEGRADED, "severity": "medium"},
        named("ModelEstimatedPerformanceDegraded", "high", CHURN_3, window="24h", metric="f1"),
        muted=True,
    ),
    "what is known over its evidence, also critical": Case(
        DEGRADED, named("ModelPerformanceEvidence", "critical", CHURN_3, signal="accuracy"), muted=True
    ),
    "evidence is not over what is known": Case(
        named("ModelPerformanceEvidence", "critical", CHURN_3, signal="accuracy"), DEGRADED, muted=False
    ),
    "a changed relation over estimates, which rest on it": Case(
        named("ModelConceptDrift", "high", CHURN_3, window="24h"),
        named("ModelEstimatedPerformanceDegraded", "high", CHURN_3, window="24h", metric="accuracy"),
        muted=True,
    ),
    "a changed relation over the slices where it did": Case(
        named("ModelConceptDrift", "high", CHURN_3, window="24h"),
        named("ModelSlicesDegraded", "medium", CHURN_3, window="24h"),
        muted=True,
    ),
    "an estimate is over no flag of the labels": Case(
        named("ModelEstimatedPerformanceDegraded", "high", CHURN_3, window="24h", metric="accuracy"),
        named("ModelSlicesDegraded", "medium", CHURN_3, window="24h"),
        muted=False,
    ),
    "several features over all together": Case(
        SEVERAL, named("ModelMultivariateDrift", "medium", CHURN_3, window="24h"), muted=True
    ),
    "no traffic over less traffic": Case(
        named("ModelTrafficStopped", "high", {"model": "churn"}),
        named("ModelTrafficFell", "medium", {"model": "churn"}),
        muted=True,
    ),
    "stale over drift": Case(named("DriftgaugeStale", "high", instance="a:10210"), SEVERAL, muted=True),
    "stale over critical": Case(named("DriftgaugeStale", "high", instance="a:10210"), DEGRADED, muted=True),
    "MLflow away over missing traffic": Case(
        named("DriftgaugeMlflowUnreachable", "high", instance="a:10210"),
        named("ModelTrafficStopped", "high", {"model": "churn"}),
        muted=True,
    ),
    "stale elsewhere": Case(
        named("DriftgaugeStale", "high", instance="a:10210", env="test"), {**SEVERAL, "env": "live"}, muted=False
    ),
    "no exporter at all over models": Case(ABSENT, {**SEVERAL, "env": "live"}, muted=True),
    "one exporter down, another may watch": Case(DOWN, SEVERAL, muted=False),
    "one page for the only exporter": Case(DOWN, ABSENT, muted=True),
    "the exporter's troubles do not mute each other": Case(
        named("DriftgaugeMlflowUnreachable", "high", instance="a:10210"),
        named("DriftgaugeConfigReloadFailed", "medium", instance="a:10210"),
        muted=False,
    ),
    "labels missing on both sides are no agreement": Case(
        named("SomethingElse", "critical"), named("AnotherThing", "low"), muted=False
    ),
}


@pytest.fixture(scope="module")
def muted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, bool]]:
    """Post all cases, each as a job of its own, and ask which alert is muted; nothing is sent within that time."""
    folder = tmp_path_factory.mktemp("alertmanager")
    slow = ", ".join(f"{severity}: {{group_wait: 1h}}" for severity in ("critical", "high", "medium", "low"))
    text = f"exporter: {{target_labels: [env]}}\nnotifications: {{severities: {{{slow}}}}}"
    config = written(parse(text, filename="thresholds.yml"), folder)
    url = f"http://127.0.0.1:{free_port()}"
    command = [newest("alertmanager"), f"--config.file={config}", f"--storage.path={folder}/data"]
    command += [f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address="]
    with running(command, health=f"{url}/-/ready", folder=folder):
        for name, case in {**CASES, LAST: CASES["several features over each"]}.items():
            # Labels that both lack stay missing: what has no model of ours has no job either.
            job = {} if case.posted["alertname"] == "SomethingElse" else {"job": name}
            _post(url, [{**case.posted, **job}, {**case.other, **job, "case": name}])
        yield _answered(url)


def _answered(url: str) -> Mapping[str, bool]:
    """Return which case's second alert is muted, once Alertmanager has looked at all of them, in the order posted."""
    deadline = time.monotonic() + PATIENCE
    while True:
        _, _, body = request(url, "/api/v2/alerts")
        second = [alert for alert in json.loads(body) if "case" in alert["labels"]]
        found = {alert["labels"]["case"]: bool(alert["status"]["inhibitedBy"]) for alert in second}
        if found.get(LAST):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def _post(url: str, alerts: list[Labels]) -> None:
    body = json.dumps([{"labels": labels} for labels in alerts]).encode()
    with urlopen(Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"}), timeout=30):  # noqa: S310
        pass


@pytest.mark.parametrize("name", CASES)
def test_inhibition(muted: Mapping[str, bool], name: str) -> None:
    """An alert is muted by what explains it, and by nothing else."""
    assert muted[name] is CASES[name].muted

"""What is found in a snapshot: exactly what Prometheus' rules say of it, words and all."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from driftgauge.collector import written
from driftgauge.families import FAMILIES
from driftgauge.generator.alerts import MODEL_ALERTS
from driftgauge.generator.rules import rule_files
from driftgauge.generator.thresholds import Thresholds, parse
from driftgauge.samples import Sample, Samples
from driftgauge.verdict import Finding, Rules, findings
from driftgauge.windows import MICROSECONDS
from e2e.exporter import request
from e2e.watching import prometheus

from .random_models import RandomModel, random_models

MODELS: Final = 100
HOUR: Final = 3600
# Of some models, in turns.
OWN: Final = (
    "{floors: {accuracy: 0.5, f1: 0.4}, ceilings: {mae: 0.6}, windows: {performance: 7d, drift: 1h}}",
    "{alerts: {ModelPerformanceDegraded: {confident: false, min_labels: 200, degradation: {mae: 0.01}}}}",
    "{floors: {accuracy: 0.6}, alerts: {ModelFeatureDrifted: {enabled: false}}}",
    "{alerts: {ModelFeaturesDrifted: {features: 1}, ModelUnusualRows: {times: 2}, ModelRowsRejected: {min_rows: 1}}}",
    "{windows: {performance: 1h, labels: 24h, quality: 7d, service: 24h, traffic: 24h}}",
)
THRESHOLDS: Final = "models:\n" + "".join(f"  model-{n}: {OWN[n % len(OWN)]}\n" for n in range(10, 40))
SCRAPES: Final = """
global: {{scrape_interval: 2s, evaluation_interval: 2s}}
rule_files: ["{folder}/rules.yml"]
scrape_configs:
  - job_name: driftgauge
    static_configs: [{{targets: ["{target}"]}}]
"""
# Both compare with the traffic of a week, or of days, before, which is not known here: they never hold.
NEED_HISTORY: Final = {"ModelTrafficFell", "ModelLabelsMissing"}
Said = dict[tuple[str, str], tuple[float, dict[str, str]]]


@pytest.fixture(scope="module")
def thresholds() -> Thresholds:
    """Return thresholds of one's own."""
    return parse(THRESHOLDS, filename="thresholds.yml")


@contextmanager
def page(text: bytes) -> Iterator[str]:
    """Serve a page of metrics; yield where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def merged(found: list[Samples]) -> dict[str, list[Any]]:
    """Return the samples of several models as one page has them."""
    whole: dict[str, list[Any]] = {"driftgauge_build_info": [Sample(("1", "3.11"), 1.0)]}
    for samples in found:
        for family, each in samples.items():
            whole.setdefault(family, []).extend(each)
    return whole


def write_rules(thresholds: Thresholds, path: Path) -> None:
    """Write the rules on models that ship, without their waiting times."""
    files = {Path(name).stem: text for name, text in rule_files(thresholds).items()}
    groups = [group for name in ("recording.rules", "models.rules") for group in yaml.safe_load(files[name])["groups"]]
    for group in groups:
        for rule in group["rules"]:
            rule.pop("for", None)
            rule.pop("keep_firing_for", None)
    path.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")


def write_past(models: list[RandomModel], folder: Path, *, target: str, at: float) -> None:
    """Put what counters were around a time into the server's storage."""
    lines = []
    for line in written(merged([model.before for model in models]), openmetrics=True).decode().splitlines():
        if line.startswith("#"):
            lines.append(line)
        else:
            series, _, value = line.rpartition(" ")
            labelled = series.replace("{", f'{{instance="{target}",job="driftgauge",', 1)
            lines += [f"{labelled} {value} {at + 60 * minute:.0f}" for minute in range(-6, 4)]
    (folder / "past.txt").write_text("\n".join([*lines, "# EOF", ""]), encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "past.txt", folder / "data"]
    subprocess.run(command, check=True, capture_output=True)


def evaluated(url: str, newest: Mapping[tuple[str, str], float], *, count: int) -> tuple[float, Said]:
    """Wait, if not forever, until Prometheus has as many alerts as it should; return when it did, and what they say.

    newest: of what each alert on an age and model tells the age.
    """
    deadline = time.monotonic() + 90
    while True:
        time.sleep(0.5)
        _, _, body = request(url, "/api/v1/rules?type=alert")
        groups = {group["name"]: group for group in json.loads(body)["data"]["groups"]}
        group = groups["driftgauge.models"]
        assert not [rule["lastError"] for rule in group["rules"] if rule.get("lastError")]
        alerts = [alert for rule in group["rules"] for alert in rule["alerts"]]
        instants = set(_instants(alerts, newest))
        if (instants and (len(instants), len(alerts)) == (1, count)) or time.monotonic() > deadline:
            return max(instants), {_key(each["labels"]): (float(each["value"]), each["annotations"]) for each in alerts}


def _instants(alerts: list[Mapping[str, Any]], newest: Mapping[tuple[str, str], float]) -> Iterator[float]:
    """Yield the instants of evaluations, in whole milliseconds; two while one is under way."""
    for each in alerts:
        of = each["labels"]["alertname"], each["labels"]["model"]
        if of in newest:
            yield round(float(each["value"]) + newest[of], 3)


def _key(labels: Mapping[str, str]) -> tuple[str, str]:
    kept = {name: text for name, text in labels.items() if name != "alertname"}
    return labels["alertname"], json.dumps(kept, sort_keys=True)


def said(found: list[Finding]) -> Said:
    """Return findings as Prometheus' interface has alerts."""
    return {
        _key({**each.labels, "alertname": each.alert, "severity": each.severity}): (
            each.value,
            {"summary": each.summary, "description": each.description, **each.links},
        )
        for each in found
    }


def test_prometheus_says_the_same(thresholds: Thresholds, tmp_path: Path) -> None:
    """A hundred random snapshots: the same alerts with the same labels, values and words, each held and not held."""
    began = time.time()
    models = list(random_models(MODELS, now=began, seed=21))
    newest = {
        (alert, model.name): each.value
        for alert, what in {"ModelTrafficStopped": "prediction", "ModelLabelsLate": "label"}.items()
        for model in models
        for each in model.samples.get(f"model_last_{what}_timestamp_seconds", ())
        if isinstance(each, Sample)
    }
    write_rules(thresholds, tmp_path / "rules.yml")
    rules = Rules.of(thresholds)

    def found(at: float) -> list[Finding]:
        now = round(at * MICROSECONDS)
        return [x for m in models for x in findings(m.name, m.samples, rules, now=now, past=m.past)]

    with page(written(merged([model.samples for model in models]), openmetrics=False)) as target:
        write_past(models, tmp_path, target=target, at=began - 6 * HOUR)
        with prometheus(tmp_path, SCRAPES.format(folder=tmp_path, target=target)) as url:
            now, expected = evaluated(url, newest, count=len(found(began)))

    at_last = found(now)
    ours = said(at_last)
    assert sorted(ours.keys() ^ expected.keys()) == []
    assert [(key, ours[key], expected[key]) for key in ours if ours[key] != expected[key]] == []
    holds = {alert: {each.model for each in at_last if each.alert == alert} for alert in MODEL_ALERTS}
    assert {alert for alert, held in holds.items() if not held} == NEED_HISTORY
    assert {alert for alert, held in holds.items() if len(held) == MODELS} == set()


FEATURES: Final = 500


def test_thresholds_of_ones_own() -> None:
    """Another job, labels that a scrape adds, other windows and disabled alerts: every rule can be evaluated."""
    own = Path(__file__).parents[1] / "data" / "thresholds" / "own.yml"
    rules = Rules.of(parse(own.read_text(encoding="utf-8"), filename="own.yml"))
    samples = {
        "model_accuracy": [Sample(("churn|eu", "1", "6h"), 0.7)],
        "model_window_labels": [Sample(("churn|eu", "1", "6h"), 60.0)],
    }
    (found,) = findings("churn|eu", samples, rules, now=0)
    assert (found.alert, found.value, found.limit) == ("ModelBelowFloor", 0.7, "at least 0.8")
    assert found.labels == {
        "job": "model-health", "model": "churn|eu", "version": "1", "window": "6h", "metric": "accuracy",
    }  # fmt: skip
    assert (found.model, found.version, found.window, found.others) == ("churn|eu", "1", "6h", {"metric": "accuracy"})
    assert found.description.startswith(
        "churn|eu version 1: accuracy in the last 6h is 0.7, but should be at least 0.8."
    )
    assert found.runbook == "https://wiki.example.com/runbooks/ModelBelowFloor.md"
    assert not found.unsure


def test_many_features_take_a_moment() -> None:
    """Each of 500 features has an alert, with its words: a fifth of a second, five times of which are allowed here."""
    of_feature = [
        name for name, family in FAMILIES.items() if family.labels == ("model", "version", "window", "feature")
    ]
    samples: dict[str, list[Sample]] = {"model_window_predictions": [Sample(("m", "1", "24h"), 5000.0)]}
    for name in of_feature:
        value = float(name.endswith("_detected"))
        samples[name] = [
            Sample(("m", "1", window, f"feature {n}"), value) for window in ("1h", "24h", "7d") for n in range(FEATURES)
        ]
    rules, began = Rules.of(parse("{}", filename="t")), time.process_time()
    found = findings("m", samples, rules, now=0)
    assert time.process_time() - began < 1
    assert [each.others["feature"] for each in found] == [f"feature {n}" for n in range(FEATURES)]

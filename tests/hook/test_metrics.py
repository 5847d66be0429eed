"""What Prometheus sees."""

from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from driftgauge.generator.definitions.exporter import hook_failing
from driftgauge.generator.thresholds import shipped
from driftgauge.hook.journal import opened, trigger_id
from driftgauge.hook.metrics import Metrics
from generator.promql_trees import parsed, selectors

from .samples import alert, one_action


@pytest.mark.parametrize("as_openmetrics", [False, True])
def test_counts_of_a_journal(tmp_path: Path, *, as_openmetrics: bool) -> None:
    """Every outcome begins at 0, so that increase() sees the first one."""
    with opened(tmp_path) as journal:
        journal.receive([(alert("a"), "retrain"), (alert("b"), "retrain"), (alert("c"), None)], now=1.0)
        journal.claim(trigger_id(alert("a"), "retrain"), now=2.0)
        journal.end(trigger_id(alert("a"), "retrain"), action="retrain", state="failed", answer="", now=3.0)
        journal.postpone(trigger_id(alert("b"), "retrain"), until=9e9, reason="cool_down")
        journal.refused("too_large")
        page = Metrics(one_action("command: [x]"), journal.counts).page(openmetrics=as_openmetrics).decode()

    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in (openmetrics if as_openmetrics else text)(page)
        for sample in family.samples
    }
    assert {key: value for key, value in found.items() if value} == {
        ("driftgauge_hook_alerts_total", "triggered"): 2,
        ("driftgauge_hook_alerts_total", "no_action"): 1,
        ("driftgauge_hook_bodies_refused_total", "too_large"): 1,
        ("driftgauge_hook_triggers_total", "retrain", "failed"): 1,
        ("driftgauge_hook_waiting", "retrain", "cool_down"): 1,
        ("driftgauge_hook_last_start_timestamp_seconds", "retrain"): 2,
        ("driftgauge_hook_unrecorded",): 1,
    }
    assert found["driftgauge_hook_triggers_total", "retrain", "unclear"] == 0


def test_the_alert_on_failures_finds_them(tmp_path: Path) -> None:
    """What its selectors name is on the page from the beginning, so that the first failure counts."""
    with opened(tmp_path) as journal:
        page = Metrics(one_action("command: [x]"), journal.counts).page(openmetrics=False).decode()
    shown = [(sample.name, sample.labels) for family in text(page) for sample in family.samples]
    for selector in selectors(parsed(hook_failing(shipped()).expr)):
        ((label, (sign, wanted)),) = selector.matchers.items()
        values = {labels[label] for name, labels in shown if name == selector.name}
        assert values
        assert set(wanted.split("|")) <= values, (selector.name, sign)

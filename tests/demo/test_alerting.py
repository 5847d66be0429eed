"""The demo's own thresholds: valid at any pace, and fit for the story."""

import subprocess
from pathlib import Path

import pytest

from driftgauge.demo.alerting import alerting, thresholds_text
from driftgauge.demo.pace import Pace
from driftgauge.demo.programs import Programs, find_programs
from driftgauge.errors import DriftgaugeError
from driftgauge.generator.outputs import outputs
from driftgauge.generator.thresholds import parse

URL = "http://127.0.0.1:4711"


@pytest.mark.parametrize("interval", [0.1, 0.2, 0.8, 3.3, 60])
def test_thresholds(interval: float) -> None:
    """At any pace the file is accepted, all windows are the story's, and all goes to the terminal."""
    found = parse(thresholds_text(Pace(interval), phone=URL, reports="http://localhost:1"), filename="thresholds.yml")
    assert found.links.reports == "http://localhost:1"
    assert {window.seconds for _, window in found.windows} == {Pace(interval).window}
    assert {delivery.channels for _, delivery in found.notifications.severities.items()} == {("webhook",)}
    assert found.links.runbooks == f"{URL}/runbooks"
    off = {name for name in type(found.alerts).model_fields if not found.alert(name).enabled}
    assert off == {"ModelPerformanceEvidence", "ModelDriftEvidence", "ModelMultivariateDrift"}
    assert found.alerts.ModelSlicesDegraded.min_labels == found.alerts.ModelPerformanceDegraded.min_labels
    # A calm week is over before it is told of.
    assert found.alerts.ModelConceptDrift.for_ > Pace(interval).window


@pytest.mark.parametrize("interval", [0.1, 0.8, 60])
def test_what_is_muted_outlasts_what_mutes(interval: float) -> None:
    """An end is notified only while no graver alert mutes it, so lower alerts that fired before it last longer."""
    alerts = parse(thresholds_text(Pace(interval), phone=URL), filename="thresholds.yml").alerts
    critical = alerts.ModelPerformanceDegraded
    for lower in (
        alerts.ModelFeaturesDrifted,
        alerts.ModelPredictionShifted,
        alerts.ModelUnseenCategories,
        alerts.ModelMissingValues,
    ):
        assert lower.keep_firing_for > critical.keep_firing_for + 2
        assert lower.for_ <= critical.for_
    assert alerts.ModelFeatureDrifted.for_ > alerts.ModelFeaturesDrifted.for_
    assert alerts.ModelFeatureDrifted.keep_firing_for < alerts.ModelFeaturesDrifted.keep_firing_for


@pytest.mark.parametrize("hook", ["", "http://127.0.0.1:10211/alerts"])
def test_debian_accepts_it(tmp_path: Path, hook: str) -> None:
    """Promtool and amtool find nothing wrong with what is rendered, before and after retraining is turned on."""
    texts = outputs(parse(thresholds_text(Pace(0.8), phone=URL, hook=hook), filename="thresholds.yml"))
    assert ("- name: hook" in texts["alerting-rules/alertmanager.yml"]) is bool(hook)
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    rules = sorted((tmp_path / "alerting-rules").glob("*.rules.yml"))
    for command in (
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", *rules],
        ["amtool", "check-config", tmp_path / "alerting-rules" / "alertmanager.yml"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_server_that_does_not_start(tmp_path: Path) -> None:
    """When Prometheus does not start, Alertmanager is ended again, and its log is named."""
    programs = find_programs()
    assert programs is not None
    broken = Programs("/bin/false", programs.alertmanager)
    folder = tmp_path / "alerting"
    with (
        pytest.raises(DriftgaugeError, match=r"prometheus did not start; see .*prometheus\.log"),
        alerting(broken, folder, pace=Pace(0.8), say=lambda _: None),
    ):
        pass
    assert "Received SIGTERM" in (folder / "alertmanager.log").read_text()

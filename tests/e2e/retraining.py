"""From a batch to the next version of the model, by one trigger, and to the end of the alerts: with real servers.

A minute and a half of a processor, so it has a target of its own, `make retraining`.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from e2e.retraining_bench import MODEL, RECORDS, Stack, rows, stack

ALERT: Final = f'alertname="ModelPerformanceDegraded",model="{MODEL}"'
FIRING: Final = f'ALERTS{{{ALERT},alertstate="firing"}}'


@pytest.fixture(scope="module")
def retrained(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Let the world change, until the version that was trained after it has ended the alerts."""
    with stack(mlflow_server, tmp_path_factory.mktemp("retraining")) as found:
        found.serve(rows(500, seed=3))
        found.until(
            "the exporter saw version 1", lambda: found.value(f'model_accuracy{{model="{MODEL}"}}'), changed=False
        )
        found.until("the world changed", lambda: found.serve(rows(2_000, seed=4, changed=True)), changed=True)
        found.until("three alerts fire", lambda: len(found.value(FIRING)) == 3, changed=True)
        found.until("version 2 answers", lambda: found.serve(rows(500, seed=5, changed=True)) == "2", changed=True)
        found.until("the alerts are over", lambda: not found.value(FIRING), changed=True)
        found.until("the hook knows", lambda: _waiting(found) == _unrecorded(found) == 0, changed=True)
        yield found


def _waiting(found: Stack) -> float:
    reasons = ("waiting", "cool_down", "budget")
    return sum(found.hook.value(f'driftgauge_hook_waiting{{action="retrain",reason="{each}"}}') for each in reasons)


def _unrecorded(found: Stack) -> float:
    return found.hook.value("driftgauge_hook_unrecorded")


def test_one_incident_starts_once(retrained: Stack) -> None:
    """Of three alerts, each sent again and again, one starts the training; the others are cancelled as they resolve."""
    results = {
        result: retrained.hook.value(f'driftgauge_hook_triggers_total{{action="retrain",result="{result}"}}')
        for result in ("done", "failed", "unclear", "cancelled", "dry_run")
    }

    assert results == {"done": 1, "failed": 0, "unclear": 0, "cancelled": 2, "dry_run": 0}
    assert retrained.hook.value('driftgauge_hook_alerts_total{result="triggered"}') == 3
    assert retrained.hook.value('driftgauge_hook_alerts_total{result="duplicate"}') > 3
    assert retrained.hook.value('driftgauge_hook_bodies_refused_total{reason="no_token"}') == 0
    assert [each.version for each in retrained.client.search_model_versions(f"name='{MODEL}'")] == ["2", "1"]


def test_run_and_versions_lead_to_each_other(retrained: Stack) -> None:
    """The run of the trigger says why, the version that was bad leads to it, and the training names the trigger."""
    client = retrained.client
    experiment = client.get_experiment_by_name(RECORDS).experiment_id
    runs = client.search_runs([experiment])
    (run,) = (each for each in runs if each.data.tags["driftgauge.outcome"] == "done")
    training = client.get_run(client.get_model_version(MODEL, "2").run_id)

    assert len(runs) == 3
    assert run.info.status == "FINISHED"
    assert run.data.tags["driftgauge.alert"] == "ModelPerformanceDegraded"
    assert "version 1" in run.data.tags["driftgauge.reason"]
    assert run.data.tags["driftgauge.answer"].splitlines()[-1] == "version 2"
    assert training.data.tags["driftgauge.trigger"] == run.data.tags["driftgauge.trigger"]
    assert client.get_model_version(MODEL, "1").tags["driftgauge.retraining_run"] == run.info.run_id
    assert "driftgauge.retraining_run" not in client.get_model_version(MODEL, "2").tags


def test_new_version_is_judged_by_its_own_reference(retrained: Stack) -> None:
    """What is drift and loss to version 1 is normal for version 2, whose baseline is that of its training."""
    training = retrained.client.get_run(retrained.client.get_model_version(MODEL, "2").run_id)

    def of(family: str, version: str, more: str = "") -> list[float]:
        return retrained.value(f'{family}{{model="{MODEL}",version="{version}"{more}}}')

    assert of("model_drifted_features", "1") == [3]
    assert of("model_drifted_features", "2") == [0]
    assert of("model_performance_baseline", "2", ',metric="accuracy"') == [
        pytest.approx(training.data.metrics["baseline_accuracy"], rel=1e-9)
    ]
    (before,), (after,) = (of("model_accuracy", version) for version in "12")
    assert before < 0.75
    assert after > 0.9
    assert retrained.value(f'count_over_time(ALERTS{{{ALERT},version="2"}}[10m])') == []


def test_table(retrained: Stack) -> None:
    """Print when each came, in seconds from the change of the world."""
    began = retrained.came["the world changed"]
    for what, at in retrained.came.items():
        print(f"{what:32}{at - began:8.1f} s")  # noqa: T201
    assert retrained.came["version 2 answers"] > began

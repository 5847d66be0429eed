"""The run in MLflow that tells of a trigger, in a real store."""

from dataclasses import replace
from pathlib import Path

from driftgauge.hook.journal import Trigger
from driftgauge.hook.recording import record_run

from .samples import alert

TRIGGER = Trigger(
    "00112233445566778899", "retrain", alert(), 1_780_000_000.0, "done", 0.0, started=1_780_000_001.0,
    ended=1_780_000_009.0, answer="204 No Content",
)  # fmt: skip


def test_a_run_says_what_why_and_what_was_answered(tmp_path: Path) -> None:
    """Once, however often it is recorded; the model version leads to it, not to what was cancelled after it."""
    from mlflow import MlflowClient  # noqa: PLC0415 - takes a second

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri)
    client.create_registered_model("churn")
    source = client.create_run("0").info.run_id
    for _ in range(3):
        client.create_model_version("churn", "file:///nowhere", source)

    first = record_run(TRIGGER, tracking_uri=uri, experiment="/monitoring/retraining")
    assert first == record_run(TRIGGER, tracking_uri=uri, experiment="/monitoring/retraining")
    failed = replace(TRIGGER, id="f" * 20, state="failed", alert=alert(version="canary"))
    second = record_run(failed, tracking_uri=uri, experiment="/monitoring/retraining")
    cancelled = replace(TRIGGER, id="c" * 20, state="cancelled", started=None, answer="")
    third = record_run(cancelled, tracking_uri=uri, experiment="/monitoring/retraining")

    run, other = client.get_run(first), client.get_run(second)
    assert {name: value for name, value in run.data.tags.items() if name.startswith("driftgauge.")} == {
        "driftgauge.trigger": TRIGGER.id,
        "driftgauge.action": "retrain",
        "driftgauge.outcome": "done",
        "driftgauge.answer": "204 No Content",
        "driftgauge.alert": "ModelPerformanceDegraded",
        "driftgauge.alert_started": "2026-01-05T10:30:00.123456789Z",
        "driftgauge.reason": "A model performs worse",
        "driftgauge.model": "churn",
        "driftgauge.model_version": "3",
    }
    assert (run.info.status, run.info.start_time, run.info.end_time) == (
        "FINISHED",
        1_780_000_001_000,
        1_780_000_009_000,
    )
    assert other.info.status == "FAILED"
    assert client.get_run(third).info.status == "KILLED"
    assert client.get_model_version("churn", "3").tags == {"driftgauge.retraining_run": first}

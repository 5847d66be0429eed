"""A run in MLflow for each trigger: what was started, why, when, and what was answered."""

from contextlib import suppress
from typing import Any, Final

from driftgauge.errors import SourceMissing
from driftgauge.hiding import hidden
from driftgauge.hook.journal import Trigger
from driftgauge.source.environment import prepare
from driftgauge.source.failures import translated_errors

_TIMEOUT: Final = 30.0
_TRIGGER: Final = "driftgauge.trigger"
_MAX_TAG: Final = 5000
_MAX_NAME: Final = 250
_STATES: Final = {"done": "FINISHED", "dry_run": "FINISHED", "cancelled": "KILLED"}


def record_run(trigger: Trigger, *, tracking_uri: str, experiment: str) -> str:
    """Return the id of the run that tells of a trigger, which is made if there is none.

    The registered model version that the alert was about gets a tag that leads to it, unless nothing was started.
    Raises SourceError.
    """
    server = hidden(tracking_uri)
    with translated_errors(server):
        client = _client(tracking_uri)
        run_id = _run(client, trigger, _experiment(client, experiment))
    model, version = trigger.alert.model, trigger.alert.labels.get("version", "")
    if model and version.isdecimal() and trigger.state != "cancelled":
        # Not every version that serves is a registered one. What was cancelled did not retrain it.
        with suppress(SourceMissing), translated_errors(server):
            client.set_model_version_tag(model, version, "driftgauge.retraining_run", run_id)
    return run_id


def _client(tracking_uri: str) -> Any:
    prepare(timeout=_TIMEOUT)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri)


def _experiment(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    # Where another worker makes it at the same time, this fails, and is tried again.
    return str(found.experiment_id if found else client.create_experiment(name))


def _run(client: Any, trigger: Trigger, experiment_id: str) -> str:
    found = client.search_runs([experiment_id], f"tags.`{_TRIGGER}` = '{trigger.id}'", max_results=1)
    run = found[0] if found else _begun(client, trigger, experiment_id)
    ended = trigger.ended or trigger.received
    client.set_terminated(run.info.run_id, _STATES.get(trigger.state, "FAILED"), end_time=int(ended * 1000))
    return str(run.info.run_id)


def _begun(client: Any, trigger: Trigger, experiment_id: str) -> Any:
    alert = trigger.alert
    version = alert.labels.get("version", "")
    tags = {
        _TRIGGER: trigger.id,
        "driftgauge.action": trigger.action,
        "driftgauge.outcome": trigger.state,
        "driftgauge.answer": trigger.answer,
        "driftgauge.alert": alert.labels.get("alertname", ""),
        "driftgauge.alert_started": alert.starts_at,
        "driftgauge.reason": alert.annotations.get("description") or alert.annotations.get("summary", ""),
        "driftgauge.model": alert.model,
        "driftgauge.model_version": version,
    }
    return client.create_run(
        experiment_id,
        start_time=int((trigger.started or trigger.received) * 1000),
        tags={name: value[:_MAX_TAG] for name, value in tags.items() if value},
        run_name=f"{trigger.action} {alert.model} {version}".strip()[:_MAX_NAME],
    )

"""A run in MLflow for each trigger: what was started, why, when, and what was answered."""

from typing import Final

from driftgauge.hook.journal import Trigger
from driftgauge.source.environment import prepare

_TIMEOUT: Final = 30.0
_TRIGGER: Final = "driftgauge.trigger"
_MAX_TAG: Final = 5000
_STATES: Final = {"done": "FINISHED", "dry_run": "FINISHED", "cancelled": "KILLED"}


def record_run(trigger: Trigger, *, tracking_uri: str, experiment: str) -> str:
    """Return the id of the run that tells of a trigger, which is made if there is none.

    The registered model version that the alert was about gets a tag that leads to it. Raises what MLflow raises.
    """
    prepare(timeout=_TIMEOUT)
    from mlflow import MlflowClient  # noqa: PLC0415
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    client = MlflowClient(tracking_uri=tracking_uri)
    experiment_id = _experiment(client, experiment)
    found = client.search_runs([experiment_id], f"tags.`{_TRIGGER}` = '{trigger.id}'", max_results=1)
    alert = trigger.alert
    model, version = alert.labels.get("model", ""), alert.labels.get("version", "")
    tags = {
        _TRIGGER: trigger.id,
        "driftgauge.action": trigger.action,
        "driftgauge.outcome": trigger.state,
        "driftgauge.answer": trigger.answer,
        "driftgauge.alert": alert.labels.get("alertname", ""),
        "driftgauge.alert_started": alert.starts_at,
        "driftgauge.reason": alert.annotations.get("description") or alert.annotations.get("summary", ""),
        "driftgauge.model": model,
        "driftgauge.model_version": version,
    }
    tags = {name: value[:_MAX_TAG] for name, value in tags.items() if value}
    if found:
        run_id = found[0].info.run_id
    else:
        started = int((trigger.started or trigger.received) * 1000)
        name = f"{trigger.action} {model} {version}".strip()[:250]
        run_id = client.create_run(experiment_id, start_time=started, tags=tags, run_name=name).info.run_id
    ended = int((trigger.ended or trigger.received) * 1000)
    client.set_terminated(run_id, _STATES.get(trigger.state, "FAILED"), end_time=ended)
    try:
        if model and version.isdecimal():
            client.set_model_version_tag(model, version, "driftgauge.retraining_run", run_id)
    except MlflowException:
        # Not every version that serves is a registered one.
        pass
    return str(run_id)


def _experiment(client: "object", name: str) -> str:
    from mlflow import MlflowClient  # noqa: PLC0415
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    assert isinstance(client, MlflowClient)  # noqa: S101
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:
        # Another worker was first.
        if (found := client.get_experiment_by_name(name)) is None:
            raise
        return str(found.experiment_id)

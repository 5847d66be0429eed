"""From an action and the alert that triggers it to what a worker is given to do."""

from collections.abc import Mapping
from typing import Any, Final

from driftgauge.hook.journal import Trigger
from driftgauge.hook.plans import Plan
from driftgauge.hook.settings import Action, Job, Settings, context_of
from driftgauge.hook.templates import filled, filled_url

_API: Final = "{server}/apis/batch/v1/namespaces/{namespace}/jobs"


def plan_of(trigger: Trigger, action: Action, settings: Settings) -> Plan:
    """Return what a trigger is for; raises TemplateFailed."""
    kind, what = _what(trigger, action)
    mlflow = settings.mlflow
    return Plan(
        "dry_run" if settings.dry_run else kind,
        {"would_be": kind, **what} if settings.dry_run else what,
        action.timeout,
        action.attempts,
        action.backoff,
        repeat_unanswered=kind == "job" or bool(action.http and action.http.repeat_unanswered),
        mlflow={"tracking_uri": mlflow.tracking_uri, "experiment": mlflow.experiment} if mlflow else None,
    )


def _what(trigger: Trigger, action: Action) -> tuple[str, dict[str, Any]]:
    context = context_of(trigger.alert, trigger.id)
    if action.http:
        http = action.http
        headers: dict[str, Any] = {"Idempotency-Key": trigger.id}
        for name, value in http.headers.items():
            headers[name] = filled(value, context) if isinstance(value, str) else value.model_dump(mode="json")
        body = None if http.body is None else filled(http.body, context)
        return "http", {"method": http.method, "url": filled_url(http.url, context), "headers": headers, "body": body}
    if action.command:
        variables = {
            "DRIFTGAUGE_TRIGGER": trigger.id,
            "DRIFTGAUGE_MODEL": context["model"],
            "DRIFTGAUGE_VERSION": context["version"],
            "DRIFTGAUGE_ALERT": context["alertname"],
        }
        return "command", {"arguments": filled(list(action.command), context), "variables": variables}
    return "job", _job(action.job, trigger, context) if action.job else {}


def _job(job: Job, trigger: Trigger, context: Mapping[str, Any]) -> dict[str, Any]:
    manifest = filled(job.manifest, context)
    # The name is what makes it start once: the API server refuses a second one.
    metadata = {**manifest.get("metadata", {}), "name": f"driftgauge-{trigger.id}"}
    metadata.pop("generateName", None)
    body = {"apiVersion": "batch/v1", "kind": "Job", **manifest, "metadata": metadata}
    namespace = filled_url(job.namespace, context)
    return {
        "method": "POST",
        "url": _API.format(server=job.api_server.rstrip("/"), namespace=namespace),
        "headers": {"Authorization": {"file": str(job.token_file), "prefix": "Bearer "}},
        "body": body,
        "ca_file": str(job.ca_file),
    }

"""What a worker is given to do."""

from pathlib import Path

import pytest

from driftgauge.hook.journal import Trigger
from driftgauge.hook.planning import plan_of
from driftgauge.hook.plans import Plan
from driftgauge.hook.templates import TemplateFailed

from .samples import alert, one_action

TRIGGER = Trigger("00112233445566778899", "retrain", alert(model="churn"), 0.0, "waiting", 0.0)


def plan(action: str, **more: str) -> Plan:
    """Return the plan of an action for that trigger."""
    settings = one_action(action, **more)
    return plan_of(TRIGGER, settings.actions[0], settings)


def test_an_http_call() -> None:
    """Secrets are named by their file, and the call has a key by which the other side can tell repetitions."""
    found = plan(
        "http: {url: 'http://x/{{ model }}', headers: {Authorization: {file: /run/t, prefix: 'Bearer '}, "
        "X-V: '{{ version }}'}, body: {model: '{{ model }}'}}"
    )

    assert found.kind == "http"
    assert found.what == {
        "method": "POST",
        "url": "http://x/churn",
        "headers": {
            "Idempotency-Key": TRIGGER.id,
            "Authorization": {"file": "/run/t", "prefix": "Bearer "},
            "X-V": "3",
        },
        "body": {"model": "churn"},
    }
    assert not found.repeat_unanswered


def test_a_command() -> None:
    """Each argument is filled in on its own."""
    found = plan("command: [train, '--model={{ model }}', '{{ labels.version }}']")

    assert found.what["arguments"] == ["train", "--model=churn", "3"]
    assert found.what["variables"]["DRIFTGAUGE_TRIGGER"] == TRIGGER.id


def test_a_job_has_a_name_of_its_trigger() -> None:
    """So that the API server makes it once, whoever asks again."""
    found = plan("job: {namespace: ml, manifest: {metadata: {generateName: x-, labels: {m: '{{ model }}'}}, spec: {}}}")

    assert found.what["url"] == "https://kubernetes.default.svc/apis/batch/v1/namespaces/ml/jobs"
    assert found.what["body"] == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"driftgauge-{TRIGGER.id}", "labels": {"m": "churn"}},
        "spec": {},
    }
    assert found.repeat_unanswered


def test_a_dry_run_says_what_would_be() -> None:
    """Nothing of it is done."""
    found = plan("command: [train, '{{ model }}']", dry_run="true")

    assert (found.kind, found.what["would_be"], found.what["arguments"]) == ("dry_run", "command", ["train", "churn"])


def test_it_goes_through_a_pipe() -> None:
    """As text, and back."""
    found = plan("command: [x]", mlflow="{tracking_uri: http://m}")

    assert Plan.from_json(found.to_json()) == found
    assert found.mlflow == {"tracking_uri": "http://m", "experiment": "/monitoring/retraining"}


def test_what_cannot_be_filled_in_is_an_error(tmp_path: Path) -> None:
    """Some templates fail with some alerts only."""
    found = one_action("command: ['{{ \"x\" * (labels.size | int) }}']", tmp_path)
    trigger = Trigger("0" * 20, "retrain", alert(size="70000"), 0.0, "waiting", 0.0)

    with pytest.raises(TemplateFailed, match="longer than"):
        plan_of(trigger, found.actions[0], found)

"""The file of actions: what it means, and what is said of mistakes."""

import re
from pathlib import Path

import pytest

from driftgauge.errors import ConfigError
from driftgauge.hook.journal import Trigger
from driftgauge.hook.planning import plan_of
from driftgauge.hook.settings import Secret

from .samples import alert, one_action, settings

DOCS = Path(__file__).parents[2] / "exporter/docs/retraining.md"
FILE = """
state_dir: state
mlflow: {tracking_uri: "http://mlflow:5000"}
actions:
  - name: rebuild
    matchers: ['alertname="ModelConceptDrift"', 'model=~"churn.*"']
    cool_down: 2d
    http:
      url: https://api.github.com/repos/acme/{{ model }}/actions/workflows/train.yml/dispatches
      headers: {Authorization: {file: /run/secrets/github, prefix: "Bearer "}}
      body: {ref: main, inputs: {version: "{{ version }}"}}
  - name: others
    matchers: [model=~".+"]
    command: [./train.sh, --model, "{{ model }}"]
"""


def test_a_file() -> None:
    """Paths are relative to the file, and what is not written has its default."""
    found = settings(FILE, Path("/etc/driftgauge"))

    assert found.state_dir == Path("/etc/driftgauge/state")
    assert settings("bearer_token_file: token\n" + FILE, Path("/etc/driftgauge")).bearer_token_file == Path(
        "/etc/driftgauge/token"
    )
    http = settings(FILE.replace("/run/secrets/github", "github"), Path("/etc/driftgauge")).actions[0].http
    assert http is not None
    assert http.headers["Authorization"] == Secret(file=Path("/etc/driftgauge/github"), prefix="Bearer ")
    assert [(a.name, a.cool_down, a.per_day, a.timeout) for a in found.actions] == [
        ("rebuild", 172_800, 5, 600),
        ("others", 86_400, 5, 600),
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"alertname": "ModelConceptDrift", "model": "churn-eu"}, "rebuild"),
        ({"alertname": "ModelConceptDrift", "model": "fraud"}, "others"),
        ({"alertname": "DriftgaugeDown", "model": ""}, None),
    ],
)
def test_the_first_action_that_fits(labels: dict[str, str], expected: str | None) -> None:
    """An alert starts one action, or none."""
    found = settings(FILE).action_for(alert(**labels))

    assert expected == (found.name if found else None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("actions: []", "actions: must have at least one entry"),
        ("actions: [{name: a, matchers: ['m=x'], comand: [x]}]", "unknown key"),
        ("actions: [{name: a, matchers: ['m=x']}]", "must have one of http, command, job, but has none"),
        (
            "actions: [{name: a, matchers: ['m=x'], command: [x], http: {url: http://x}}]",
            "must have one of http, command, job, but has http and command",
        ),
        ("actions: [{name: a, matchers: [m], command: [x]}]", "must be a matcher"),
        ("actions: [{name: a, matchers: ['m=x'], command: []}]", "must name a program"),
        ("actions: [{name: a/b, matchers: ['m=x'], command: [x]}]", "actions[0].name"),
        ("actions: [{name: a, matchers: ['m=x'], http: {url: ftp://x}}]", "must begin with http:// or https://"),
        ("actions: [{name: a, matchers: ['m=x'], command: ['{{ modl }}']}]", "'modl' is undefined"),
        ("actions: [{name: a, matchers: ['m=x'], command: [x], cool_down: soon}]", "cool_down"),
        (
            "actions: [{name: a, matchers: ['m=x'], job: {namespace: ml, manifest: {metadata: x}}}]",
            "job.manifest.metadata: must be a mapping",
        ),
        (
            "actions: [{name: a, matchers: ['m=x'], command: [x]}, {name: a, matchers: ['m=x'], command: [x]}]",
            "is the name of an action before it",
        ),
    ],
)
def test_mistakes_have_their_line(text: str, said: str) -> None:
    """Each is one line with file, line and key."""
    with pytest.raises(ConfigError) as caught:
        settings(text)

    assert said in str(caught.value)
    assert str(caught.value).startswith("hook.yml:1: ")


def test_secret_variables_are_not_repeated() -> None:
    """A mistake beside a secret does not show it."""
    variable = "HOOK_TOKEN"
    text = f"actions: [{{name: '${{{variable}}}', matchers: ['m=x'], command: [x]}}]"
    with pytest.raises(ConfigError) as caught:
        settings(text, **{variable: "s3cr3t/value"})

    assert "s3cr3t" not in str(caught.value)


def test_one_of_several_is_job(tmp_path: Path) -> None:
    """A Job needs a namespace and a manifest, and finds the pod's own account."""
    found = one_action("job: {namespace: ml, manifest: {spec: {template: {}}}}", tmp_path)

    job = found.actions[0].job
    assert job is not None
    assert str(job.token_file) == "/var/run/secrets/kubernetes.io/serviceaccount/token"


EXAMPLES = re.findall(r"```yaml\n((?:# hook.yml|actions:)\n.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_docs_are_valid(example: str) -> None:
    """Each can be pasted."""
    assert settings(example).actions


def test_there_are_examples() -> None:
    """The file, five services and a Job; what is in braces is filled in, and what is none stays so."""
    found = {action.name: action for example in EXAMPLES for action in settings(example).actions}
    airflow = plan_of(Trigger("00ff", "airflow", alert(), 0.0, "waiting", 0.0), found["airflow"], settings(EXAMPLES[0]))

    assert set(found) == {"retrain", "github", "airflow", "argo", "jenkins", "databricks", "job"}
    assert airflow.what["would_be"] == "http"
    assert airflow.what["body"] == {"dag_run_id": "driftgauge-00ff", "logical_date": None, "conf": {"model": "churn"}}

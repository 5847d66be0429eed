"""The monitoring on one machine: by Compose's own check, by its schema, and really started from the files it mounts."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner

import driftgauge

ROOT: Final = Path(__file__).parent.parent.parent
FOLDER: Final = ROOT / "deploy" / "compose"
PUBLISHED: Final = {
    "grafana": "127.0.0.1:3000:3000",
    "prometheus": "127.0.0.1:9090:9090",
    "alertmanager": "127.0.0.1:9093:9093",
}
# With the demo's traffic, which takes a minute more: `make compose-test`.
WHOLE: Final = "COMPOSE_WHOLE" in os.environ
# Namespaces of their own, of users as well where the tests do not run as root.
ALONE: Final = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")
AS_ROOT: Final = () if os.geteuid() == 0 else ("--user", "--map-root-user")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the folder with secrets made as the page says."""
    copy = tmp_path_factory.mktemp("compose") / "deploy" / "compose"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("secrets"))
    subprocess.run([copy / "make-secrets"], check=True, stdout=subprocess.DEVNULL)
    return copy


@pytest.fixture(scope="module")
def compose(folder: Path) -> dict[str, Any]:
    """Return what Compose makes of its file, with all profiles."""
    command = ["docker-compose", "--file", folder / "compose.yaml", "--profile", "demo", "config"]
    found: dict[str, Any] = yaml.safe_load(subprocess.check_output(command, text=True))
    return found


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def test_the_schema_of_compose() -> None:
    """The newer Compose's specification takes the file as well."""
    shown = CliRunner().invoke(
        check_jsonschema, ["--builtin-schema", "vendor.compose-spec", str(FOLDER / "compose.yaml")]
    )

    assert shown.exit_code == 0, shown.output


def test_only_what_people_look_at_is_published(compose: dict[str, Any]) -> None:
    """Three ports, on loopback."""
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}

    assert ports == {name: [f"{place}/tcp"] for name, place in PUBLISHED.items()}


def test_containers_can_do_little(compose: dict[str, Any]) -> None:
    """Each is of a pinned version, cannot write its root, and has no capability and no way to another."""
    for name, service in compose["services"].items():
        assert service["image"].partition(":")[2].strip("v").count(".") == 2, name
        assert service["read_only"] is True, name
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), name
    assert f":{driftgauge.__version__}" in compose["services"]["driftgauge"]["image"]


def test_secrets_come_from_files(folder: Path, compose: dict[str, Any]) -> None:
    """Each that is used is made, at random, once; the variables have none."""
    files = {name: Path(secret["file"]) for name, secret in compose["secrets"].items()}
    before = {name: file.read_bytes() for name, file in files.items()}
    subprocess.run([folder / "make-secrets"], check=True, stdout=subprocess.DEVNULL)

    assert len(set(before.values())) == 3
    assert min(map(len, before.values())) == 32
    assert {name: file.read_bytes() for name, file in files.items()} == before
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700
    variables = [name for service in compose["services"].values() for name in service.get("environment", {})]
    assert [name for name in variables if "PASSWORD" in name and not name.endswith("__FILE")] == []


def test_the_demo_is_asked_for() -> None:
    """Without its profile nothing is written to MLflow."""
    services = _read("compose.yaml")["services"]

    assert [name for name, service in services.items() if "profiles" in service] == ["writer"]


def test_grafana_finds_what_it_is_given(compose: dict[str, Any], tmp_path: Path) -> None:
    """Its files name the services of this set, the folder that `generate` fills, and a home dashboard that is in it."""
    sources = _read("grafana/datasources.yml")["datasources"]
    (provider,) = _read("grafana/dashboards.yml")["providers"]
    home = Path(compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    from driftgauge.cli import main  # noqa: PLC0415 - the command is run as a test of its output

    assert CliRunner().invoke(main, ["generate", "--output", str(tmp_path)]).exit_code == 0
    assert {source["type"]: source["url"] for source in sources} == {
        "prometheus": "http://prometheus:9090", "alertmanager": "http://alertmanager:9093"
    }  # fmt: skip
    assert [source["type"] for source in sources if source.get("isDefault")] == ["prometheus"]
    assert provider["options"]["path"] == str(home.parent) == "/generated/dashboards"
    assert json.loads((tmp_path / "dashboards" / home.name).read_text(encoding="utf-8"))["uid"] == "driftgauge-fleet"
    mounts = [volume.split(":")[1] for volume in compose["services"]["grafana"]["volumes"]]
    assert {Path(mount).parent.name for mount in mounts if mount.endswith(".yml")} == {"datasources", "dashboards"}


class Services:
    """All services but Grafana, running in namespaces of their own."""

    def __init__(self, process: subprocess.Popen[str], logs: Path) -> None:
        self._process, self.logs = process, logs

    def ask(self, url: str, body: Any = None) -> Any:
        """Return what a service answers, None while it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([url, body]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        return json.loads(line) if line else pytest.fail(self.said())

    def query(self, expression: str) -> list[Any]:
        """Return what Prometheus has for an expression without special characters."""
        answer = self.ask(f"http://prometheus:9090/api/v1/query?query={expression}")
        return [] if answer is None else [result["value"][1] for result in answer["data"]["result"]]

    def wait(self, condition: Callable[[], Any], seconds: float = 180) -> Any:
        """Return what the condition comes to give."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds} s:\n{self.said()}")
            time.sleep(0.5)
        return found

    def log(self, name: str) -> str:
        """Return what a service printed."""
        return (self.logs / f"{name}.log").read_text(encoding="utf-8")

    def said(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-1500:]}" for path in sorted(self.logs.glob("*.log")))


@pytest.fixture(scope="module")
def services(
    compose: dict[str, Any], empty_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """Start all that Compose would, from the files that it would mount."""
    logs = tmp_path_factory.mktemp("natively")
    description = logs / "compose.json"
    # MLflow would make the tables itself, which takes it as long as all the rest.
    (logs / "volumes" / "mlflow").mkdir(parents=True)
    shutil.copyfile(empty_database, logs / "volumes" / "mlflow" / "mlflow.db")
    started = {name: each for name, each in compose["services"].items() if WHOLE or "profiles" not in each}
    description.write_text(json.dumps(compose | {"services": started}), encoding="utf-8")
    command = [
        *ALONE,
        *AS_ROOT,
        sys.executable,
        str(Path(__file__).with_name("natively.py")),
        str(description),
        str(logs),
    ]
    unwanted = ("MLFLOW_", "COV_", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HOME": "/root",
    }
    with (logs / "natively.log").open("w") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, env=environment
        )
    found = Services(process, logs)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "started\n":
            pytest.fail(found.said())
        yield found
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.communicate(timeout=30)


def test_all_targets_are_up(services: Services) -> None:
    """Prometheus scrapes the exporter under the name that rules look for, and the demo's model is there."""

    def targets() -> dict[str, str]:
        answer = services.ask("http://prometheus:9090/api/v1/targets")
        found = [] if answer is None else answer["data"]["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in found}

    services.wait(lambda: targets() == dict.fromkeys(("driftgauge", "prometheus", "alertmanager"), "up"))
    services.wait(lambda: services.query("driftgauge_build_info"))
    if WHOLE:
        services.wait(lambda: services.query('model_window_labels{model="churn-predictor",window="1h"}>100'), 600)
        services.wait(lambda: services.query('model_feature_drift_detected{model="churn-predictor",feature="age"}'))


def test_all_rules_are_loaded(services: Services) -> None:
    """As many as `driftgauge generate` has, and none fails."""
    expected = [
        rule
        for file in (ROOT / "alerting-rules").glob("*.rules.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]

    def loaded() -> list[Any]:
        groups = services.ask("http://prometheus:9090/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    services.wait(lambda: all(rule["health"] == "ok" for rule in loaded()))
    assert len(loaded()) == len(expected)


def test_an_alert_of_prometheus_reaches_its_receiver(services: Services) -> None:
    """The watchdog fires in Prometheus, Alertmanager routes it, and the inbox takes it with its token."""
    services.wait(lambda: "watchdog FIRING none DriftgaugeWatchdog" in services.log("inbox"))
    alerts = services.ask("http://alertmanager:9093/api/v2/alerts")

    assert [receiver["name"] for alert in alerts for receiver in alert["receivers"]] == ["watchdog"]


def test_a_page_reaches_its_receiver(services: Services) -> None:
    """What is critical goes to the team's receiver within its `group_wait`, with the alert's words."""
    labels = {
        "alertname": "ModelPerformanceDegraded",
        "severity": "critical",
        "job": "driftgauge",
        "model": "churn-predictor",
    }
    alert = {"labels": labels, "annotations": {"description": "Accuracy is 0.2 below its baseline."}}
    services.ask("http://alertmanager:9093/api/v2/alerts", [alert])

    services.wait(lambda: "FIRING critical ModelPerformanceDegraded Accuracy is 0.2 below" in services.log("inbox"))
    assert "ml-platform-critical FIRING" in services.log("inbox")

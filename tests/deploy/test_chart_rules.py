"""Rules and dashboards in the chart: those of this repository, with the links and the job of the release."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.charts import OPERATOR, ROOT, SETUPS, Object, of_kind, only, rendered, setup_objects, texts, values_of

SHIPPED: Final = sorted((ROOT / "alerting-rules").glob("*.rules.yml"))
DASHBOARDS: Final = {path.name: path for path in (ROOT / "dashboards").glob("*.json")}


def _groups(objects: list[Object]) -> list[Object]:
    groups: list[Object] = only(objects, "PrometheusRule")["spec"]["groups"]
    return groups


def _dashboards(objects: list[Object]) -> dict[str, str]:
    return {
        name: text
        for each in of_kind(objects, "ConfigMap")
        for name, text in each.get("data", {}).items()
        if name.endswith(".json")
    }


def test_rules_are_the_shipped_ones() -> None:
    """Group by group, with the braces of their templates as they are."""
    shipped = [group for path in SHIPPED for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    assert _groups(rendered(OPERATOR)) == shipped


def test_dashboards_are_the_shipped_ones() -> None:
    """Each in a ConfigMap that the sidecar of Grafana knows by its label."""
    objects = rendered(OPERATOR)
    carriers = [each for each in of_kind(objects, "ConfigMap") if "driftgauge.yml" not in each["data"]]

    shipped = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in DASHBOARDS.items()}
    assert {name: json.loads(text) for name, text in _dashboards(objects).items()} == shipped
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in carriers} == {"1"}
    assert len(carriers) == len(DASHBOARDS)


@pytest.mark.parametrize("values", [OPERATOR, values_of("operator")], ids=["default", "operator"])
def test_promtool_takes_the_rules(values: dict[str, Any], tmp_path: Path) -> None:
    """Prometheus' own tool reads the rules as the operator would write them to a file."""
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": _groups(rendered(values))}), encoding="utf-8")
    ran = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", file], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _scrape_configurations() -> dict[str, str]:
    """Return what is shown to those without Prometheus Operator, by where."""
    (notes,) = [text for path, text in texts({"job": "models"}, name="a").items() if path.endswith("NOTES.txt")]
    (shown,) = re.findall(r"add to prometheus\.yml:\n\n(.*?)\n\n", notes, re.DOTALL)
    page = (ROOT / "deploy" / "kubernetes" / "README.md").read_text(encoding="utf-8")
    (plain,) = re.findall(r"```yaml\n(scrape_configs:.*?)```", page, re.DOTALL)
    return {"notes": f"scrape_configs:\n{shown}", "kubernetes": plain}


def test_scrape_configurations_are_valid(tmp_path: Path) -> None:
    """Prometheus takes them; they name the headless Service, keep the labels of series, and give the job."""
    for place, text in _scrape_configurations().items():
        file = tmp_path / f"{place}.yml"
        file.write_text(text, encoding="utf-8")
        ran = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True, check=False)
        (scrape,) = yaml.safe_load(text)["scrape_configs"]
        release, job = {"notes": ("a", "models"), "kubernetes": ("driftgauge", "driftgauge")}[place]
        services = {each["metadata"]["name"]: each for each in of_kind(rendered({}, name=release), "Service")}
        (address,) = scrape["dns_sd_configs"]

        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert (scrape["job_name"], scrape["honor_labels"]) == (job, True)
        host = address["names"][0].removesuffix(".monitoring.svc")
        assert services[host]["spec"]["clusterIP"] == "None"
        assert address["port"] in [port["port"] for port in services[host]["spec"]["ports"]]


def test_links_and_job_are_the_releases() -> None:
    """Alerts and dashboards lead where the values say, and are about the job that the ServiceMonitor gives."""
    objects = setup_objects("operator")
    rules, dashboards = yaml.safe_dump(_groups(objects), width=10_000), "".join(_dashboards(objects).values())

    assert "localhost" not in rules + dashboards
    assert "https://grafana.example.com/d/driftgauge-model" in rules
    assert "https://mlflow.example.com{{" in rules
    assert "https://driftgauge.example.com/models/{{" in rules
    assert "https://mlflow.example.com/#/experiments" in dashboards
    assert "https://runbooks.example.com/driftgauge/DriftgaugeDown.md" in rules
    assert "https://driftgauge.example.com/models/{{" in rules
    assert set(re.findall(r'job="([^"{}$]*)"', rules)) == {"driftgauge-fraud"}


def test_alerts_can_be_left_out_and_added() -> None:
    """Those that are named are gone, all others and one's own are there."""
    shipped = {rule["alert"] for group in _groups(rendered(OPERATOR)) for rule in group["rules"] if "alert" in rule}
    found = {
        rule["alert"] for group in _groups(setup_objects("operator")) for rule in group["rules"] if "alert" in rule
    }
    assert found == shipped - {"ModelOutliers", "DriftgaugeWatchdog"} | {"ChurnInGermany"}


def test_rules_and_dashboards_of_ones_own_replace_the_shipped_ones() -> None:
    """What `driftgauge generate` makes of other thresholds is taken as it is."""
    rule = {"alert": "Ours", "expr": 'up{job="driftgauge"} == 0', "annotations": {"summary": "{{ $value }}"}}
    objects = rendered(
        {
            "prometheusRule": {
                "enabled": True,
                "files": {"a.yml": yaml.safe_dump({"groups": [{"name": "a", "rules": [rule]}]})},
            },
            "dashboards": {"enabled": True, "files": {"mine.json": '{"title": "{{mine}}"}'}},
        }
    )
    assert _groups(objects) == [{"name": "a", "rules": [rule]}]
    assert _dashboards(objects) == {"mine.json": '{"title": "{{mine}}"}'}


@pytest.mark.parametrize("setup", [setup for setup in SETUPS if setup != "operator"])
def test_nothing_of_the_operator_without_being_asked(setup: str) -> None:
    """A cluster without Prometheus Operator has no such kinds: nothing of them is rendered unless it is enabled."""
    kinds = {each["kind"] for each in setup_objects(setup)}
    assert "PrometheusRule" not in kinds
    assert ("ServiceMonitor" in kinds) == ("serviceMonitor" in values_of(setup))

"""The rules of grafana/dashboard-linter hold for every dashboard, and each of them notices when it is broken."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from driftgauge.generator.dashboards import dashboards
from driftgauge.generator.thresholds import shipped
from generator.dashboard_rules import RULES, Json

DASHBOARDS: Final = {Path(path).stem: json.loads(text) for path, text in dashboards(shipped()).items()}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("uid", DASHBOARDS)
def test_rule_holds(uid: str, rule: str) -> None:
    """The linter would have nothing to say."""
    assert list(RULES[rule](DASHBOARDS[uid])) == []


def _variable(name: str, key: str, *, value: object) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        (variable,) = (each for each in dashboard["templating"]["list"] if each["name"] == name)
        variable[key] = value

    return change


def _panel(key: str, value: object) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        dashboard["panels"][1][key] = value

    return change


def _query(expr: str) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        dashboard["panels"][1]["targets"][0]["expr"] = expr

    return change


def _no_unit(dashboard: Json) -> None:
    dashboard["panels"][1]["fieldConfig"]["defaults"]["unit"] = "furlong"


def _loki(dashboard: Json) -> None:
    dashboard["panels"][1]["targets"][0]["datasource"] = {"type": "loki", "uid": "${datasource}"}


def _editable(dashboard: Json) -> None:
    dashboard["editable"] = True


TARGET: Final = 'job=~"$job", instance=~"$instance"'
BREAKS: Final[list[tuple[str, Callable[[Json], Any]]]] = [
    ("template-datasource-rule", _variable("datasource", "name", value="prometheus")),
    ("template-job-rule", _variable("job", "multi", value=False)),
    ("template-instance-rule", _variable("instance", "allValue", value=".*")),
    ("template-label-promql-rule", _variable("instance", "query", value="label_values(up{, instance)")),
    ("template-on-time-change-reload-rule", _variable("job", "refresh", value=1)),
    ("panel-datasource-rule", _panel("datasource", {"type": "prometheus", "uid": "main"})),
    ("panel-title-description-rule", _panel("description", "")),
    ("panel-units-rule", _no_unit),
    ("panel-no-targets-rule", _panel("targets", [])),
    ("target-logql-rule", _loki),
    ("target-logql-auto-rule", _loki),
    ("target-promql-rule", _query("sum by (up")),
    ("target-rate-interval-rule", _query(f"rate(model_labels_total{{{TARGET}}}[5m])")),
    ("target-job-rule", _query('model_accuracy{job="driftgauge", instance=~"$instance"}')),
    ("target-instance-rule", _query('model_accuracy{job=~"$job"}')),
    ("target-counter-agg-rule", _query(f"sum(model_labels_total{{{TARGET}}})")),
    ("uneditable-dashboard", _editable),
]


@pytest.mark.parametrize(("rule", "break_it"), BREAKS, ids=[rule for rule, _ in BREAKS])
def test_rule_notices(rule: str, break_it: Callable[[Json], None]) -> None:
    """A dashboard changed to break a rule fails that rule."""
    dashboard = copy.deepcopy(DASHBOARDS["driftgauge-fleet"])
    break_it(dashboard)

    assert list(RULES[rule](dashboard))


def test_every_rule_is_tried() -> None:
    """There are 17 rules, and each has a case that breaks it."""
    assert [rule for rule, _ in BREAKS] == list(RULES)
    assert len(RULES) == 17

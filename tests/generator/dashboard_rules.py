"""The 17 rules of grafana/dashboard-linter, as functions from a dashboard to what breaks them.

After https://github.com/grafana/dashboard-linter/blob/main/docs/index.md. Stricter in two ways: rules about
panels hold for every type of panel, and counters are recognised by their family, not by the form of a selector.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from grafana_foundation_sdk.models import units

from driftgauge.families import FAMILIES
from generator.promql_trees import RATE_INTERVAL, Selected, parsed, selectors

Json = dict[str, Any]
Rule = Callable[[Json], Iterator[str]]

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_UNITS: Final = {value for name, value in vars(units).items() if not name.startswith("_") and isinstance(value, str)}
_RATES: Final = frozenset({"rate", "irate"})
_VALUES: Final = re.compile(r"(label_names|label_values|metrics|query_result)\((?:(.+), )?\w+\)")


def panels(dashboard: Json) -> list[Json]:
    """Return the panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def targets(dashboard: Json) -> Iterator[tuple[str, Json]]:
    """Yield every query with the title of its panel."""
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            yield panel["title"], target


def selected(dashboard: Json) -> Iterator[tuple[str, Selected]]:
    """Yield every selector of every query with the title of its panel."""
    for title, target in targets(dashboard):
        for selector in selectors(parsed(target["expr"])):
            yield title, selector


def _variables(dashboard: Json, kind: str) -> list[Json]:
    return [each for each in dashboard["templating"]["list"] if each["type"] == kind]


def _template_datasource(dashboard: Json) -> Iterator[str]:
    found = [(each["name"], each["label"], each["query"]) for each in _variables(dashboard, "datasource")]
    if found != [("datasource", "Data source", "prometheus")]:
        yield f"data source variables: {found}"


def _template(dashboard: Json, name: str) -> Iterator[str]:
    found = next((each for each in _variables(dashboard, "query") if each["name"] == name), None)
    if found is None:
        yield f"no query variable {name}"
        return
    expected = {"datasource": _SOURCE, "label": name.title(), "multi": True, "allValue": ".+", "includeAll": True}
    yield from (f"{name}.{key} is {found.get(key)!r}" for key, value in expected.items() if found.get(key) != value)


def _template_promql(dashboard: Json) -> Iterator[str]:
    for variable in _variables(dashboard, "query"):
        match = _VALUES.fullmatch(variable["query"])
        if not match:
            yield f"{variable['name']}: {variable['query']}"
        elif match[2]:
            yield from _mistakes_of(match[2])


def _mistakes_of(expr: str) -> Iterator[str]:
    try:
        parsed(expr)
    except ValueError as error:
        yield f"{expr}: {error}"


def _on_time_change(dashboard: Json) -> Iterator[str]:
    yield from (each["name"] for each in _variables(dashboard, "query") if each["refresh"] != 2)


def _panel_datasource(dashboard: Json) -> Iterator[str]:
    yield from (panel["title"] for panel in panels(dashboard) if panel["datasource"] != _SOURCE)


def _title_description(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        if not panel.get("title") or not panel.get("description"):
            yield f"panel {panel['id']}"


def _unit(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        if panel["fieldConfig"]["defaults"].get("unit") not in _UNITS:
            yield panel["title"]


def _no_targets(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        if not panel.get("targets") or not all(target.get("expr") for target in panel["targets"]):
            yield panel["title"]


def _not_loki(dashboard: Json) -> Iterator[str]:
    yield from (title for title, target in targets(dashboard) if target["datasource"] != _SOURCE)


def _promql(dashboard: Json) -> Iterator[str]:
    for _, target in targets(dashboard):
        yield from _mistakes_of(target["expr"])


def _rate_interval(dashboard: Json) -> Iterator[str]:
    for title, selector in selected(dashboard):
        if _RATES & set(selector.around[:1]) and selector.range_seconds != RATE_INTERVAL:
            yield f"{title}: {selector.name}"


def _matcher(dashboard: Json, label: str) -> Iterator[str]:
    for title, selector in selected(dashboard):
        if selector.matchers.get(label) != ("Re", f"${label}"):
            yield f"{title}: {selector.name}"


def _counters(dashboard: Json) -> Iterator[str]:
    for title, target in targets(dashboard):
        found = list(selectors(parsed(target["expr"])))
        # Compared with itself at an earlier time, which does what `increase` does.
        compared = {selector.name for selector in found if selector.offset}
        for selector in found:
            family = FAMILIES.get(selector.name)
            counts = selector.name.endswith("_total") or (family is not None and family.type == "counter")
            if counts and selector.name not in compared and not {*_RATES, "increase"} & set(selector.around[:1]):
                yield f"{title}: {selector.name}"


def _uneditable(dashboard: Json) -> Iterator[str]:
    if dashboard["editable"] is not False:
        yield "editable"


RULES: Final[Mapping[str, Rule]] = {
    "template-datasource-rule": _template_datasource,
    "template-job-rule": lambda dashboard: _template(dashboard, "job"),
    "template-instance-rule": lambda dashboard: _template(dashboard, "instance"),
    "template-label-promql-rule": _template_promql,
    "template-on-time-change-reload-rule": _on_time_change,
    "panel-datasource-rule": _panel_datasource,
    "panel-title-description-rule": _title_description,
    "panel-units-rule": _unit,
    "panel-no-targets-rule": _no_targets,
    # No query may go to Loki, so there is no LogQL to be checked by these two.
    "target-logql-rule": _not_loki,
    "target-logql-auto-rule": _not_loki,
    "target-promql-rule": _promql,
    "target-rate-interval-rule": _rate_interval,
    "target-job-rule": lambda dashboard: _matcher(dashboard, "job"),
    "target-instance-rule": lambda dashboard: _matcher(dashboard, "instance"),
    "target-counter-agg-rule": _counters,
    "uneditable-dashboard": _uneditable,
}

"""The runbooks: prose from `text/runbooks`, with the settings of the alert as a table in front.

One file per alert, also for disabled alerts, because runbooks refer to each other. This module knows only settings;
the prose describes what to do in Prometheus, Grafana and MLflow.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from jinja2 import Environment

from driftgauge.config.units import format_duration
from driftgauge.generator.alerts import ALERTS, Alert
from driftgauge.generator.annotations import Board
from driftgauge.generator.dashboards.links import TITLES, uid
from driftgauge.generator.duties import Duty
from driftgauge.generator.prose import prose
from driftgauge.generator.thresholds import Thresholds

FOLDER: Final = "alerting-rules/runbooks"
# Settings in seconds, by the names they have in the file.
_DURATIONS: Final = frozenset({"for", "keep_firing_for", "within", "p99", "silence", "delay", "age"})
_NOT_SETTINGS: Final = frozenset({"enabled", "runbook", "severity"})


class Fact(NamedTuple):
    """One row of the table: a setting and its value."""

    name: str
    value: str


def runbooks(thresholds: Thresholds) -> dict[str, str]:
    """Return the text of every runbook by its path."""
    return {f"{FOLDER}/{name}.md": _runbook(name, thresholds) for name in ALERTS}


def _runbook(name: str, thresholds: Thresholds) -> str:
    return _prose().get_template(f"{name}.md.j2").render(_words(name, thresholds))


def mitigation(name: str, thresholds: Thresholds) -> list[str]:
    """Return what the runbook of an alert says is to be done: items in Markdown, each beginning in bold."""
    template = _prose().get_template(f"{name}.md.j2")
    text = "".join(template.blocks["mitigation"](template.new_context(_words(name, thresholds))))
    return [" ".join(item.split()) for item in text.strip().removeprefix("- ").split("\n- ")]


def _words(name: str, thresholds: Thresholds) -> dict[str, Any]:
    links = thresholds.links

    def panel(board: Board, title: str) -> str:
        return f"[{TITLES[board]}: {title}]({links.grafana}/d/{uid(board)})"

    return {
        "name": name,
        "key": f"alerts.{name}",
        "facts": list(_facts(name, thresholds)),
        "windows": thresholds.windows,
        "job": thresholds.exporter.job,
        "mlflow": links.mlflow,
        "panel": panel,
    }


@cache
def _prose() -> Environment:
    return prose("text/runbooks")


def _facts(name: str, thresholds: Thresholds) -> Iterator[Fact]:
    alert = thresholds.alert(name)
    yield Fact("severity", alert.severity if alert.enabled else f"{alert.severity}, but switched off")
    yield Fact("goes to", _delivered(alert, thresholds))
    if alert.severity != "none":
        yield Fact("answered by", _answered(getattr(thresholds.playbook, alert.severity)))
    common = settings(alert)
    yield from (Fact(f"`{key}`", value) for key, value in common.items())
    for model in sorted(thresholds.models):
        own = getattr(thresholds.for_model(model).alerts, name)
        if own.enabled != alert.enabled:
            yield Fact(f"for {model}", "switched on" if own.enabled else "switched off")
        differing = (key for key, value in settings(own).items() if common[key] != value)
        yield from (Fact(f"`{key}` for {model}", settings(own)[key]) for key in differing)


def _delivered(alert: Alert, thresholds: Thresholds) -> str:
    if alert.severity == "none":
        return "the dead man's switch" if thresholds.notifications.watchdog else "nobody"
    route = getattr(thresholds.notifications.severities, alert.severity)
    if not route.channels:
        return "nobody"
    channels, again = ", ".join(route.channels), format_duration(route.repeat_interval)
    return f"{channels}; again every {again}"


def _answered(duty: Duty) -> str:
    looks, acts = (format_duration(seconds) for seconds in (duty.look_within, duty.act_within))
    return f"{duty.who}, who looks within {looks} and acts within {acts}"


def settings(alert: Alert) -> dict[str, str]:
    """Return the thresholds and times of an alert as people write them, by their names in the file."""
    values = alert.model_dump(by_alias=True)
    return {key: _shown(key, value) for key, value in values.items() if key not in _NOT_SETTINGS}


def _shown(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(name, each)}" for name, each in value.items()) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return (format_duration(value) if value else "0s") if key in _DURATIONS else f"{value:g}"

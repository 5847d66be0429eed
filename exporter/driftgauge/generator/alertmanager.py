"""`alertmanager.yml` and its message templates: who is notified of an alert, and how often.

Severities and models choose the receiver. Of the alerts this module knows only the watchdog.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from textwrap import indent
from typing import Any, Final

from driftgauge.config.units import format_duration
from driftgauge.generator.alerts import WATCHDOG
from driftgauge.generator.inhibition import INHIBITIONS
from driftgauge.generator.notifications import Hook, Notifications, SeverityRoute
from driftgauge.generator.promql import any_of
from driftgauge.generator.receivers import (
    HOOK_RECEIVER,
    WATCHDOG_RECEIVER,
    receiver_name,
    receivers,
    secret_files,
    smtp_settings,
)
from driftgauge.generator.rules import FOLDER, HEADER, yaml_text
from driftgauge.generator.thresholds import Thresholds

TEMPLATES: Final = "driftgauge.tmpl"


def alertmanager(thresholds: Thresholds) -> dict[str, str]:
    """Return Alertmanager's configuration and its message templates by their paths."""
    templates = resources.files("driftgauge.generator").joinpath("text", TEMPLATES).read_text(encoding="utf-8")
    return {
        f"{FOLDER}/alertmanager.yml": _configuration(thresholds),
        f"{FOLDER}/templates/{TEMPLATES}": templates,
    }


def _configuration(thresholds: Thresholds) -> str:
    notifications, teams = thresholds.notifications, notified_teams(thresholds)
    target = ("job", *thresholds.exporter.target_labels)
    files = "".join(f"#   {path}: {what}\n" for path, what in secret_files(notifications, teams))
    rules = "".join(f"# {each.why}\n{yaml_text([each.rule(target[1:])])}" for each in INHIBITIONS)
    common = {"resolve_timeout": "5m", **smtp_settings(notifications)}
    secrets = f"# Alertmanager reads these secrets, one a file:\n{files}\n" if files else "\n"
    return (
        f"{HEADER}{secrets}"
        + yaml_text({"global": common, "templates": ["templates/*.tmpl"]})
        + f"\n{yaml_text({'route': _route(notifications, teams, target)})}"
        + f"\ninhibit_rules:\n{indent(rules, '  ')}"
        + f"\n{yaml_text({'receivers': receivers(notifications, teams)})}"
    )


def notified_teams(thresholds: Thresholds) -> dict[str, list[str]]:
    """Return the teams that are notified of something, with their models; the default team needs none."""
    default = thresholds.notifications.default_team
    own: dict[str, list[str]] = {}
    for name, model in sorted(thresholds.models.items()):
        if model.team is not None and model.team != default:
            own.setdefault(model.team, []).append(name)
    return {**dict(sorted(own.items())), default: []}


def _route(notifications: Notifications, teams: Mapping[str, Sequence[str]], target: Sequence[str]) -> dict[str, Any]:
    """Return the tree: watchdog, hook, teams with models of their own, then the team of everything else."""
    default = notifications.default_team
    return {
        # For alerts without one of our severities, so that none is lost.
        "receiver": receiver_name(default, "high"),
        "group_by": [*target, "model"],
        "routes": [
            *_watchdog(notifications),
            *_hook(notifications),
            *(
                {
                    "matchers": [any_of("model", models)],
                    "receiver": receiver_name(team, "high"),
                    "routes": _by_severity(notifications, team),
                }
                for team, models in teams.items()
                if models
            ),
            *_by_severity(notifications, default),
        ],
    }


def _watchdog(notifications: Notifications) -> Iterator[dict[str, Any]]:
    if notifications.watchdog is None:
        return
    every = notifications.watchdog.every
    yield {
        "matchers": [f'alertname="{WATCHDOG}"'],
        "receiver": WATCHDOG_RECEIVER,
        "group_wait": "0s",
        # Alertmanager looks at a group once in `group_interval` and repeats when `repeat_interval` has passed since the
        # last message was out. It looks twice in each `every`: the first time is too early, the second late enough.
        "group_interval": format_duration(round(every / 2, 3)),
        "repeat_interval": format_duration(round(every * 3 / 4, 3)),
    }


def _hook(notifications: Notifications) -> Iterator[dict[str, Any]]:
    if hook := notifications.hook:
        yield {
            "matchers": [any_of("alertname", hook.alerts)],
            "receiver": HOOK_RECEIVER,
            # People are told as well.
            "continue": True,
            **_rhythm(hook),
        }


def _by_severity(notifications: Notifications, team: str) -> list[dict[str, Any]]:
    return [
        {"matchers": [f'severity="{severity}"'], "receiver": receiver_name(team, severity), **_rhythm(route)}
        for severity, route in notifications.severities.items()
    ]


def _rhythm(route: SeverityRoute | Hook) -> dict[str, str]:
    return {
        "group_wait": format_duration(route.group_wait),
        "group_interval": format_duration(route.group_interval),
        "repeat_interval": format_duration(route.repeat_interval),
    }

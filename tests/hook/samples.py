"""Alerts as Alertmanager posts them, and files of actions."""

import json
from pathlib import Path
from typing import Any

from driftgauge.hook.incoming import Alert
from driftgauge.hook.settings import Settings, parse_settings

STARTED = "2026-01-05T10:30:00.123456789Z"


def alert(fingerprint: str = "a1", *, firing: bool = True, starts_at: str = STARTED, **labels: str) -> Alert:
    """Return an alert with these labels beside a name, a model and a version."""
    named = {"alertname": "ModelPerformanceDegraded", "model": "churn", "version": "3"} | labels
    return Alert(fingerprint, starts_at, firing, named, {"summary": "A model performs worse"})


def notification(*alerts: Alert) -> bytes:
    """Return the body that Alertmanager posts for alerts."""
    found: list[dict[str, Any]] = [
        {
            "status": "firing" if each.firing else "resolved",
            "labels": dict(each.labels),
            "annotations": dict(each.annotations),
            "startsAt": each.starts_at,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph",
            "fingerprint": each.fingerprint,
        }
        for each in alerts
    ]
    return json.dumps(
        {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "hook", "alerts": found}
    ).encode()


def settings(text: str, folder: Path = Path(), **environ: str) -> Settings:
    """Return what a file of actions says."""
    return parse_settings(text, filename=str(folder / "hook.yml"), environ=environ)


def one_action(action: str, folder: Path = Path(), **more: str) -> Settings:
    """Return settings with one action `retrain` for all alerts: `action` is YAML in braces, without them."""
    keys = "".join(f"{name}: {value}\n" for name, value in more.items())
    return settings(f"{keys}actions:\n  - {{name: retrain, matchers: ['model=~\".+\"'], {action}}}\n", folder)

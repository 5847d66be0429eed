"""Alertmanager's receivers: one per team and severity, with the message templates and secret files of each channel.

Valid for Alertmanager 0.25 and later. The routes are in `alertmanager`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from driftgauge.generator.notifications import Channel, Notifications, PagedSeverity, Webhook

WATCHDOG_RECEIVER: Final = "watchdog"
HOOK_RECEIVER: Final = "hook"
SMTP_PASSWORD_FILE: Final = "smtp-password"  # noqa: S105 - the name of a file
WATCHDOG_TOKEN_FILE: Final = "watchdog-token"  # noqa: S105 - the name of a file
HOOK_TOKEN_FILE: Final = "hook-token"  # noqa: S105 - the name of a file
# The files of each team and what is in them, by channel; email has one password for all.
TEAM_SECRETS: Final[Mapping[Channel, tuple[str, str]]] = {
    "pagerduty": ("{team}-pagerduty-key", "routing key (Events API v2)"),
    "slack": ("{team}-slack-url", "URL of the incoming webhook"),
    "webhook": ("{team}-webhook-token", "bearer token"),
}
_MAX_WEBHOOK_ALERTS: Final = 100


def receiver_name(team: str, severity: PagedSeverity) -> str:
    """Return the name under which routes find a receiver."""
    return f"{team}-{severity}"


def receivers(notifications: Notifications, teams: Iterable[str]) -> list[dict[str, Any]]:
    """Return the receivers of these teams for every severity, the watchdog's and the hook's.

    One without channels is there as well: Alertmanager then sends nothing.
    """
    found: list[dict[str, Any]] = [
        {"name": receiver_name(team, severity)}
        | {f"{channel}_configs": [_CHANNELS[channel](notifications, team)] for channel in route.channels}
        for team in teams
        for severity, route in notifications.severities.items()
    ]
    if watchdog := notifications.watchdog:
        token = notifications.secret_file(WATCHDOG_TOKEN_FILE) if watchdog.bearer_token else None
        found += [{"name": WATCHDOG_RECEIVER, "webhook_configs": [_post(watchdog.url, token, resolved=False)]}]
    if hook := notifications.hook:
        token = notifications.secret_file(HOOK_TOKEN_FILE) if hook.bearer_token else None
        # What is resolved before it started need not start any more.
        found += [{"name": HOOK_RECEIVER, "webhook_configs": [_post(hook.url, token, resolved=True)]}]
    return found


def secret_files(notifications: Notifications, teams: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the path of every secret that Alertmanager will read, and what it is."""
    used, smtp = notifications.used_channels, notifications.smtp
    if "email" in used and smtp and smtp.username:
        yield notifications.secret_file(SMTP_PASSWORD_FILE), f"password of {smtp.username}, the mail user"
    for team in teams:
        for channel, (_, what) in TEAM_SECRETS.items():
            webhook = notifications.teams[team].webhook
            if channel in used and (channel != "webhook" or (webhook and webhook.bearer_token)):
                yield _secret(notifications, team, channel), what
    if notifications.watchdog and notifications.watchdog.bearer_token:
        yield notifications.secret_file(WATCHDOG_TOKEN_FILE), "bearer token for the dead man's switch"
    if notifications.hook and notifications.hook.bearer_token:
        yield notifications.secret_file(HOOK_TOKEN_FILE), "bearer token for driftgauge hook"


def smtp_settings(notifications: Notifications) -> dict[str, Any]:
    """Return the global settings of the mail server, none where it is left out."""
    smtp = notifications.smtp
    if smtp is None:
        return {}
    settings = {"smtp_smarthost": smtp.smarthost, "smtp_from": smtp.sender, "smtp_require_tls": smtp.require_tls}
    if not smtp.username:
        return settings
    password_file = notifications.secret_file(SMTP_PASSWORD_FILE)
    return settings | {"smtp_auth_username": smtp.username, "smtp_auth_password_file": password_file}


def _template(name: str) -> str:
    return f'{{{{ template "driftgauge.{name}" . }}}}'


def _count(half: str) -> str:
    return f'{{{{ template "driftgauge.pagerduty.count" .Alerts.{half} }}}}'


def _secret(notifications: Notifications, team: str, channel: Channel) -> str:
    return notifications.secret_file(TEAM_SECRETS[channel][0].format(team=team))


def _pagerduty(notifications: Notifications, team: str) -> dict[str, Any]:
    links = (("dashboard", "Dashboard"), ("report", "Report"), ("runbook", "Runbook"), ("mlflow", "MLflow"))
    return {
        "routing_key_file": _secret(notifications, team, "pagerduty"),
        "url": notifications.pagerduty_url,
        "send_resolved": True,
        "client": "driftgauge",
        "client_url": _template("first.dashboard"),
        "description": _template("subject"),
        "severity": _template("pagerduty.severity"),
        "class": _template("names"),
        "component": '{{ template "driftgauge.line" .GroupLabels.model }}',
        "group": team,
        "details": {
            "firing": _template("pagerduty.firing"),
            "resolved": _template("pagerduty.resolved"),
            # Alertmanager would add both, from 0.30 on as numbers.
            "num_firing": _count("Firing"),
            "num_resolved": _count("Resolved"),
        },
        "links": [{"href": _template(f"first.{name}"), "text": text} for name, text in links],
    }


def _slack(notifications: Notifications, team: str) -> dict[str, Any]:
    return {
        "api_url_file": _secret(notifications, team, "slack"),
        "channel": notifications.teams[team].slack_channel,
        "send_resolved": True,
        "username": "driftgauge",
        "color": _template("slack.color"),
        "title": _template("slack.title"),
        "title_link": _template("first.dashboard"),
        "fallback": _template("slack.title"),
        "text": _template("slack.text"),
    }


def _email(notifications: Notifications, team: str) -> dict[str, Any]:
    return {
        "to": ", ".join(notifications.teams[team].email),
        "send_resolved": True,
        "headers": {"Subject": _template("subject")},
        "text": _template("text"),
        "html": _template("email.html"),
    }


def _webhook(notifications: Notifications, team: str) -> dict[str, Any]:
    webhook: Webhook | None = notifications.teams[team].webhook
    assert webhook is not None  # noqa: S101 - Notifications refuses teams that a channel in use cannot reach
    token = _secret(notifications, team, "webhook") if webhook.bearer_token else None
    return _post(webhook.url, token, resolved=True) | {"max_alerts": _MAX_WEBHOOK_ALERTS}


def _post(url: str, token_file: str | None, *, resolved: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"url": url, "send_resolved": resolved}
    if token_file is not None:
        found["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": token_file}}
    return found


_CHANNELS: Final[Mapping[Channel, Callable[[Notifications, str], dict[str, Any]]]] = {
    "pagerduty": _pagerduty,
    "slack": _slack,
    "email": _email,
    "webhook": _webhook,
}

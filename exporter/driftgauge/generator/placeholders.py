"""What of a set is still an example: addresses that somebody has to replace, and whether anything would be sent."""

import re
from collections.abc import Iterator
from typing import Final

from driftgauge.generator.alertmanager import notified_teams
from driftgauge.generator.notifications import Channel
from driftgauge.generator.receivers import secret_files
from driftgauge.generator.thresholds import Thresholds, shipped

# Names that nobody owns (RFC 2606), and this machine, which is another one for whoever reads a message.
_EXAMPLE: Final = re.compile(r"(?:^|[@/.])(?:example\.(?:com|org|net)|localhost|127\.0\.0\.1)(?:[:/]|$)")


def placeholders(thresholds: Thresholds) -> list[tuple[str, str]]:
    """Return path and value of each setting in use that is an example, or a team's as it is shipped."""
    ours = {(path, value) for path, value in _addresses(shipped()) if path.startswith("notifications.")}
    return [found for found in _addresses(thresholds) if _EXAMPLE.search(found[1]) or found in ours]


def next_steps(thresholds: Thresholds) -> list[str]:
    """Return what is to be done before anything arrives, as lines for a person; the last says what would be sent."""
    found = placeholders(thresholds)
    lines = ["To replace in thresholds.yml:", *(f"  {path}: {value}" for path, value in found)] if found else []
    secrets = list(secret_files(thresholds.notifications, notified_teams(thresholds)))
    if secrets:
        lines.append("Secrets that Alertmanager reads, each from a file:")
        lines += [f"  {path}: {what}" for path, what in secrets]
    return [*lines, *_sent(thresholds, {path for path, _ in found})]


def _sent(thresholds: Thresholds, examples: set[str]) -> Iterator[str]:
    """Say for each severity by which channels it is sent, and what cannot arrive yet."""
    notifications = thresholds.notifications
    broken = {channel for channel in notifications.used_channels if _is_broken(channel, examples)}
    routes = [(severity, route.channels) for severity, route in notifications.severities.items() if route.channels]
    if not routes:
        yield "Nothing would be sent: no severity has channels."
    elif broken >= notifications.used_channels:
        yield f"Nothing would be sent yet: {', '.join(sorted(broken))} still lead to examples."
    else:
        each = "; ".join(f"{severity} by {' and '.join(channels)}" for severity, channels in routes)
        but = f" But {', '.join(sorted(broken))} still lead to examples, so nothing arrives there." if broken else ""
        yield f"Would be sent, once the secrets are there: {each}.{but}"
    if notifications.watchdog is None:
        yield "Nobody is told when alerting itself breaks: watchdog is left out."
    elif "notifications.watchdog.url" in examples:
        yield "Nobody is told when alerting itself breaks: the watchdog still leads to an example."


def _is_broken(channel: Channel, examples: set[str]) -> bool:
    keys = {"email": ("smtp.smarthost", ".email"), "webhook": (".webhook.url",), "slack": (".slack_channel",)}
    return any(path.endswith(key) for path in examples for key in keys.get(channel, ()))


def _addresses(thresholds: Thresholds) -> Iterator[tuple[str, str]]:
    """Yield the settings that lead somewhere, with their paths, as far as they are used."""
    links, notifications = thresholds.links, thresholds.notifications
    used = notifications.used_channels
    leading = ((f"links.{key}", getattr(links, key)) for key in ("runbooks", "grafana", "mlflow", "reports"))
    yield from ((path, address) for path, address in leading if address)
    if "email" in used and notifications.smtp:
        yield "notifications.smtp.smarthost", notifications.smtp.smarthost
        yield "notifications.smtp.sender", notifications.smtp.sender
    if notifications.watchdog:
        yield "notifications.watchdog.url", notifications.watchdog.url
    for name in notified_teams(thresholds):
        team, path = notifications.teams[name], f"notifications.teams.{name}"
        if "slack" in used and team.slack_channel:
            yield f"{path}.slack_channel", team.slack_channel
        if "email" in used:
            yield from ((f"{path}.email", address) for address in team.email)
        if "webhook" in used and team.webhook:
            yield f"{path}.webhook.url", team.webhook.url

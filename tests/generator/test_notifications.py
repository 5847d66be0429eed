"""The section `notifications:`: what is refused, with file, line and remedy."""

import pytest

from driftgauge.errors import ConfigError
from driftgauge.generator.thresholds import parse, shipped

MISTAKES = [
    (
        "a team that a channel in use cannot reach",
        "notifications:\n  teams:\n    growth: {email: [a@example.com]}",
        "3: notifications.teams.growth: has no slack_channel, and severity critical goes out by slack; write it",
    ),
    (
        "a default team that is none",
        "notifications:\n  default_team: ml-platfrom",
        '2: notifications.default_team: is none of the teams; did you mean "ml-platform"?',
    ),
    (
        "a model's team that is none",
        "models:\n  churn: {team: growth}",
        "2: models.churn.team: is no team of notifications.teams; valid teams: ml-platform",
    ),
    (
        "an alert that nobody would get",
        "alerts:\n  ModelOutliers: {severity: none}",
        (
            '2: alerts.ModelOutliers.severity: "none" is the severity of DriftgaugeWatchdog alone; '
            "write low, or enabled: false"
        ),
    ),
    (
        "a team name that is no file name",
        "notifications:\n  teams:\n    ../etc: {}",
        (
            '3: notifications.teams."../etc": must be a name of up to 60 letters, digits, - and _, '
            'for it becomes part of file names, but is "../etc"'
        ),
    ),
    (
        "a secret in the file",
        "notifications:\n  smtp: {password: hunter2}",
        '2: notifications.smtp.password: unknown key "password"; valid keys: smarthost, sender, username, require_tls',
    ),
    (
        "a channel that does not exist",
        "notifications:\n  severities:\n    low: {channels: [smoke]}",
        (
            '3: notifications.severities.low.channels[0]: unknown value "smoke"; '
            "valid values: pagerduty, slack, email, webhook"
        ),
    ),
    (
        "mail without a mail server",
        "notifications:\n  smtp: false",
        "1: notifications.severities.low.channels: email needs notifications.smtp, which is left out",
    ),
    (
        "a reminder later than Alertmanager remembers",
        "notifications:\n  severities:\n    low: {repeat_interval: 7d}",
        '3: notifications.severities.low.repeat_interval: must be between 1s and 5d, but is "7d"',
    ),
    (
        "a mail server without a port",
        "notifications:\n  smtp: {smarthost: smtp.example.com}",
        '2: notifications.smtp.smarthost: must be host and port, like smtp.example.com:587, but is "smtp.example.com"',
    ),
    (
        "an address that is none",
        "notifications:\n  pagerduty_url: pagerduty.com",
        '2: notifications.pagerduty_url: must be an address like https://example.com/path, but is "pagerduty.com"',
    ),
    (
        "a webhook without address",
        "notifications:\n  teams:\n    ml-platform: {webhook: {url: }}\n    x: {webhook: {}}",
        "4: notifications.teams.x.webhook.url: is missing; write the address, like https://example.com/alerts",
    ),
    (
        "a hook for what is no alert on a model",
        "notifications:\n  hook: {url: 'http://hook/alerts', alerts: [ModelConceptDrft]}",
        '2: notifications.hook.alerts[0]: is no alert on a model; did you mean "ModelConceptDrift"?',
    ),
    (
        "a hook for nothing",
        "notifications:\n  hook: {url: 'http://hook/alerts', alerts: []}",
        "2: notifications.hook.alerts: must have at least one entry",
    ),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_mistakes(text: str, expected: str) -> None:
    """Each mistake is one line: file, line, key, what is wrong, what to do."""
    with pytest.raises(ConfigError) as caught:
        parse(text, filename="thresholds.yml")

    assert str(caught.value) == f"thresholds.yml:{expected}"


def test_a_file_says_only_what_differs() -> None:
    """A file with one more team keeps the rest of the shipped section."""
    found = parse(
        'notifications: {teams: {growth: {slack_channel: "#growth", email: [growth@example.com]}}}', filename="mine.yml"
    ).notifications

    assert set(found.teams) == {"ml-platform", "growth"}
    assert found.model_copy(update={"teams": shipped().notifications.teams}) == shipped().notifications


def test_secret_files_lie_in_their_directory() -> None:
    """A slash at the end of the directory makes no difference."""
    found = parse("notifications: {secrets_directory: /run/secrets/}", filename="mine.yml").notifications

    assert found.secret_file("smtp-password") == "/run/secrets/smtp-password"

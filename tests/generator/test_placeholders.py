"""What of a set is still an example, and what would be sent."""

from driftgauge.generator.placeholders import next_steps, placeholders
from driftgauge.generator.thresholds import Thresholds, parse

REAL = """
links: {grafana: https://grafana.acme.dev, mlflow: https://mlflow.acme.dev, reports: https://driftgauge.acme.dev}
notifications:
  smtp: {smarthost: "mail.acme.dev:587", sender: ml@acme.dev}
  watchdog: {url: https://switch.acme.dev/1}
  teams: {ml-platform: {slack_channel: "#acme-ml", email: [ml@acme.dev]}}
"""
NOBODY = """
notifications:
  smtp: false
  watchdog: false
  severities: {critical: {channels: []}, high: {channels: []}, medium: {channels: []}, low: {channels: []}}
"""


def parsed(text: str) -> Thresholds:
    """Return thresholds that differ from the shipped ones."""
    return parse(text, filename="thresholds.yml")


def test_the_shipped_file_is_full_of_examples() -> None:
    """Everything that a person on call would be led to, as far as its channel is used."""
    found = dict(placeholders(parsed("{}")))
    assert found["links.grafana"] == "http://localhost:3000"
    assert found["notifications.watchdog.url"].startswith("https://deadmansswitch.example.com")
    assert found["notifications.teams.ml-platform.slack_channel"] == "#ml-alerts"
    assert "notifications.teams.ml-platform.webhook.url" not in found
    assert "links.runbooks" not in found
    assert found["links.reports"] == "http://localhost:10210"
    assert "links.reports" not in dict(placeholders(parsed("links: {reports: false}")))
    last = next_steps(parsed("{}"))
    assert "Nobody is told when alerting itself breaks: the watchdog still leads to an example." in last
    assert any("email, slack still lead to examples" in line for line in last)


def test_a_file_of_ones_own() -> None:
    """Nothing is left to replace; the secrets are named, and what is sent."""
    assert placeholders(parsed(REAL)) == []
    lines = next_steps(parsed(REAL))
    assert not any("replace" in line for line in lines)
    assert any("ml-platform-slack-url" in line for line in lines)
    assert lines[-1].startswith("Would be sent, once the secrets are there: critical by pagerduty and slack; high by ")
    assert "example" not in lines[-1]


def test_only_one_channel_that_is_an_example() -> None:
    """Then nothing arrives at all."""
    one = "{channels: [slack]}"
    text = f"notifications: {{severities: {{critical: {one}, high: {one}, medium: {one}, low: {one}}}}}"
    assert any(line.startswith("Nothing would be sent yet: slack") for line in next_steps(parsed(text)))


def test_left_out() -> None:
    """Without channels and watchdog nothing is sent and nothing of them is to be replaced."""
    lines = next_steps(parsed(NOBODY))
    assert lines[-2:] == [
        "Nothing would be sent: no severity has channels.",
        "Nobody is told when alerting itself breaks: watchdog is left out.",
    ]
    assert not any("notifications" in line or "secret" in line.lower() for line in lines[:-2])

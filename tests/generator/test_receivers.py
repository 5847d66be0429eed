"""Receivers: which channels each has, where secrets come from, and what the message templates make of alerts."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from driftgauge.generator.notifications import Notifications
from driftgauge.generator.receivers import receivers, secret_files, smtp_settings
from driftgauge.generator.thresholds import parse, shipped
from generator.alertmanager_sets import TWO_TEAMS, filled_in, written

# Keys that hold a secret in Alertmanager's configuration, when they are not the name of a file.
SECRETS: Final = frozenset(
    {"routing_key", "service_key", "api_url", "slack_api_url", "smtp_auth_password", "auth_password", "credentials"}
)
LINKS: Final = {
    "dashboard_url": "http://grafana/d/driftgauge-model?var-model=churn&var-version=3",
    "report_url": "http://driftgauge/models/churn?version=3",
    "runbook_url": "http://runbooks/ModelPerformanceDegraded.md",
    "mlflow_url": "http://mlflow/#/experiments/7/runs/abc",
}


@pytest.fixture(scope="module")
def notifications() -> Notifications:
    """Return what a file with three teams says, one of whose channels needs no token."""
    return parse(TWO_TEAMS, filename="thresholds.yml").notifications


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shipped configuration with its templates."""
    return written(shipped(), tmp_path_factory.mktemp("set"))


def test_each_severity_has_its_channels(notifications: Notifications) -> None:
    """A receiver has one block for each channel that the file names for its severity, with the team's addresses."""
    found = {receiver["name"]: receiver for receiver in receivers(notifications, ["growth", "risk"])}

    assert set(found["growth-critical"]) == {"name", "pagerduty_configs", "slack_configs"}
    assert set(found["growth-medium"]) == {"name", "slack_configs", "webhook_configs"}
    assert found["growth-high"]["slack_configs"][0]["channel"] == "#growth"
    assert found["growth-low"]["email_configs"][0]["to"] == "growth@example.com, boss@example.com"
    assert found["risk-medium"]["webhook_configs"][0]["url"] == "https://example.com/risk"
    assert "ml-platform-low" not in found


def test_everything_but_the_watchdog_sends_the_end(notifications: Notifications) -> None:
    """People hear that an alert is resolved; a dead man's switch must not take that for a sign of life."""
    for receiver in receivers(notifications, notifications.teams):
        send_resolved = [
            block["send_resolved"] for blocks in receiver.values() if isinstance(blocks, list) for block in blocks
        ]
        assert send_resolved
        assert all(each is (receiver["name"] != "watchdog") for each in send_resolved)


def test_secrets_come_from_files(notifications: Notifications) -> None:
    """No key that holds a secret stands in the configuration, and the listed files are exactly those it reads."""
    settings = [*receivers(notifications, notifications.teams), smtp_settings(notifications)]
    pairs = [pair for each in settings for pair in _leaves(each)]
    read = {value for key, value in pairs if key.endswith("_file")}

    assert not SECRETS & {key for key, _ in pairs}
    assert read == {path for path, _ in secret_files(notifications, notifications.teams)}
    assert {Path(path).parent.as_posix() for path in read} == {"/etc/alertmanager/secrets"}
    assert {Path(path).name for path in read} == {
        *("smtp-password", "watchdog-token", "growth-webhook-token", "ml-platform-webhook-token"),
        *(f"{team}-{what}" for team in ("growth", "risk", "ml-platform") for what in ("pagerduty-key", "slack-url")),
    }


def test_without_mail_user_there_is_no_password() -> None:
    """A relay that asks for nothing gets nothing, and no file has to be there for it."""
    text = 'notifications: {smtp: {username: "", require_tls: false}, watchdog: {bearer_token: false}}'
    found = parse(text, filename="thresholds.yml").notifications

    assert smtp_settings(found) == {
        "smtp_smarthost": "smtp.example.com:587",
        "smtp_from": "driftgauge@example.com",
        "smtp_require_tls": False,
    }
    assert [Path(path).name for path, _ in secret_files(found, ["ml-platform"])] == [
        "ml-platform-pagerduty-key",
        "ml-platform-slack-url",
    ]


def _alert(name: str, status: str = "firing", **labels: str) -> dict[str, Any]:
    about = {"alertname": name, "model": "churn", "version": "3", "window": "24h", "severity": "critical"}
    ended = "2026-01-05T10:40:00Z" if status == "resolved" else "0001-01-01T00:00:00Z"
    return {
        "status": status,
        "labels": about | labels,
        "annotations": {"summary": "A model got worse", "description": "accuracy is 0.871 & fell", **LINKS},
        "startsAt": "2026-01-05T10:30:00Z",
        "endsAt": ended,
    }


def _group(*alerts: dict[str, Any], model: str = "churn", severity: str = "critical") -> dict[str, Any]:
    status = "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved"
    return {
        "receiver": "ml-platform-critical",
        "status": status,
        "externalURL": "http://alertmanager:9093",
        "groupLabels": {"job": "driftgauge", **({"model": model} if model else {})},
        "commonLabels": {"severity": severity},
        "commonAnnotations": {},
        "alerts": list(alerts),
    }


DEGRADED: Final = _alert("ModelPerformanceDegraded", metric="accuracy")
ENDED: Final = _alert("ModelPerformanceDegraded", "resolved", metric="f1")
SUBJECTS = [
    ("one", _group(DEGRADED), "[FIRING CRITICAL] churn: ModelPerformanceDegraded"),
    (
        "the same twice",
        _group(DEGRADED, ENDED),
        "[FIRING CRITICAL] churn: ModelPerformanceDegraded (1 firing, 1 resolved)",
    ),
    (
        "two kinds",
        _group(DEGRADED, _alert("ModelBelowFloor")),
        "[FIRING CRITICAL] churn: ModelPerformanceDegraded, ModelBelowFloor (2 firing, 0 resolved)",
    ),
    ("the end", _group(ENDED), "[RESOLVED] churn: ModelPerformanceDegraded"),
    ("no model", _group(_alert("DriftgaugeDown"), model=""), "[FIRING CRITICAL] DriftgaugeDown"),
]


@pytest.mark.parametrize(("group", "expected"), [row[1:] for row in SUBJECTS], ids=[row[0] for row in SUBJECTS])
def test_subject(config: Path, group: dict[str, Any], expected: str) -> None:
    """The one line that a phone shows says status, severity, model and alerts."""
    assert filled_in(config, '{{ template "driftgauge.subject" . }}', group) == expected


def test_text(config: Path) -> None:
    """Plain text has the words of each alert, its labels, its times and its links, begun ones first."""
    assert filled_in(config, '{{ template "driftgauge.text" . }}', _group(ENDED, DEGRADED)) == (
        "FIRING\n"
        "\n"
        "ModelPerformanceDegraded: A model got worse\n"
        "accuracy is 0.871 & fell\n"
        "Labels: metric accuracy, window 24h, model churn, version 3, severity critical\n"
        "Since: 2026-01-05 10:30:00 UTC\n"
        f"Dashboard: {LINKS['dashboard_url']}\n"
        f"Report: {LINKS['report_url']}\n"
        f"Runbook: {LINKS['runbook_url']}\n"
        f"MLflow: {LINKS['mlflow_url']}\n"
        "\n"
        "RESOLVED\n"
        "\n"
        "ModelPerformanceDegraded: A model got worse\n"
        "accuracy is 0.871 & fell\n"
        "Labels: metric f1, window 24h, model churn, version 3, severity critical\n"
        "Since: 2026-01-05 10:30:00 UTC\n"
        "Until: 2026-01-05 10:40:00 UTC\n"
        f"Dashboard: {LINKS['dashboard_url']}\n"
        f"Report: {LINKS['report_url']}\n"
        f"Runbook: {LINKS['runbook_url']}\n"
        f"MLflow: {LINKS['mlflow_url']}\n"
        "\n"
        "Silence: http://alertmanager:9093/#/alerts?receiver=ml-platform-critical\n"
    )


def test_slack_gets_no_commands_from_labels(config: Path) -> None:
    """Text from other people's batches cannot call everyone, nor make links."""
    hostile = _alert("ModelFeatureDrifted", feature="<!channel> & <http://evil|here>", version="<!here>")
    text = filled_in(config, '{{ template "driftgauge.slack.text" . }}', _group(hostile))

    assert text == (
        "*A model got worse*\n"
        "accuracy is 0.871 &amp; fell\n"
        "feature &lt;!channel&gt; &amp; &lt;http:\u200b//evil|here&gt; · window 24h · version &lt;!here&gt; · "
        "since 10:30 UTC\n"
        f"<{LINKS['dashboard_url']}|Dashboard> · <{LINKS['report_url']}|Report> · <{LINKS['runbook_url']}|Runbook> · "
        f"<{LINKS['mlflow_url']}|MLflow>\n"
        "\n"
    )
    title = filled_in(config, '{{ template "driftgauge.slack.title" . }}', _group(hostile, model="<!channel>"))
    assert title == "CRITICAL &lt;!channel&gt;: ModelFeatureDrifted"


WORDS_OF_OTHERS = [
    ("bold", "*RESOLVED*", "\u2217RESOLVED\u2217"),
    ("struck", "~gone~", "\u223cgone\u223c"),
    ("code", "`x`", "\u02cbx\u02cb"),
    ("italic", "_x_ __y__", "\uff3fx_ \uff3fy__"),
    ("an underscore within a word", "num__age is_x", "num__age is_x"),
    ("emoji", ":fire:+1: :100:", ":\u200bfire:\u200b+1: :\u200b100:"),
    ("an address", "https://evil.example/x", "https:\u200b//evil.\u200bexample/x"),
    ("an address without its scheme", "evil.example a@evil.example", "evil.\u200bexample a@\u200bevil.\u200bexample"),
    ("figures", "0.871 10.0.0.1:10210", "0.871 10.0.0.1:10210"),
    ("a quotation", "> all good", "\u200b&gt; all good"),
    ("lines", "a\n\nRESOLVED\r\u2028b\x0b\x85c", "a RESOLVED b c"),
    ("other control characters", "a\x1b[31m\x00b\x7f", "a [31m b "),
    ("other directions", "a\u202eb\u2066c", "a b c"),
]


@pytest.mark.parametrize(
    ("name", "expected"), [row[1:] for row in WORDS_OF_OTHERS], ids=[row[0] for row in WORDS_OF_OTHERS]
)
def test_slack_gets_no_marks_from_others(config: Path, name: str, expected: str) -> None:
    """No name of a feature, class, version or model formats a message or writes a line of it, by itself or in words."""
    hostile = _alert("ModelFeatureDrifted", feature=name, version=name)
    hostile["annotations"] = {"summary": name, "description": name}
    text = filled_in(config, '{{ template "driftgauge.slack.text" . }}', _group(hostile))
    title = filled_in(config, '{{ template "driftgauge.slack.title" . }}', _group(hostile, model=name))

    assert text == (
        f"*{expected}*\n{expected}\nfeature {expected} · window 24h · version {expected} · since 10:30 UTC\n\n\n"
    )
    assert title == f"CRITICAL {expected}: ModelFeatureDrifted"


def test_slack_links_lead_where_they_say(config: Path) -> None:
    """An address cannot end early and go on as something else."""
    hostile = _alert("ModelFeatureDrifted")
    hostile["annotations"]["dashboard_url"] = "http://grafana/|a>\n*<b"

    assert "<http://grafana/a*b|Dashboard>" in filled_in(
        config, '{{ template "driftgauge.slack.text" . }}', _group(hostile)
    )


@pytest.mark.parametrize("name", ["subject", "text", "email.html", "pagerduty.firing"])
def test_nothing_gets_lines_from_others(config: Path, name: str) -> None:
    """Names and descriptions of others are one line of a message, in every channel."""
    lines = "a\n\nRESOLVED all good\r\u2029\x0b\x1b[1A"
    hostile = _alert("ModelFeatureDrifted", feature=lines, version=lines)
    hostile["annotations"] = hostile["annotations"] | {"summary": lines, "description": lines}
    kind = "html" if name == "email.html" else "text"
    text = filled_in(config, f'{{{{ template "driftgauge.{name}" . }}}}', _group(hostile, model=lines), kind=kind)

    assert "a RESOLVED all good [1A" in text
    assert not [line for line in text.splitlines() if line.startswith("RESOLVED all")]
    assert not set("\r\u2029\x0b\x1b") & set(text)


@pytest.mark.parametrize("alerts", [[DEGRADED], [ENDED], [DEGRADED, ENDED], [_alert("A: b")], [_alert("- x #")]])
def test_pagerduty_gets_text(config: Path, alerts: list[dict[str, Any]]) -> None:
    """No detail is anything but text to Alertmanager 0.30 and later, which read each as YAML."""
    (details,) = {
        tuple(each["details"].items())
        for receiver in yaml.safe_load(config.read_text(encoding="utf-8"))["receivers"]
        for each in receiver.get("pagerduty_configs", ())
    }
    for name, text in details:
        detail = filled_in(config, text, _group(*alerts))
        try:
            read = yaml.safe_load(detail)
        except yaml.YAMLError:
            continue
        assert isinstance(read, str), (name, detail)
    assert {name for name, _ in details} == {"firing", "resolved", "num_firing", "num_resolved"}


def test_mail_gets_no_markup_from_labels(config: Path) -> None:
    """The same in HTML: labels stay text, and an address that is a script becomes no link."""
    hostile = _alert("ModelFeatureDrifted", feature="<script>alert(1)</script>")
    hostile["annotations"] = hostile["annotations"] | {"dashboard_url": "javascript:alert(1)"}
    page = filled_in(config, '{{ template "driftgauge.email.html" . }}', _group(hostile), kind="html")

    assert "<script>" not in page
    assert "javascript:" not in page
    assert "feature &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert f'<a href="{LINKS["runbook_url"]}">Runbook</a>' in page


@pytest.mark.parametrize(
    ("severity", "pagerduty", "color"),
    [
        ("critical", "critical", "danger"),
        ("high", "error", "#f2711c"),
        ("medium", "warning", "warning"),
        ("low", "info", "#439fe0"),
    ],
)
def test_severity_as_channels_know_it(config: Path, severity: str, pagerduty: str, color: str) -> None:
    """PagerDuty and Slack get the severity in their own words."""
    both = '{{ template "driftgauge.pagerduty.severity" . }} {{ template "driftgauge.slack.color" . }}'

    assert filled_in(config, both, _group(DEGRADED, severity=severity)) == f"{pagerduty} {color}"


def test_many_alerts_stay_readable(config: Path) -> None:
    """Of forty alerts ten are written out, and the message says how many there are."""
    group = _group(*(_alert("ModelFeatureDrifted", feature=f"f{number:02}") for number in range(40)))
    for name, kind in (("text", "text"), ("slack.text", "text"), ("email.html", "html")):
        text = filled_in(config, f'{{{{ template "driftgauge.{name}" . }}}}', group, kind=kind)

        assert re.findall(r"feature (f\d\d)", text) == [f"f{number:02}" for number in range(10)]
        assert "40 alerts in all, the first 10 are shown." in text


def test_every_text_of_the_configuration_can_be_filled_in(config: Path) -> None:
    """No receiver refers to a template that is not there, for alerts with all links and for such without any."""
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    texts = {value for key, value in _leaves(settings["receivers"]) if "{{" in value and key != "html"}
    bare = _alert("DriftgaugeDown")
    bare["annotations"], bare["labels"] = {}, {"alertname": "DriftgaugeDown"}
    together = "\n".join(sorted(texts))

    assert len(texts) > 10
    assert "<no value>" not in filled_in(config, together, _group(DEGRADED, ENDED))
    assert "<no value>" not in filled_in(config, together, _group(bare, model=""))


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(below, name)
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below, key)
    else:
        yield key, str(value)

"""What arrives at PagerDuty, Slack and the dead man's switch from each Alertmanager there is, old and new."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest

from driftgauge.generator.thresholds import parse
from e2e.paging import PAGERDUTY_PATH, Inbox, inbox
from e2e.servers import running
from generator.alertmanager_sets import written
from installed import found
from mlflow_servers import free_port

# On loopback there is no TLS to ask for.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
PATIENCE: Final = 60
THRESHOLDS: Final = """
notifications:
  secrets_directory: {folder}
  pagerduty_url: {web}{pagerduty}
  smtp: false
  watchdog: {{url: "{web}/watchdog", every: 2s, bearer_token: false}}
  severities:
    critical: {{channels: [pagerduty, slack], group_wait: 100ms, group_interval: 1s}}
    high: {{channels: [pagerduty, slack], group_wait: 100ms, group_interval: 1s}}
    low: {{channels: []}}
"""
HOSTILE: Final = "a: {b: 1}\n*RESOLVED*"
LABELS: Final = {"job": "driftgauge", "model": "churn", "version": "3"}
ALERTS: Final = (
    {"alertname": "ModelPerformanceDegraded", "severity": "critical", "window": "24h", "metric": "f1", **LABELS},
    {"alertname": "ModelFeatureDrifted", "severity": "high", "feature": HOSTILE, **LABELS, "model": "fraud"},
)
WATCHDOG: Final = {"alertname": "DriftgaugeWatchdog", "severity": "none", "job": "driftgauge"}
STARTED: Final = "2026-01-05T11:00:00Z"
ENDED: Final = "2026-01-05T12:00:00Z"
TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Told:
    """What one Alertmanager sent, by what happened: the parts of PagerDuty's events that do not name the sender.

    logged: what it printed. beats: when the switch was told, in seconds after the first time.
    """

    pages: Mapping[tuple[str, str], Mapping[str, Any]]
    slack: list[tuple[str, str]]
    logged: str
    beats: list[float]


def test_every_alertmanager_tells_the_same(told: Mapping[str, Told]) -> None:
    """PagerDuty and Slack get the same words from every version."""
    first, *others = told.values()

    for each in others:
        assert each.pages == first.pages
        assert each.slack == first.slack


def test_details_are_text(told: Mapping[str, Told]) -> None:
    """What is begun and what is over are each one text in the order of the template, and there is no number or null."""
    for each in told.values():
        assert len(each.pages) == 4
        for details in each.pages.values():
            assert {type(value) for value in details["custom_details"].values()} == {str}
        begun = each.pages["ModelPerformanceDegraded", "trigger"]["custom_details"]
        assert begun["firing"].splitlines()[:4] == [
            "1 alert firing",
            "ModelPerformanceDegraded: a model: got worse",
            "first: second",
            "Labels: metric f1, window 24h, model churn, version 3, severity critical",
        ]
        assert (begun["resolved"].strip(), begun["num_firing"]) == ("0 alerts resolved", "1 alert")
        over = each.pages["ModelFeatureDrifted", "resolve"]["custom_details"]
        assert "feature a: {b: 1} *RESOLVED*, model fraud" in over["resolved"]
        assert (over["firing"].strip(), over["num_resolved"]) == ("0 alerts firing", "1 alert")


def test_no_interval_is_odd(told: Mapping[str, Told]) -> None:
    """Alertmanager has nothing to remark about the configuration."""
    for each in told.values():
        assert "level=info" in each.logged.lower()
        assert [line for line in each.logged.splitlines() if "level=warn" in line.lower()] == []


def test_switch_is_told_at_every_interval(told: Mapping[str, Told]) -> None:
    """The watchdog comes once in each `every`, not twice and not at every second one."""
    for each in told.values():
        assert [round(at / 2) for at in each.beats] == list(range(len(each.beats)))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Told]:
    """Let alerts begin and end at each Alertmanager."""
    return {version: _tell(place, tmp_path_factory.mktemp("told")) for version, place in found("alertmanager").items()}


def _tell(alertmanager: Path, folder: Path) -> Told:
    url = f"http://127.0.0.1:{free_port()}"
    with inbox() as box:
        text = THRESHOLDS.format(folder=folder, web=box.address, pagerduty=PAGERDUTY_PATH)
        config = written(parse(text, filename="thresholds.yml"), folder)
        (folder / "ml-platform-pagerduty-key").write_text("key", encoding="utf-8")
        (folder / "ml-platform-slack-url").write_text(f"{box.address}/slack/x", encoding="utf-8")
        command = [alertmanager, f"--config.file={config}", f"--storage.path={folder}/data"]
        command += [f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address="]
        with running(command, health=f"{url}/-/ready", folder=folder):
            for ends, pages in ((time.strftime(TIME, time.gmtime(time.time() + 600)), 2), (ENDED, 4)):
                _post(url, ends)
                _wait(lambda pages=pages: len(box.pages) >= pages and len(box.of("")) >= 2 * pages)
            _wait(lambda: len(box.beats) >= 3)
        return Told(dict(_pages(box)), _slack(box), (folder / "server.log").read_text(encoding="utf-8"), _beats(box))


def _pages(box: Inbox) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for page in box.pages:
        payload = {name: value for name, value in page["payload"].items() if name not in ("source", "timestamp")}
        yield (payload["class"], page["event_action"]), payload | {"links": page.get("links")}


def _slack(box: Inbox) -> list[tuple[str, str]]:
    return sorted((each.subject, each.text) for each in box.notifications if each.channel == "slack")


def _beats(box: Inbox) -> list[float]:
    return [at - box.beaten[0] for at in box.beaten]


def _post(url: str, ends: str) -> None:
    about = {
        "summary": "a model: got worse",
        "description": "first:\nsecond",
        "dashboard_url": "http://grafana/d?a=b&c",
    }
    alerts = [{"labels": labels, "annotations": about, "startsAt": STARTED, "endsAt": ends} for labels in ALERTS]
    beat = {"labels": WATCHDOG, "annotations": {}, "startsAt": STARTED}
    body = json.dumps([*alerts, beat]).encode()
    with urlopen(Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"}), timeout=30):  # noqa: S310
        pass


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

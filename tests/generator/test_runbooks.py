"""Runbooks: each complete, and everything they point at is there: panels, queries, other runbooks, settings."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from driftgauge.generator.alerts import ALERTS
from driftgauge.generator.dashboards import dashboards
from driftgauge.generator.dashboards.links import TITLES, uid
from driftgauge.generator.runbooks import FOLDER, runbooks
from driftgauge.generator.thresholds import parse, shipped
from generator.known_series import unknown

SECTIONS: Final = ("Meaning", "Impact", "Diagnosis", "Mitigation")
STEPS: Final = ("Look at", "Ask Prometheus", "In MLflow", "Likely causes, in this order")
GRAFANA: Final = shipped().links.grafana
LINK: Final = re.compile(r"\[([^]]+)\]\(([^)]+)\)")
QUERY: Final = re.compile(r"^```promql\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OWN_FILE: Final = """
windows: {performance: 6h}
notifications: {severities: {critical: {channels: [webhook], repeat_interval: 3h}}}
alerts:
  ModelPerformanceDegraded: {degradation: {accuracy: 0.08, f1: false}}
  ModelFeatureDrifted: {enabled: false}
models:
  churn|eu:
    alerts: {ModelPerformanceDegraded: {min_labels: 50}, ModelFeatureDrifted: {enabled: true}}
"""


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Return the shipped runbooks by alert."""
    return {Path(path).stem: text for path, text in runbooks(shipped()).items()}


def test_every_alert_has_one(texts: dict[str, str]) -> None:
    """There is a runbook of its name for every alert, where its link leads, and no other."""
    assert set(texts) == set(ALERTS)
    for name in ALERTS:
        assert shipped().alert(name).runbook == f"{name}.md"


@pytest.mark.parametrize("name", ALERTS)
def test_sections(texts: dict[str, str], name: str) -> None:
    """All sections are there, in order, and none is empty."""
    parts = re.split(r"^#{2,3} (.+)\n", texts[name], flags=re.MULTILINE)
    headings, bodies = parts[1::2], parts[2::2]

    assert headings == [*SECTIONS[:3], *STEPS, SECTIONS[3]]
    assert [heading for heading, body in zip(headings, bodies, strict=True) if not body.strip()] == ["Diagnosis"]
    assert re.search(r"^1\. ", bodies[headings.index(STEPS[3])], re.MULTILINE)


@pytest.mark.parametrize("name", ALERTS)
def test_mitigation_says_what_to_do_with_the_model(texts: dict[str, str], name: str) -> None:
    """Each says when to retrain or roll back, or that it does not help, and how to change what decides."""
    mitigation = texts[name].partition("## Mitigation")[2].lower()

    for word in ("roll back", "retrain"):
        assert word in mitigation
    if name != "DriftgaugeWatchdog":
        assert f"`alerts.{name}`".lower() in mitigation or "`models.model.floors`" in mitigation


@pytest.mark.parametrize("name", ALERTS)
def test_queries(texts: dict[str, str], name: str) -> None:
    """Every query parses and asks only for series and labels that exist."""
    queries = QUERY.findall(texts[name])

    assert queries
    assert [(query, missing) for query in queries if (missing := unknown(query))] == []


def test_queries_follow_the_file() -> None:
    """Queries and words name the windows and the job of the user's file."""
    own = parse("exporter: {job: gauges}\nwindows: {performance: 6h, drift: 12h}", filename="mine.yml")
    texts = {Path(path).stem: text for path, text in runbooks(own).items()}

    assert 'window="6h"' in texts["ModelPerformanceDegraded"]
    assert "last 12h" in texts["ModelFeaturesDrifted"]
    assert 'job="gauges"' in texts["DriftgaugeDown"]
    assert not any('job="driftgauge"' in text for text in texts.values())


@pytest.mark.parametrize("name", ALERTS)
def test_links(texts: dict[str, str], name: str) -> None:
    """Links lead to other runbooks, or to panels that are on their dashboard."""
    links = [link for link in LINK.findall(texts[name]) if link != ("PLAYBOOK", "PLAYBOOK.md")]

    for text, target in links:
        if target.startswith(GRAFANA):
            board, _, panel = text.partition(": ")
            assert panel in panels()[board], f"{text} is not on the dashboard"
            assert target == f"{GRAFANA}/d/{identifiers()[board]}"
        else:
            assert (target.removesuffix(".md"), text) == (text, text)
            assert text in ALERTS
    assert links or name == "DriftgaugeWatchdog"


@cache
def panels() -> dict[str, set[str]]:
    """Return the titles of the panels by the title of their dashboard."""
    boards = [json.loads(text) for path, text in dashboards(shipped()).items() if path.endswith(".json")]
    titles = {uid(board): title for board, title in TITLES.items()}
    return {titles[board["uid"]]: {panel["title"] for panel in _flat(board["panels"])} for board in boards}


@cache
def identifiers() -> dict[str, str]:
    """Return the identifiers of the dashboards by their title."""
    return {title: uid(board) for board, title in TITLES.items()}


def _flat(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in found:
        if panel["type"] != "row":
            yield panel
        yield from _flat(panel.get("panels", []))


def test_settings_are_those_of_the_file() -> None:
    """The table has what the file says, and what single models have of their own."""
    texts = {Path(path).stem: text for path, text in runbooks(parse(OWN_FILE, filename="mine.yml")).items()}

    assert _table(texts["ModelPerformanceDegraded"]) == {
        "severity": "critical",
        "goes to": "webhook; again every 3h",
        "answered by": "the person on call, who looks within 15m and acts within 2h",
        "`for`": "15m",
        "`keep_firing_for`": "30m",
        "`degradation`": "accuracy 0.08, roc_auc 0.05, mae 0.05, rmse 0.05",
        "`confident`": "true",
        "`confident_labels`": "100",
        "`min_labels`": "300",
        "`min_labels` for churn\\|eu": "50",
    }
    drifted = _table(texts["ModelFeatureDrifted"])
    assert (drifted["severity"], drifted["for churn\\|eu"]) == ("low, but switched off", "switched on")
    assert _table(texts["DriftgaugeWatchdog"])["goes to"] == "the dead man's switch"


def _table(text: str) -> dict[str, str]:
    rows = re.findall(r"^\| (\S.*?) \| (.*?) \|$", text, re.MULTILINE)
    return dict(rows)


def test_files_lie_where_links_lead() -> None:
    """The folder is the one that `links.runbooks` ends with."""
    assert shipped().links.runbooks.endswith(f"/{FOLDER}")


def test_unknown_series_are_found() -> None:
    """What finds series and labels that do not exist would find one."""
    assert unknown('sum(rate(model_acuracy[5m])) > on (model) -(up{jop="x"})') == ["model_acuracy", "up{jop}"]
    assert unknown("model_latency_seconds") == ["model_latency_seconds"]
    assert unknown('model_latency_seconds_bucket{le="1"} + version:model_window_labels:min{window="1h"}') == []

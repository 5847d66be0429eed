"""The playbook: every severity and every alert is in it, its links lead somewhere, and every runbook leads to it."""

import re
from pathlib import Path
from typing import Final

import pytest

from driftgauge.generator.alerts import ALERTS
from driftgauge.generator.playbook import ACTIONS, DECISIONS, PAGE, playbook
from driftgauge.generator.runbooks import runbooks
from driftgauge.generator.thresholds import parse, shipped

OWN: Final = """
playbook: {critical: {who: the duty officer | EU, look_within: 5m, act_within: 1h}}
notifications: {severities: {low: {channels: []}}}
alerts: {ModelOutliers: {enabled: false}, ModelFeatureDrifted: {severity: critical}}
"""
LINK: Final = re.compile(r"\[([^]]+)\]\(([^)]+)\)")


@pytest.fixture(scope="module")
def page() -> str:
    """Return the shipped page."""
    return playbook(shipped())[PAGE]


def test_it_lies_beside_the_runbooks_and_each_leads_to_it() -> None:
    """A person on call gets from any runbook to the table of decisions with one click."""
    texts = runbooks(shipped())

    assert {Path(path).parent for path in texts} == {Path(PAGE).parent}
    assert [path for path, text in texts.items() if f"({Path(PAGE).name})" not in text] == []


def test_links_lead_somewhere(page: str) -> None:
    """To alerts by their names, and to headings of the page itself."""
    headings = {
        head.lower().replace(",", "").replace(" ", "-") for head in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }

    for text, target in LINK.findall(page):
        if target.startswith("#"):
            assert target[1:] in headings, text
        else:
            assert (target, text in ALERTS) == (f"{text}.md", True)


def test_every_alert_leads_to_an_action(page: str) -> None:
    """Each is in a row of the table, and in the list of its severity."""
    leading = {alert for decision in DECISIONS for alert in decision.alerts}

    assert leading == set(ALERTS)
    for name in ALERTS:
        severity = shipped().alert(name).severity
        line = re.search(rf"^- \*\*{severity}\*\*: (.*)$", page, re.MULTILINE)
        assert line is None if severity == "none" else f"[{name}]" in line[1], name


def test_every_action_is_reached_and_explained(page: str) -> None:
    """No action is only described, none only named, and each says when it is done."""
    assert {decision.action for decision in DECISIONS} == set(ACTIONS)
    sections = page.partition("## Actions\n")[2].split("\n### ")[1:]

    assert [section.partition("\n")[0].lower() for section in sections] == list(ACTIONS)
    ends = [re.search(r"Done when|Keep|silence", section) is not None for section in sections]
    assert all(ends)


def test_a_performance_alert_may_end_in_each_way() -> None:
    """Which action fits a fall is not known before one looked: the table has more than one for it, in a fixed order."""
    actions = [decision.action for decision in DECISIONS if "ModelPerformanceDegraded" in decision.alerts]

    assert actions == ["roll back", "repair the feed", "relabel", "retrain", "raise the threshold"]


def test_it_follows_the_file() -> None:
    """Names, times, channels and severities are those of the user's file; what is switched off is in no list."""
    own = parse(OWN, filename="own.yml")
    text, runbook = playbook(own)[PAGE], runbooks(own)["alerting-rules/runbooks/ModelFeatureDrifted.md"]
    head = text.partition("## From finding")[0]

    assert r"| critical | the duty officer \| EU | 5m | 1h | pagerduty, slack |" in head
    assert re.search(r"^\| low \| .* \| nobody is told \|", head, re.MULTILINE)
    assert re.search(r"^- \*\*critical\*\*: .*ModelFeatureDrifted", head, re.MULTILINE)
    assert "ModelOutliers" not in head
    assert r"| answered by | the duty officer \| EU, who looks within 5m and acts within 1h |" in runbook

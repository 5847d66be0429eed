"""Markdown: tables stay tables, and no name is more than text."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from driftgauge.report import document
from driftgauge.report.html import html
from driftgauge.report.markdown import escaped, markdown
from report.hostile import HOSTILE, hostile
from report.subjects import a_finding, a_state, a_subject
from report.test_document import FINDINGS


@pytest.fixture(scope="module")
def found() -> Mapping[str, Any]:
    """Return the document of a model that drifted and got worse."""
    subject = a_subject(a_state(shift=1.0, wrong=0.3), findings=FINDINGS)
    return document(subject.chosen(), driftgauge="1.2.3")


def cells(line: str) -> int:
    """Return how many bars end a cell."""
    return line.replace("\\\\", "").replace("\\|", "").count("|")


def test_what_it_says(found: Mapping[str, Any]) -> None:
    """The verdict, the actions and the tables are there."""
    text = markdown(found)

    assert text.startswith(
        "# churn version 2\n\nbinary, window 24h: 2026-01-04 13:00:00 UTC to 2026-01-05 13:00:00 UTC\n"
    )
    assert "\n**Action required.** High: 2 of 4 features drifted (besides: ModelFeatureDrifted).\n" in text
    assert "\n- **Roll back** when the drift began with a release of the model or of feature code.\n" in text
    assert "\n- [Runbook](https://x/y)\n" in text
    assert "\n| roc\\_auc | " in text


@pytest.mark.parametrize("name", [*HOSTILE, "harmless"], ids=["script", "attribute", "markdown", "svg", "long", "none"])
def test_hostile_names(found: Mapping[str, Any], name: str) -> None:
    """Each table has as many cells in each row as in its head, no line begins otherwise, and there is no HTML."""
    lines = markdown(hostile(found, name)).splitlines()
    harmless = markdown(hostile(found, "harmless")).splitlines()

    assert len(lines) == len(harmless)
    assert [line[:2] for line in lines if line] == [line[:2] for line in harmless if line]
    assert [cells(line) for line in lines] == [cells(line) for line in harmless]
    assert not any("<" in line for line in lines)
    assert {found[1] for line in lines for found in re.finditer(r"(?<!\\)\]\((\w*)", line)} <= {"https", "http"}


def test_signs_follow_actions_without_a_gap() -> None:
    """An action whose text goes on with a sign reads as it does in the runbook, here and in HTML."""
    subject = a_subject(a_state(), findings=(a_finding("ModelMissingValues", "medium", "A feature is missing."),))
    missing = document(subject.chosen(), driftgauge="1.2.3")

    assert "\n- **Repair the source**; map a renamed column under columns" in markdown(missing)
    assert "<strong>Repair the source</strong>; map a renamed column under columns" in html(missing)


def test_what_an_alert_says_is_whole(found: Mapping[str, Any]) -> None:
    """In the table of alerts too, however long it is: only names are cut."""
    said = "f0 drifted, and so on. " * 20
    alert = {"when": "now", "alert": "ModelFeatureDrifted", "severity": "low", "text": said}
    alerts = {"by_kind": {"ModelFeatureDrifted": 1}, "last": [alert]}

    text = markdown({**found, "history": {**found["history"], "alerts": alerts}})

    assert f"| now | ModelFeatureDrifted | low | {said.strip()} |" in text


def test_signs_are_shown_as_they_are() -> None:
    """What Markdown and HTML would take for markup is escaped, also what GitHub would make a link of."""
    assert escaped("a_b*c`d` [e](f) |g| ~h~ <i> &amp; $j$ #1 @k") == (
        r"a\_b\*c\`d\` \[e\](f) \|g\| \~h\~ &lt;i&gt; &amp;amp; \$j\$ \#1 \@k"
    )
    assert escaped("https://x www.y\n2") == r"https\://x www\.y 2"

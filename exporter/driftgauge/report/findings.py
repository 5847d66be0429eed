"""The alerts that hold, each with what its runbook says is to be done."""

import re
from typing import Any, Final

from driftgauge.generator.runbooks import mitigation
from driftgauge.report.subject import Subject
from driftgauge.verdict import Finding

# Of one alert: it may hold for each of hundreds of features.
MOST_OF_ONE: Final = 20
_RUNBOOK: Final = "runbook_url"
_ITEM: Final = re.compile(r"\*\*(?P<do>.+?)\*\*(?P<text>.*)", re.DOTALL)
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
# A key that is a word of English, as `for`: without a mark it would read as one.
_WORD: Final = re.compile(r"`([a-z]+)`")
_MARKS: Final = re.compile(r"\*\*|`")


def findings(subject: Subject) -> list[dict[str, Any]]:
    """Return the alerts that hold, the gravest first, with what they are about and what is to be done."""
    of_alert: dict[str, list[Finding]] = {}
    for each in subject.findings:
        of_alert.setdefault(each.alert, []).append(each)
    return [
        {
            "alert": alert,
            "severity": found[0].severity,
            "summary": found[0].summary,
            "runbook": found[0].runbook,
            "count": len(found),
            "items": [_item(each) for each in found[:MOST_OF_ONE]],
            "actions": [_action(item) for item in mitigation(alert, subject.thresholds)],
        }
        for alert, found in of_alert.items()
    ]


def _item(finding: Finding) -> dict[str, Any]:
    return {
        "labels": dict(finding.labels),
        "value": finding.value,
        "limit": finding.limit,
        "text": finding.sentence,
        "look": finding.look,
        "links": {name: address for name, address in finding.links.items() if name != _RUNBOOK},
    }


def _action(item: str) -> dict[str, str]:
    """Return an item of a runbook's list, which begins in bold, as plain text: what to do, and when or how."""
    found = _ITEM.fullmatch(item)
    do, text = (found["do"], found["text"]) if found else ("", item)
    return {"do": _plain(do), "text": _plain(text).strip()}


def _plain(text: str) -> str:
    return _MARKS.sub("", _WORD.sub(r'"\1"', _LINK.sub(r"\1", text)))

"""The rules that ship, ready to be evaluated: their queries and their words, compiled once for some thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from driftgauge.generator.alerts import MODEL_ALERTS, SEVERITIES, Severity
from driftgauge.generator.definitions.retraining import Reason, reasons
from driftgauge.generator.recording import RECORDINGS
from driftgauge.generator.rules import alarm, alert
from driftgauge.generator.thresholds import Thresholds
from driftgauge.verdict.promql import Query, compiled, looks_back
from driftgauge.verdict.templates import Template


@dataclass(frozen=True, slots=True)
class Rule:
    """An alerting rule. looks_back: whether it also asks for what was before.

    sentence: the first line of its description, which says what is the matter; look: the others. limit: as people say
    it. links: the other annotations, by name.
    """

    name: str
    severity: Severity
    query: Query
    looks_back: bool
    summary: str
    sentence: Template
    look: Template
    limit: Template
    links: Mapping[str, Template]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules on models of some thresholds, the gravest first, else in the order of the rule files.

    thresholds: those that they were made of. reasons: the policy by which retraining is recommended.
    """

    thresholds: Thresholds
    recordings: Mapping[str, Query]
    alerts: tuple[Rule, ...]
    reasons: Mapping[str, Reason]

    @classmethod
    def of(cls, thresholds: Thresholds) -> Self:
        """Compile what `driftgauge generate` writes into the rule files."""
        recordings = {name: compiled(each.expr(thresholds)) for name, each in RECORDINGS.items()}
        found = [rule for name in MODEL_ALERTS if (rule := _rule(thresholds, name))]
        found.sort(key=lambda rule: SEVERITIES.index(rule.severity))
        return cls(thresholds, recordings, tuple(found), reasons(thresholds))


def _rule(thresholds: Thresholds, name: str) -> Rule | None:
    written, of_limit = alert(thresholds, name), alarm(thresholds, name)
    if written is None or of_limit is None:
        return None
    words = dict(written["annotations"])
    sentence, _, look = words.pop("description").partition("\n")
    return Rule(
        name=name,
        severity=written["labels"]["severity"],
        query=compiled(written["expr"]),
        looks_back=looks_back(written["expr"]),
        summary=words.pop("summary"),
        sentence=Template(sentence),
        look=Template(look),
        limit=Template(of_limit.limit),
        links={key: Template(text) for key, text in words.items()},
    )

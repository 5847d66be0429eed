"""What a PromQL expression asks for, read by a real parser, and whether driftgauge has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import promql_parser as promql

from driftgauge.families import FAMILIES
from driftgauge.generator.recording import RECORDINGS

# What Prometheus adds to every scraped series.
TARGET_LABELS: Final = frozenset({"job", "instance"})
# Series that are not driftgauge's own, with their labels.
OTHERS: Final = {
    "ALERTS": frozenset({"alertname", "alertstate", "severity", "model", "version", "window"}),
    "up": frozenset(),
    "scrape_duration_seconds": frozenset(),
    "process_start_time_seconds": frozenset(),
    "process_resident_memory_bytes": frozenset(),
    "prometheus_notifications_dropped_total": frozenset(),
    "alertmanager_notifications_failed_total": frozenset({"integration"}),
}
_SUFFIXES: Final = {"histogram": ("_bucket", "_sum", "_count"), "gaugehistogram": ("_bucket", "_gsum", "_gcount")}
_BELOW: Final = ("expr", "lhs", "rhs", "param", "vector_selector")


@dataclass(frozen=True)
class Selector:
    """One series that is asked for, and the labels its matchers name."""

    name: str
    labels: frozenset[str]


def selectors(expression: str) -> list[Selector]:
    """Return all selectors of an expression. Raises ValueError when it does not parse."""
    return [
        Selector(found.name, frozenset(matcher.name for matcher in found.matchers.matchers))
        for found in _vectors(promql.parse(expression))
    ]


def _vectors(node: Any) -> Iterator[Any]:
    if isinstance(node, promql.VectorSelector):
        yield node
        return
    for name in _BELOW:
        if (below := getattr(node, name, None)) is not None:
            yield from _vectors(below)
    for argument in getattr(node, "args", ()):
        yield from _vectors(argument)


def labels_of(name: str) -> frozenset[str] | None:
    """Return the labels a series can have; None when there is no such series."""
    if name in OTHERS:
        return OTHERS[name] | TARGET_LABELS
    if name in RECORDINGS:
        return frozenset(RECORDINGS[name].labels) | {"job"}
    if name in FAMILIES and FAMILIES[name].type not in _SUFFIXES:
        return frozenset(FAMILIES[name].labels) | TARGET_LABELS
    for family in FAMILIES.values():
        if name in (f"{family.name}{suffix}" for suffix in _SUFFIXES.get(family.type, ())):
            bucket = {"le"} if name.endswith("_bucket") else set()
            return frozenset(family.labels) | TARGET_LABELS | bucket
    return None


def unknown(expression: str) -> list[str]:
    """Return what an expression asks for in vain: series and labels that do not exist."""
    found = []
    for selector in selectors(expression):
        labels = labels_of(selector.name)
        if labels is None:
            found.append(selector.name)
        else:
            found += sorted(f"{selector.name}{{{label}}}" for label in selector.labels - labels)
    return found

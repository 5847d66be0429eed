"""Whether PromQL asks only for series that exist: of driftgauge, of its recording rules, of Prometheus."""

from typing import Final

from driftgauge.families import FAMILIES, Family
from driftgauge.generator.recording import RECORDINGS
from generator.promql_trees import parsed, selectors

# What Prometheus adds to every scraped series.
TARGET_LABELS: Final = frozenset({"job", "instance"})
# Series that are not driftgauge's own, with their labels.
OTHERS: Final = {
    "ALERTS": frozenset({"alertname", "alertstate", "severity", "model", "version", "window"}),
    # The target's, when it has one: the rules look for it.
    "driftgauge_build_info": frozenset({*FAMILIES["driftgauge_build_info"].labels, "segment"}),
    # Of `driftgauge hook`.
    "driftgauge_hook_triggers_total": frozenset({"action", "result"}),
    "driftgauge_hook_bodies_refused_total": frozenset({"reason"}),
    "driftgauge_hook_unrecorded": frozenset(),
    "up": frozenset(),
    "scrape_duration_seconds": frozenset(),
    "process_start_time_seconds": frozenset(),
    "prometheus_notifications_dropped_total": frozenset(),
    "alertmanager_notifications_failed_total": frozenset({"integration"}),
}
# Of a selector without a name: what Prometheus makes of driftgauge's labels when the target has others of their name.
_OF_ANY: Final = TARGET_LABELS | {"__name__"} | {f"exported_{each}" for one in FAMILIES.values() for each in one.labels}
_SUFFIXES: Final = {"histogram": ("_bucket", "_sum", "_count"), "gaugehistogram": ("_bucket", "_gsum", "_gcount")}


def labels_of(name: str) -> frozenset[str] | None:
    """Return the labels a series can have; None when there is no such series."""
    if name in OTHERS:
        return OTHERS[name] | TARGET_LABELS
    if name in RECORDINGS:
        return frozenset(RECORDINGS[name].labels) | {"job"}
    if name in FAMILIES and FAMILIES[name].type not in _SUFFIXES:
        return _own(FAMILIES[name]) | TARGET_LABELS
    for family in FAMILIES.values():
        if name in (f"{family.name}{suffix}" for suffix in _SUFFIXES.get(family.type, ())):
            bucket = {"le"} if name.endswith("_bucket") else set()
            return _own(family) | TARGET_LABELS | bucket
    return None


def _own(family: Family) -> frozenset[str]:
    return frozenset(family.labels) | ({"segment"} if family.segmented else set())


def unknown(expression: str) -> list[str]:
    """Return what an expression asks for in vain, series and labels. Raises ValueError when it is no PromQL."""
    found = []
    for selector in selectors(parsed(expression)):
        labels = labels_of(selector.name) if selector.name else _OF_ANY
        if labels is None:
            found.append(selector.name)
        else:
            found += sorted(f"{selector.name}{{{label}}}" for label in selector.matchers.keys() - labels)
    return found

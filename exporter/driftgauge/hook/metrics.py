"""What Prometheus sees of the hook: counters since the journal began, and what waits or runs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from driftgauge.hook.journal import ENDS, Counts
from driftgauge.hook.settings import Settings

# What an alert that came may be, and what of a trigger may wait.
_ALERTS: Final = ("triggered", "duplicate", "no_action", "resolved")
_WAITS: Final = ("waiting", "cool_down", "budget")
_BODIES: Final = ("too_large", "no_notification", "no_token")


class Metrics:
    """The exposition of one journal, whose counts `read` returns."""

    def __init__(self, settings: Settings, read: Callable[[], Counts]) -> None:
        self._actions = [action.name for action in settings.actions]
        self._read = read
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def page(self, *, openmetrics: bool) -> bytes:
        """Return the page in one of the two formats."""
        return (generate_openmetrics if openmetrics else generate_latest)(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all families; those of each action begin at 0."""
        counts = self._read()
        total, now = counts.totals.get, counts.now.get
        yield _counter(
            "driftgauge_hook_alerts",
            "Alerts that Alertmanager sent, by what became of them.",
            {"result": {result: total(("alerts", "", result), 0) for result in _ALERTS}},
        )
        yield _counter(
            "driftgauge_hook_bodies_refused",
            "Requests that were no notification, by reason.",
            {"reason": {reason: total(("bodies_refused", "", reason), 0) for reason in _BODIES}},
        )
        triggers = CounterMetricFamily(
            "driftgauge_hook_triggers",
            "Triggers that ended, by outcome; nobody knows whether an unclear one had an effect.",
            labels=["action", "result"],
        )
        waiting = GaugeMetricFamily(
            "driftgauge_hook_waiting",
            "Triggers that have not started, by what they wait for: their turn, a cool-down or a budget.",
            labels=["action", "reason"],
        )
        for action in self._actions:
            for end in ENDS:
                triggers.add_metric([action, end], total(("triggers", action, end), 0))
            for reason in _WAITS:
                waiting.add_metric([action, reason], now((action, reason), 0))
        yield from (triggers, waiting, *self._of_actions(counts))

    def _of_actions(self, counts: Counts) -> Iterator[Metric]:
        """Yield the families that have one series for each action."""
        retries = {action: counts.totals.get(("retries", action, ""), 0) for action in self._actions}
        running = {action: counts.now.get((action, "running"), 0) for action in self._actions}
        yield _counter("driftgauge_hook_retries", "Attempts that failed and are repeated.", {"action": retries})
        yield _gauge("driftgauge_hook_running", "Triggers that are worked on.", {"action": running})
        yield _gauge(
            "driftgauge_hook_last_start_timestamp_seconds",
            "Unix time of the last start of the action; absent before the first.",
            {"action": counts.last_started},
        )
        yield GaugeMetricFamily(
            "driftgauge_hook_unrecorded", "Triggers that ended and that MLflow has not been told of.", counts.unrecorded
        )


def _counter(name: str, text: str, values: Mapping[str, Mapping[str, float]]) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=list(values)), values)


def _gauge(name: str, text: str, values: Mapping[str, Mapping[str, float]]) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=list(values)), values)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[str, Mapping[str, float]]) -> Metric:
    """Return a family with the values of its only label."""
    for of_label in values.values():
        for label, value in of_label.items():
            family.add_metric([label], value)
    return family

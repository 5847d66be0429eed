"""Day by day what the kept panes still tell: performance, drift by feature, and which alerts would have held.

Nothing is remembered for it. What is not in the panes, such as rejected rows and evidence, is not said of a day.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import is_
from statistics import fmean, pstdev
from typing import Any, Final

from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.report.performance import metrics_of, whole
from driftgauge.report.subject import Chosen, Found
from driftgauge.snapshot import Day, ModelState, days
from driftgauge.verdict import Finding, findings
from driftgauge.windows import MICROSECONDS

MOST_DAYS: Final = 31
# Rows of the heatmap, and alerts that are listed.
MOST_FEATURES: Final = 50
MOST_ALERTS: Final = 10
NOW: Final = "now"
# The parts of a day that are no panes: reference and baseline.
_BASIS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a report tells of a day: its row, PSI by feature, and the alerts that would have held."""

    row: dict[str, Any]
    psi: dict[str, float]
    alerts: tuple[Finding, ...]


class Days:
    """Remembers what was told of days that are over, for the next report: each costs as much as a window of a day.

    It holds on to the panes of these days, until `keep`. Any thread may call.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[tuple[object, ...], Told]] = {}

    def __len__(self) -> int:
        """How many days are remembered."""
        return len(self._known)

    def told(self, day: Day, chosen: Chosen) -> Told:
        """Return what is told of a day, as before if it is made of the very same."""
        name = (chosen.version, day.start)
        known = self._known.get(name)
        if known and len(known[0]) == len(day.of) and all(map(is_, known[0], day.of)):
            return known[1]
        found = _told(day, chosen)
        if day.is_over:
            self._known[name] = day.of, found
        return found

    def keep(self, state: ModelState) -> None:
        """Forget the days that are made of panes that the model has no longer."""
        if self._known:
            alive = {id(pane) for panes in (state.predictions, state.outcomes) for pane in panes.values()}
            for name, (of, _) in list(self._known.items()):
                if not all(id(part) in alive for part in of[_BASIS:]):
                    self._known.pop(name, None)


def history(chosen: Chosen, known: Days) -> dict[str, Any]:
    """Return days with their figures, what these come to, PSI of feature by day, and alerts."""
    subject = chosen.subject
    wanted = (
        days(subject.state, version=chosen.version, windows=subject.windows, now=subject.now, most=MOST_DAYS)
        if chosen.version
        else ()
    )
    found = [known.told(day, chosen) for day in wanted]
    rows = [each.row for each in found]
    metrics = metrics_of(subject.state.config.task)
    return {
        "most_days": MOST_DAYS,
        "batches": subject.state.totals.batches,
        "days": rows,
        "summary": {metric: summary for metric in metrics if (summary := _summary(rows, metric))},
        "heatmap": _heatmap(found, chosen),
        "alerts": _alerts(found, chosen),
    }


def _told(day: Day, chosen: Chosen) -> Told:
    samples = day.samples(chosen.subject.limits)
    found, here = Found(samples), (chosen.version, day.window.name)
    psi = {key[2]: value for key, value in found.values("model_feature_psi").items() if key[:2] == here}
    # What there is of today is in what holds now.
    alerts = findings(chosen.model, samples, chosen.subject.rules, now=day.end * MICROSECONDS) if day.is_over else ()
    return Told(_row(day, chosen, found, here), psi, alerts)


def _row(day: Day, chosen: Chosen, found: Found, here: tuple[str, str]) -> dict[str, Any]:

    def value(family: str) -> float | None:
        return found.values(family).get(here)

    metrics = {
        metric: number
        for metric in metrics_of(chosen.subject.state.config.task)
        if (number := value(PERFORMANCE_GAUGES[metric])) is not None
    }
    return {
        "day": f"{datetime.fromtimestamp(day.start, UTC):%Y-%m-%d}",
        "complete": day.is_over,
        "predictions": whole(value("model_window_predictions")),
        "labels": whole(value("model_window_labels")),
        "metrics": metrics,
        "drifted_features": whole(value("model_drifted_features")),
        "monitored_features": whole(value("model_monitored_features")),
        "prediction_psi": value("model_prediction_psi"),
        "missing_ratio": value("model_missing_ratio"),
        "error_ratio": value("model_error_ratio"),
    }


def _summary(rows: Sequence[dict[str, Any]], metric: str) -> dict[str, Any] | None:
    """Return what a metric's daily values come to, each day counting once; the deviation is with ddof = 0."""
    values = [row["metrics"][metric] for row in rows if metric in row["metrics"]]
    if not values:
        return None
    return {
        "days": len(values),
        "average": fmean(values),
        "lowest": min(values),
        "highest": max(values),
        "deviation": pstdev(values),
    }


def _heatmap(found: Sequence[Told], chosen: Chosen) -> dict[str, Any]:
    by_day = [each.psi for each in found]
    now = chosen.values("model_feature_psi")
    highest = {name: max(of.get(name, 0.0) for of in (*by_day, now)) for of in (*by_day, now) for name in of}
    ranked = sorted(highest, key=lambda name: (-highest[name], name))
    return {
        "days": [each.row["day"] for each in found],
        "features": ranked[:MOST_FEATURES],
        "left_out": max(0, len(ranked) - MOST_FEATURES),
        "psi": [[of.get(name) for of in by_day] for name in ranked[:MOST_FEATURES]],
    }


def _alerts(found: Sequence[Told], chosen: Chosen) -> dict[str, Any]:
    """Return what holds now and would have held on each day before by its rows alone, the latest first."""
    now = chosen.subject.findings
    held: list[tuple[str, Finding]] = [(NOW, each) for each in now]
    held += [(day.row["day"], each) for day in reversed(found) for each in day.alerts]
    kinds = Counter(each.alert for _, each in held)
    return {
        "now": len(now),
        "by_kind": dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
        "by_severity": dict(Counter(each.severity for _, each in held)),
        "last": [
            {
                "when": when,
                "alert": each.alert,
                "severity": each.severity,
                "version": each.version,
                "text": each.sentence,
            }
            for when, each in held[:MOST_ALERTS]
        ],
    }

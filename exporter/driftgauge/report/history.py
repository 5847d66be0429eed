"""Day by day what the kept panes still tell: performance, drift by feature, and which alerts would have held.

Nothing is remembered for it. What is not in the panes, such as rejected rows and evidence, is not said of a day.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import fmean, pstdev
from typing import Any, Final

from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.report.performance import metrics_of, whole
from driftgauge.report.subject import Chosen, Found
from driftgauge.snapshot import Day, days
from driftgauge.verdict import Finding, findings
from driftgauge.windows import MICROSECONDS

MOST_DAYS: Final = 31
# Rows of the heatmap, and alerts that are listed.
MOST_FEATURES: Final = 50
MOST_ALERTS: Final = 10
NOW: Final = "now"


def history(chosen: Chosen) -> dict[str, Any]:
    """Return days with their figures, what these come to, PSI of feature by day, and alerts."""
    subject = chosen.subject
    found = list(
        days(
            subject.state,
            version=chosen.version,
            windows=subject.windows,
            limits=subject.limits,
            now=subject.now,
            most=MOST_DAYS,
        )
        if chosen.version
        else ()
    )
    rows = [_row(day, chosen) for day in found]
    metrics = metrics_of(subject.state.config.task)
    return {
        "most_days": MOST_DAYS,
        "batches": subject.state.totals.batches,
        "days": rows,
        "summary": {metric: summary for metric in metrics if (summary := _summary(rows, metric))},
        "heatmap": _heatmap(found, chosen),
        "alerts": _alerts(found, chosen),
    }


def _row(day: Day, chosen: Chosen) -> dict[str, Any]:
    found, here = Found(day.samples), (chosen.version, day.window.name)

    def value(family: str) -> float | None:
        return found.values(family).get(here)

    metrics = {
        metric: number
        for metric in metrics_of(chosen.subject.state.config.task)
        if (number := value(PERFORMANCE_GAUGES[metric])) is not None
    }
    return {
        "day": _date(day),
        "complete": day.end - day.start >= day.window.seconds,
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


def _heatmap(found: Sequence[Day], chosen: Chosen) -> dict[str, Any]:
    by_day = [_psi(day, chosen) for day in found]
    now = chosen.values("model_feature_psi")
    highest = {name: max(of.get(name, 0.0) for of in (*by_day, now)) for of in (*by_day, now) for name in of}
    ranked = sorted(highest, key=lambda name: (-highest[name], name))
    return {
        "days": [_date(day) for day in found],
        "features": ranked[:MOST_FEATURES],
        "left_out": max(0, len(ranked) - MOST_FEATURES),
        "psi": [[of.get(name) for of in by_day] for name in ranked[:MOST_FEATURES]],
    }


def _psi(day: Day, chosen: Chosen) -> dict[str, float]:
    values = Found(day.samples).values("model_feature_psi")
    return {key[2]: value for key, value in values.items() if key[:2] == (chosen.version, day.window.name)}


def _alerts(found: Sequence[Day], chosen: Chosen) -> dict[str, Any]:
    """Return what holds now and would have held on each day before by its rows alone, the latest first."""
    subject = chosen.subject
    held: list[tuple[str, Finding]] = [(NOW, each) for each in subject.findings]
    # What there is of today is in what holds now.
    for day in reversed([day for day in found if day.end - day.start >= day.window.seconds]):
        held += [
            (_date(day), each)
            for each in findings(chosen.model, day.samples, subject.rules, now=day.end * MICROSECONDS)
        ]
    kinds = Counter(each.alert for _, each in held)
    return {
        "now": len(subject.findings),
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


def _date(day: Day) -> str:
    return f"{datetime.fromtimestamp(day.start, UTC):%Y-%m-%d}"

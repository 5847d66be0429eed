"""Alerts on answering and on traffic: latency, errors, predictions that stop or become few, labels that do not come."""

from typing import Final

from driftgauge.generator.cases import by_case, cases
from driftgauge.generator.definitions.watching import (
    IN_WINDOW,
    MODEL,
    model_links,
    of_case,
    percent,
    version_alarm,
)
from driftgauge.generator.promql import Target, duration, either, matcher, number
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import Thresholds

_SHARE: Final = "{{ $value | humanizePercentage }}"
_AGE: Final = "{{ $value | humanizeDuration }}"
_PREDICTIONS: Final = "model:model_window_predictions:sum"
_LABELS: Final = "model:model_window_labels:sum"
# The hour around this time a week before, on both sides: batches are not logged to the minute.
_LAST_WEEK: Final = "[2h] offset 6d23h"


def latency_high(thresholds: Thresholds) -> Alarm | None:
    """Compare the 99th percentile of the time to answer."""
    found = cases(thresholds, lambda alerts: alerts.ModelLatencyHigh, lambda w: w.service.name)
    p99, limit = "version:model_latency_quantile_seconds:max", by_case(found, lambda case: duration(case.limits.p99))
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [f"{of_case(p99, case, matcher('quantile', '0.99'))} > {number(case.limits.p99)}"],
        summary="A model answers slowly",
        facts=f"one request in a hundred {IN_WINDOW} took longer than {{{{ $value | humanizeDuration }}}}; "
        f"the limit is {limit}",
        look="Look at the heatmap: all slower means load or a slower machine, a second band means some inputs.",
        board="model",
        limit=limit,
    )


def error_ratio_high(thresholds: Thresholds) -> Alarm | None:
    """Compare the share of failed requests."""
    found = cases(thresholds, lambda alerts: alerts.ModelErrorRatioHigh, lambda w: w.service.name)
    limit = by_case(found, lambda case: percent(case.limits.error_ratio))
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [
            f"{of_case('version:model_error_ratio:max', case)} > {number(case.limits.error_ratio)}"
        ],
        summary="Requests to a model fail",
        facts=f"{_SHARE} of the requests {IN_WINDOW} failed; the limit is {limit}",
        look="The error field of the logged records says why; if it began with a new version, roll back.",
        board="model",
        limit=limit,
    )


def traffic_stopped(thresholds: Thresholds) -> Alarm | None:
    """Compare the age of the newest prediction, unless there was none at this time last week either."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelTrafficStopped, lambda w: w.traffic.name)
    if not found:
        return None
    family = "model_last_prediction_timestamp_seconds"
    limit = by_case(found, lambda case: duration(case.limits.silence))
    return Alarm(
        expr=either(
            f"time() - {_newest(thresholds, family, case.matcher)} > {number(case.limits.silence)}\n"
            f"unless on {target.by('model')} ({of_case(_PREDICTIONS, case)} offset 1w == 0)"
            for case in found
        ),
        summary="A model makes no predictions any more",
        description=f"{MODEL}: the newest prediction is {_AGE} old; the limit is "
        f"{limit}.\n"
        "Either nobody asks the model, or its predictions are no longer logged to MLflow.",
        links=model_links(thresholds, "model"),
        limit=limit,
    )


def traffic_fell(thresholds: Thresholds) -> Alarm | None:
    """Compare the predictions of the window with those of a week before."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelTrafficFell, lambda w: w.traffic.name)
    if not found:
        return None
    parts = []
    for case in found:
        now = of_case(_PREDICTIONS, case)
        then = f"min_over_time({now}{_LAST_WEEK})"
        parts.append(
            f"{now} / {then} < {number(case.limits.share_of_last_week)}\n"
            f"and on {target.by('model', 'window')} {then} >= {case.limits.min_predictions}"
        )
    limit = by_case(found, lambda case: percent(case.limits.share_of_last_week))
    return Alarm(
        expr=either(parts),
        summary="A model makes far fewer predictions than a week before",
        description=f"{MODEL}: {IN_WINDOW} there were {_SHARE} of the predictions of a week before; the limit is "
        f"{limit}.\n"
        "A holiday, a client that moved away, or batches that are not logged any more.",
        links=model_links(thresholds, "model"),
        limit=limit,
    )


def labels_late(thresholds: Thresholds) -> Alarm | None:
    """Compare the age of the newest label, while there are predictions."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelLabelsLate, lambda w: w.labels.name)
    if not found:
        return None
    family = "model_last_label_timestamp_seconds"
    limit = by_case(found, lambda case: duration(case.limits.delay))
    return Alarm(
        expr=either(
            f"time() - {_newest(thresholds, family, case.matcher)} > {number(case.limits.delay)}\n"
            f"and on {target.by('model')} {of_case(_PREDICTIONS, case)} > 0"
            for case in found
        ),
        summary="A model gets no labels any more",
        description=f"{MODEL}: the newest label is {_AGE} old; the limit is "
        f"{limit}.\n"
        "Performance is going blind. Look at the job that writes the labels and at its MLflow experiment.",
        links=model_links(thresholds, "model"),
        limit=limit,
    )


def labels_missing(thresholds: Thresholds) -> Alarm | None:
    """Compare labels with the predictions that should have theirs by now."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelLabelsMissing, lambda w: w.labels.name)
    if not found:
        return None
    parts = []
    for case in found:
        due = f"{of_case(_PREDICTIONS, case)} offset {duration(_delay(thresholds, case.names))}"
        parts.append(
            f"{of_case(_LABELS, case)} / {due} < {number(case.limits.coverage)}\n"
            f"and on {target.by('model', 'window')} {due} >= {case.limits.min_predictions}\n"
            f"and on {target.by('model')} {target.series('model_last_label_timestamp_seconds')}"
        )
    limit = by_case(found, lambda case: percent(case.limits.coverage))
    return Alarm(
        expr=either(parts),
        summary="Too few predictions of a model get their label",
        description=f"{MODEL}: {IN_WINDOW} labels came for {_SHARE} of the predictions that should have one by now; "
        f"the limit is {limit}.\n"
        "Performance speaks for a few only. Look whether labels carry the request ids of predictions.",
        links=model_links(thresholds, "model"),
        limit=limit,
    )


def _newest(thresholds: Thresholds, family: str, models: str) -> str:
    target = Target.of(thresholds)
    recent = f"{target.series(family, models)}[{duration(thresholds.smoothing)}]"
    return f"max by {target.by('model')} (max_over_time({recent}))"


def _delay(thresholds: Thresholds, names: tuple[str, ...]) -> float:
    """Return how long labels may take for the models of a case: the longest, if they differ."""
    models = [thresholds.for_model(name) for name in names or ("",)]
    return max(model.alerts.ModelLabelsLate.delay for model in models)

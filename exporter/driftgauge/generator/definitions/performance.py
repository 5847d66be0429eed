"""Alerts on how often a model is right: against its baseline, and against bounds of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.generator.alerts import BelowFloor, PerformanceDegraded
from driftgauge.generator.annotations import figure, listed, lookup, suspect
from driftgauge.generator.cases import Case, by_case, cases
from driftgauge.generator.definitions.watching import (
    IN_WINDOW,
    Judged,
    chain,
    of_case,
    percent,
    version_alarm,
)
from driftgauge.generator.promql import Target, any_of, duration, number, quoted
from driftgauge.generator.recording import VERSION
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import ERRORS, Thresholds

_IS_ERROR: Final = f"match `^({'|'.join(sorted(ERRORS))})$` $labels.metric"
_FIRST: Final = (
    "Look whether features drifted or labels changed at the same time; if it began with a new version, roll back."
)


def performance_degraded(thresholds: Thresholds) -> Alarm | None:
    """Compare each watched metric with its baseline."""
    target = Target.of(thresholds)
    found = [
        case
        for case in cases(thresholds, lambda alerts: alerts.ModelPerformanceDegraded, lambda w: w.performance.name)
        if case.limits.degradation
    ]
    limit = by_case(found, lambda case: limit_of(case.limits.degradation))
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: _degraded(target, case),
        summary="A model performs worse than its baseline",
        facts=f"{{{{ $labels.metric }}}} {IN_WINDOW} is "
        f"{off(target, 'version:model_performance_degradation_lower:max')}; "
        f"the limit is {limit}",
        look=f"{_parts(target)}{suspect(target, *VERSION)}{_FIRST}",
        board="model",
        limit=limit,
    )


def off(target: Target, certain: str) -> str:
    """Return by how much `$value` is off the baseline, and how much of that is certain by the recording `certain`."""
    baseline = lookup("model_performance_baseline", target, "model", "version", "metric")
    of_baseline = figure(
        f"max({baseline})", target, "model", "version", "metric", text=" of {{ . | value | printf `%.4g` }}"
    )
    far = f"{{{{ if {_IS_ERROR} }}}}{{{{ $value | humanizePercentage }}}} above"
    far += "{{ else }}{{ printf `%.3f` $value }} below{{ end }}"
    # `.` is the sample here, and `$labels` still the alert's.
    least = f"{{{{ if {_IS_ERROR} }}}}{{{{ . | value | humanizePercentage }}}}"
    least += "{{ else }}{{ . | value | printf `%.3f` }}{{ end }}"
    labels = (*VERSION, "metric")
    sure = figure(
        f"{lookup(certain, target, *labels)} > 0", target, *labels, text=f", at least {least} at 95 % confidence"
    )
    return f"{far} its baseline{of_baseline}{sure}"


def _parts(target: Target) -> str:
    """Return the line that splits a degradation into inputs and concept; empty when there is no estimate for that."""
    parts = f"max by (part) ({lookup('model_performance_change', target, *VERSION, 'metric')})"
    said = "Of this comes, by part: %s; concept is a changed relation to the label.\n"
    return listed(parts, target, *VERSION, "metric", named_by="part", text=said)


def _degraded(target: Target, case: Case[PerformanceDegraded]) -> Iterator[str | Judged]:
    """Compare the figure; where it has an interval and that decides, what is certain of it as well."""
    labels = target.by(*VERSION, "metric")
    for limit, metrics in by_limit(case.limits.degradation).items():
        figures, certain = (
            of_case(f"version:model_performance_degradation{end}:max", case, any_of("metric", metrics))
            for end in ("", "_lower")
        )
        beyond = f"{figures} > {number(limit)}"
        if case.limits.confident:
            yield Judged(f"{beyond}\nand on {labels} {certain} > {number(limit)}", case.limits.confident_labels)
            beyond += f"\nunless on {labels} {certain}"
        yield beyond


def by_limit(degradation: Mapping[str, float]) -> dict[float, list[str]]:
    """Return metrics by their limit."""
    groups: dict[float, list[str]] = {}
    for metric, limit in degradation.items():
        groups.setdefault(limit, []).append(metric)
    return groups


def limit_of(degradation: Mapping[str, float]) -> str:
    """Return the limit of the alert's metric as people say it."""
    texts: dict[str, list[str]] = {}
    for metric, limit in degradation.items():
        texts.setdefault(percent(limit) if metric in ERRORS else number(limit), []).append(metric)
    return chain([(f"eq $labels.metric {' '.join(map(quoted, metrics))}", text) for text, metrics in texts.items()])


@dataclass(frozen=True, slots=True)
class _MetricBound:
    """A floor or ceiling of one metric."""

    metric: str
    value: float

    @property
    def is_ceiling(self) -> bool:
        """Say which side is bad."""
        return self.metric in ERRORS


def below_floor(thresholds: Thresholds) -> Alarm | None:
    """Compare metrics with the floors and ceilings of the models that have some."""
    bounds = {
        name: [_MetricBound(metric, value) for metric, value in (model.floors | model.ceilings).items()]
        for name, model in thresholds.models.items()
    }
    # Per model: bounds are not limits of the alert, so its cases do not separate them.
    found = [
        Case(model.alerts.ModelBelowFloor, model.windows.performance.name, any_of("model", [name]), (name,))
        for name, model in thresholds.models.items()
        if bounds[name] and model.alerts.ModelBelowFloor.enabled
    ]
    words = [
        (
            f"and (eq $labels.model {quoted(name)}) (eq $labels.metric {quoted(bound.metric)})",
            f"{'at most' if bound.is_ceiling else 'at least'} {number(bound.value)}",
        )
        for name in bounds
        for bound in bounds[name]
    ]
    limit = chain(words)
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [_beyond(thresholds, case, bound) for bound in bounds[case.names[0]]],
        summary="A model is beyond the bound that was set for it",
        facts=f"{{{{ $labels.metric }}}} {IN_WINDOW} is {{{{ printf `%.4g` $value }}}}, but should be {limit}",
        look=_FIRST,
        board="model",
        limit=limit,
    )


def _beyond(thresholds: Thresholds, case: Case[BelowFloor], bound: _MetricBound) -> str:
    target = Target.of(thresholds)
    how, beyond = ("max", ">") if bound.is_ceiling else ("min", "<")
    gauge = target.series(PERFORMANCE_GAUGES[bound.metric], model=case.names[0], window=case.window)
    worst = f"{how} by {target.by(*VERSION)} ({how}_over_time({gauge}[{duration(thresholds.smoothing)}]))"
    return f'label_replace({worst}, "metric", {quoted(bound.metric)}, "", "") {beyond} {number(bound.value)}'

"""Alerts on how often a model is right: against its baseline, and against bounds of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from driftgauge.families import PERFORMANCE_GAUGES
from driftgauge.generator.alerts import BelowFloor, PerformanceDegraded
from driftgauge.generator.annotations import figure, lookup
from driftgauge.generator.cases import Case, by_case, cases
from driftgauge.generator.definitions.watching import (
    IN_WINDOW,
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
    baseline = lookup("model_performance_baseline", target, "model", "version", "metric")
    of_baseline = figure(
        f"max({baseline})", target, "model", "version", "metric", text=" of {{ . | value | printf `%.4g` }}"
    )
    off = f"{{{{ if {_IS_ERROR} }}}}{{{{ $value | humanizePercentage }}}} above"
    off += "{{ else }}{{ printf `%.3f` $value }} below{{ end }}"
    return version_alarm(
        thresholds,
        found,
        condition=_degraded,
        summary="A model performs worse than its baseline",
        facts=f"{{{{ $labels.metric }}}} {IN_WINDOW} is {off} its baseline{of_baseline}; "
        f"the limit is {by_case(found, _limit)}",
        look=_FIRST,
        board="model",
    )


def _degraded(case: Case[PerformanceDegraded]) -> Iterator[str]:
    for limit, metrics in _by_limit(case.limits.degradation).items():
        series = of_case("version:model_performance_degradation:max", case, any_of("metric", metrics))
        yield f"{series} > {number(limit)}"


def _by_limit(degradation: Mapping[str, float]) -> dict[float, list[str]]:
    groups: dict[float, list[str]] = {}
    for metric, limit in degradation.items():
        groups.setdefault(limit, []).append(metric)
    return groups


def _limit(case: Case[PerformanceDegraded]) -> str:
    texts: dict[str, list[str]] = {}
    for metric, limit in case.limits.degradation.items():
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
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [_beyond(thresholds, case, bound) for bound in bounds[case.names[0]]],
        summary="A model is beyond the bound that was set for it",
        facts=f"{{{{ $labels.metric }}}} {IN_WINDOW} is {{{{ printf `%.4g` $value }}}}, but should be {chain(words)}",
        look=_FIRST,
        board="model",
    )


def _beyond(thresholds: Thresholds, case: Case[BelowFloor], bound: _MetricBound) -> str:
    target = Target.of(thresholds)
    how, beyond = ("max", ">") if bound.is_ceiling else ("min", "<")
    gauge = target.series(PERFORMANCE_GAUGES[bound.metric], model=case.names[0], window=case.window)
    worst = f"{how} by {target.by(*VERSION)} ({how}_over_time({gauge}[{duration(thresholds.smoothing)}]))"
    return f'label_replace({worst}, "metric", {quoted(bound.metric)}, "", "") {beyond} {number(bound.value)}'

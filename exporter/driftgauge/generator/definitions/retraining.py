"""The alert that recommends retraining, and the policy that it goes by.

The exporter evaluates the policy (`verdict.retraining`), for it looks at days that are over; Prometheus gets the
answer. What counts as degraded, or drifted, is what the alerts on these say.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from driftgauge.generator.alerts import RetrainingRecommended
from driftgauge.generator.cases import Case, by_case, cases
from driftgauge.generator.definitions import drift, estimated, performance, together
from driftgauge.generator.definitions.watching import SUBJECT, chain, of_case, unless_replaced, version_links
from driftgauge.generator.promql import Target, either, number
from driftgauge.generator.rule import Alarm, Definition
from driftgauge.generator.thresholds import Thresholds, Windows

# The alerts of which one has to hold, by reason.
_ALERTS: Final[Mapping[str, tuple[Definition, ...]]] = {
    "performance": (performance.performance_degraded, performance.below_floor),
    "concept_drift": (estimated.concept_drift,),
    "data_drift": (drift.features_drifted, drift.prediction_shifted, together.multivariate_drift),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Versions, as PromQL: of which a reason can be `judged`, and for which it `holds`.

    labelled: whether labels tell, so that days with labels count, or days with predictions. days: how many, by limits.
    """

    judged: str
    holds: str
    labelled: bool
    days: Callable[[RetrainingRecommended], int]


def reasons(thresholds: Thresholds) -> Mapping[str, Reason]:
    """Return the policy by reason; those whose alerts are disabled for all models are left out."""
    labels = _by_case(
        thresholds,
        lambda windows: windows.performance.name,
        lambda case: f"{of_case('version:model_window_labels:min', case)} >= {case.limits.min_labels}",
    )
    expected = _by_case(
        thresholds,
        lambda windows: windows.drift.name,
        lambda case: of_case("version:model_estimated_degradation_lower:max", case),
    )
    lost = _by_case(
        thresholds,
        lambda windows: windows.drift.name,
        lambda case: (
            f"{of_case('version:model_estimated_degradation_lower:max', case)} > {number(case.limits.estimated_loss)}"
        ),
    )
    found = {
        "performance": ("version:model_performance_degradation:max", labels, labels, _days("performance_days")),
        "concept_drift": ("version:model_concept_drift_detected:max", labels, labels, _days("concept_days")),
        "data_drift": ("version:model_drifted_features:max", expected, lost, _days("drift_days")),
    }
    held = {reason: _any(thresholds, _ALERTS[reason]) for reason in found}
    on = f"on {Target.of(thresholds).by('model', 'version')}"
    return {
        reason: Reason(
            judged=f"{series} and {on} ({known})",
            holds=f"({alerts}) and {on} ({enough})",
            labelled=known == labels,
            days=days,
        )
        for reason, (series, known, enough, days) in found.items()
        if known and (alerts := held[reason])
    }


def _days(key: str) -> Callable[[RetrainingRecommended], int]:
    return lambda limits: int(getattr(limits, key))


def _by_case(
    thresholds: Thresholds, window: Callable[[Windows], str], text: Callable[[Case[RetrainingRecommended]], str]
) -> str:
    return either(map(text, cases(thresholds, lambda alerts: alerts.ModelRetrainingRecommended, window)))


def _any(thresholds: Thresholds, alerts: Iterable[Definition]) -> str:
    """Return which versions one of some alerts holds for."""
    labels = Target.of(thresholds).by("model", "version")
    found = [alarm.expr for definition in alerts if (alarm := definition(thresholds))]
    return either(f"max by {labels} ({expr})" for expr in found)


def recommended(thresholds: Thresholds) -> Alarm | None:
    """Look at what the exporter recommends."""
    found = cases(thresholds, lambda alerts: alerts.ModelRetrainingRecommended)
    if not found:
        return None
    return Alarm(
        expr=either(
            f"{of_case('version:model_retraining_recommended:max', case)} == 1\n"
            f"{unless_replaced(Target.of(thresholds))}"
            for case in found
        ),
        summary="A model should be retrained",
        description=f"{SUBJECT}: retraining is recommended, for {by_case(found, _because)}.\n"
        "First rule out what training would make permanent: a broken feed, wrong labels, a bad rollout.",
        links=version_links(thresholds, "model", "version"),
    )


def _because(case: Case[RetrainingRecommended]) -> str:
    """Return the reason as a part of a sentence, with what the policy asks for."""
    limits = case.limits
    said = {
        "performance": f"performance is beyond its limit now and was on the last {limits.performance_days} days, on "
        f"{limits.min_labels} labels and more each",
        "concept_drift": "the relation of inputs to the label has changed now and had on the last "
        f"{limits.concept_days} days, on {limits.min_labels} labels and more each",
        "data_drift": f"inputs or output drifted now and on the last {limits.drift_days} days, with an estimated loss "
        f"of more than {number(limits.estimated_loss)} each time",
    }
    return chain([(f'eq $labels.reason "{reason}"', text) for reason, text in said.items()])

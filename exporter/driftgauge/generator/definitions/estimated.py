"""Alerts on what is estimated: performance before the labels, a changed relation to the label, and slices that fell."""

from collections.abc import Iterator
from typing import Final

from driftgauge.generator.alerts import EstimatedDegraded
from driftgauge.generator.annotations import figure, listed, lookup, suspect
from driftgauge.generator.cases import Case, by_case, cases
from driftgauge.generator.definitions.performance import by_limit, limit_of, off
from driftgauge.generator.definitions.watching import IN_WINDOW, known_labels, of_case, version_alarm
from driftgauge.generator.promql import Target, any_of, narrowed, number
from driftgauge.generator.recording import VERSION
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import Thresholds

_METRIC: Final = (*VERSION, "metric")


def degraded(thresholds: Thresholds) -> Alarm | None:
    """Compare what is certain of each estimated metric with its baseline, unless the estimates proved wrong."""
    target = Target.of(thresholds)
    found = [
        case
        for case in cases(
            thresholds, lambda alerts: alerts.ModelEstimatedPerformanceDegraded, lambda w: w.performance.name
        )
        if case.limits.degradation
    ]
    limit = by_case(found, lambda case: limit_of(case.limits.degradation))
    record = figure(
        f"max({lookup('model_estimate_error', target, *_METRIC)})",
        target,
        *_METRIC,
        text="Where labels came, realised minus estimated was {{ . | value | printf `%.3g` }}.",
        otherwise="No label came yet by which the estimate could be checked.",
    )
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: _estimated(thresholds, case),
        summary="A model probably performs worse than its baseline, before the labels",
        facts=f"if the relation to the label held, {{{{ $labels.metric }}}} {IN_WINDOW} is "
        f"{off(target, 'version:model_estimated_degradation_lower:max')}; "
        f"the limit is {limit}",
        look=f"{record}\n{suspect(target, *VERSION)}Look which inputs moved; get the first labels of these rows.",
        board="model",
        limit=limit,
    )


def _estimated(thresholds: Thresholds, case: Case[EstimatedDegraded]) -> Iterator[str]:
    target, limits = Target.of(thresholds), case.limits
    model = thresholds.for_model(case.names[0] if case.names else "")
    windows = any_of("window", dict.fromkeys((case.window, model.windows.labels.name)))
    above, below = (
        f"{narrowed(f'version:model_estimate_error:{how}', (case.matcher, windows))} {beyond}"
        for how, beyond in (
            ("max", f"> {number(limits.estimate_error)}"),
            ("min", f"< -{number(limits.estimate_error)}"),
        )
    )
    wrong = (
        f"unless on {target.by('model', 'version', 'metric')} (\n"
        f"  ({above} or {below})\n"
        f"  and on {target.by(*VERSION)} version:model_window_labels:min >= {limits.record_labels}\n"
        ")"
    )
    for limit, metrics in by_limit(limits.degradation).items():
        figures, certain = (
            of_case(f"version:model_estimated_degradation{end}:max", case, any_of("metric", metrics))
            for end in ("", "_lower")
        )
        yield (f"{figures} > {number(limit)}\nand on {target.by(*_METRIC)} {certain} > {number(limit)}\n{wrong}")


def concept_drift(thresholds: Thresholds) -> Alarm | None:
    """Look at the flag of a changed relation to the label, where the metric that is farthest off is worse for it.

    Whoever is right more often than expected need not be woken.
    """
    target = Target.of(thresholds)
    labels = target.by(*VERSION)
    found = cases(thresholds, lambda alerts: alerts.ModelConceptDrift, lambda w: w.performance.name)
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [
            "\n".join(
                (
                    f"{of_case('version:model_concept_drift_detected:max', case)} == 1",
                    f"and on {labels} {of_case('version:model_concept_drift_zscore:max', case)}",
                    f"  + on {labels} {of_case('version:model_concept_drift_zscore:min', case)} > 0",
                )
            )
        ],
        summary="The relation of a model's inputs to the label changed",
        facts=f"labelled predictions {IN_WINDOW} are worse than their inputs explain: what the model learnt no longer "
        "holds, or the labels are wrong",
        look=f"First ask which labels came early: these are no random sample.{known_labels(target)}"
        f"{_unexplained(target)}{_worst_slices(target)}\n"
        "Then read some of the wrong ones: did the labels change, or the world?",
        board="why",
    )


def slices_degraded(thresholds: Thresholds) -> Alarm | None:
    """Count the slices that are significantly worse than the same slices of the reference."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelSlicesDegraded, lambda w: w.performance.name)
    limit = by_case(found, lambda case: str(case.limits.segments))
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [f"{of_case('version:model_segments_worse:max', case)} >= {case.limits.segments}"],
        summary="Slices of a model's predictions became worse",
        facts=f"{{{{ $value }}}} of the slices {IN_WINDOW} became worse than in the reference, beyond chance; "
        f"the limit is {limit}",
        look=f"Correlated columns show one problem several times: look what the slices share.{_worst_slices(target)}",
        board="why",
        limit=limit,
    )


def _unexplained(target: Target) -> str:
    """Return the line with the part of each metric's change that inputs do not explain; empty when nothing is known."""
    concept = f"max by (metric) ({lookup('model_performance_change', target, *VERSION, part='concept')})"
    said = "\nThe part that inputs do not explain, by metric: %s."
    return listed(concept, target, *VERSION, named_by="metric", text=said)


def _worst_slices(target: Target) -> str:
    """Return the line with the slices whose loss rose most, by the least that is certain of it; empty without any."""
    rose = f"max by (segment) ({lookup('model_segment_degradation_lower', target, *VERSION)}) > 0"
    said = "\nWorst slices, by what is certain of their fall: %s."
    return listed(rose, target, *VERSION, named_by="segment", text=said)

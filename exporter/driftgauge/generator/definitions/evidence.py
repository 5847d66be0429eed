"""Alerts on evidence: of a lasting change that holds however often one looks, and that stays until it is paid back."""

from collections.abc import Callable
from typing import Final

from driftgauge.generator.alerts import Alerts, Evidence
from driftgauge.generator.annotations import dashboard, mlflow_run, report
from driftgauge.generator.cases import by_case, cases
from driftgauge.generator.definitions.watching import SUBJECT, of_case, unless_replaced
from driftgauge.generator.promql import Target, any_of, either, none_of, number
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import Thresholds

# Signals that are of labels; the others are of inputs and output.
_REALISED: Final = ("accuracy", "f1")


def performance(thresholds: Thresholds) -> Alarm | None:
    """Compare the evidence that labelled predictions are lastingly worse."""
    return _evidence(
        thresholds,
        lambda alerts: alerts.ModelPerformanceEvidence,
        matcher=any_of("signal", _REALISED),
        summary="A model is lastingly right less often",
        what="that {{ $labels.signal }} fell below its baseline",
        look="A fall so small may never cross the limit of ModelPerformanceDegraded, but it lasts.",
    )


def drift(thresholds: Thresholds) -> Alarm | None:
    """Compare the evidence that inputs, output or estimated performance lastingly changed."""
    return _evidence(
        thresholds,
        lambda alerts: alerts.ModelDriftEvidence,
        matcher=none_of("signal", _REALISED),
        summary="What a model sees or answers lastingly changed",
        what="of a change in {{ $labels.signal }}",
        look="Look which features moved, and since when; nothing is urgent while performance holds.",
    )


def _evidence(
    thresholds: Thresholds, limits: Callable[[Alerts], Evidence], *, matcher: str, summary: str, what: str, look: str
) -> Alarm | None:
    target, found = Target.of(thresholds), cases(thresholds, limits)
    if not found:
        return None
    limit = by_case(found, lambda case: number(case.limits.log10))
    return Alarm(
        expr=either(
            f"{of_case('version:model_evidence_log10:max', case, matcher)} >= {number(case.limits.log10)}\n"
            f"{unless_replaced(target)}"
            for case in found
        ),
        summary=summary,
        description=f"{SUBJECT}: the evidence {what} is 10 to the power of {{{{ printf `%.2f` $value }}}}; "
        f"the limit is {limit}. It holds however often one "
        f"looks.\n{look}\n"
        "It stays until better rows have paid it back; `driftgauge reset --evidence` ends it when all is settled.",
        links={
            "dashboard_url": dashboard(thresholds.links, "why", "job", "model", "version"),
            **report(thresholds.links, "version"),
            "mlflow_url": mlflow_run(thresholds.links, target),
        },
        limit=limit,
    )

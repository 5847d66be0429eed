"""The alert on labels themselves: other classes among them, or other numbers, than the reference had."""

from driftgauge.generator.annotations import figure, listed, lookup
from driftgauge.generator.cases import cases
from driftgauge.generator.definitions.watching import IN_WINDOW, known_labels, of_case, version_alarm
from driftgauge.generator.promql import Target
from driftgauge.generator.recording import VERSION
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import Thresholds


def label_drift(thresholds: Thresholds) -> Alarm | None:
    """Look at the drift flag of the labels."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelLabelDrift, lambda w: w.performance.name)
    psi = figure(
        f"max({lookup('model_label_psi', target, *VERSION)})",
        target,
        *VERSION,
        text=" (PSI {{ . | value | printf `%.3g` }})",
    )
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [f"{of_case('version:model_label_drift_detected:max', case)} == 1"],
        summary="The share of classes among a model's labels changed",
        facts=f"the labels {IN_WINDOW} are of other classes, or other numbers, than those of the reference{psi}, large "
        "and significant by the rule in driftgauge.yml",
        look=f"First ask which labels came early: these are no random sample.{known_labels(target)}{_gained(target)}\n"
        "If all came, the mix of cases changed or the labels did; performance says whether the model bears it.",
        board="why",
    )


def _gained(target: Target) -> str:
    """Return the line with the classes whose share among the labels rose most; empty where there are no classes."""
    share, before = (
        f"max by (class) ({lookup('model_class_share', target, *VERSION, kind=kind)})"
        for kind in ("label", "reference")
    )
    said = "\nShare that classes gained among the labels: %s."
    return listed(f"{share} - {before}", target, *VERSION, named_by="class", text=said)

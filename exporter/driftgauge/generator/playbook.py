"""The playbook: one page that says who does what within which time, and which action fits which finding.

`DECISIONS` is the table from findings to actions, the first that fits decides; what each action is, the template
`text/PLAYBOOK.md.j2` says. The runbooks say how one gets from an alert to a finding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, get_args

from jinja2 import Environment

from driftgauge.config.units import format_duration
from driftgauge.generator.alerts import ALERTS, MODEL_ALERTS
from driftgauge.generator.prose import prose
from driftgauge.generator.thresholds import Thresholds

PAGE: Final = "alerting-rules/runbooks/PLAYBOOK.md"

Action = Literal[
    "repair the monitoring",
    "repair serving",
    "repair the feed",
    "roll back",
    "relabel",
    "retrain",
    "raise the threshold",
    "ignore",
]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)


@dataclass(frozen=True, slots=True)
class Decision:
    """finding: what was found. alerts: those that usually lead there. otherwise: what would be wrong to do instead."""

    finding: str
    alerts: tuple[str, ...]
    action: Action
    otherwise: str


_SERVICE: Final = ("ModelTrafficStopped", "ModelErrorRatioHigh", "ModelLatencyHigh", "ModelTrafficFell")
_FELL: Final = ("ModelPerformanceDegraded", "ModelBelowFloor", "ModelPerformanceEvidence", "ModelSlicesDegraded")
_INPUTS: Final = (
    "ModelFeaturesDrifted",
    "ModelMultivariateDrift",
    "ModelDriftEvidence",
    "ModelFeatureDrifted",
    "ModelUnusualRows",
)
_OUTPUT: Final = ("ModelPredictionShifted", "ModelOutputDrifted")
_ESTIMATED: Final = "ModelEstimatedPerformanceDegraded"
_CONCEPT: Final = "ModelConceptDrift"

# The first row that fits decides: what makes figures wrong comes before what figures say, and what is undone at once
# before what takes days.
DECISIONS: Final = (
    Decision(
        "Figures are old or missing: the exporter, MLflow or alerting itself does not work, or series are left out",
        tuple(name for name in ALERTS if name not in MODEL_ALERTS),
        "repair the monitoring",
        "deciding anything about a model on old figures",
    ),
    Decision(
        "Requests fail, are slow, or do not come, and the inputs that do come are as usual",
        _SERVICE,
        "repair serving",
        "retraining: another model of the same kind fares the same",
    ),
    Decision(
        "It began with a rollout: the version before is fine on the same days, or inputs did not move with the output",
        (*_FELL, *_OUTPUT, _ESTIMATED, *_SERVICE[1:3]),
        "roll back",
        "waiting for the cause: it can be found afterwards",
    ),
    Decision(
        "Files or rows cannot be read; values are missing, new or in another unit; columns of one source moved at once",
        (
            "ModelMissingValues",
            "ModelUnseenCategories",
            "ModelOutliers",
            "ModelRowsRejected",
            "ModelBatchesRejected",
            *_INPUTS,
            *_OUTPUT,
            _ESTIMATED,
            *_FELL,
        ),
        "repair the feed",
        "retraining: it would make the broken input permanent",
    ),
    Decision(
        "Labels are wrong, late or missing, their job or definition changed, or those that came are special",
        ("ModelLabelsLate", "ModelLabelsMissing", "ModelLabelDrift", _CONCEPT, *_FELL),
        "relabel",
        "rolling back or retraining on a selection",
    ),
    Decision(
        "Inputs moved for good and the estimate fell, but there are too few labels to know",
        (_ESTIMATED, *_INPUTS, *_OUTPUT),
        "relabel",
        "retraining on labels of the time before",
    ),
    Decision(
        "Performance fell beyond its interval, input and labels are sound, and enough labels of the new time exist",
        (*_FELL, _CONCEPT, "ModelRetrainingRecommended"),
        "retrain",
        "rolling back to a version that learnt the same past",
    ),
    Decision(
        "The same alert came several times, nothing had to be done, and the figure wanders as far in normal weeks",
        MODEL_ALERTS,
        "raise the threshold",
        "a silence without an end",
    ),
    Decision(
        "Inputs, output or labels moved, and performance, known and expected, holds within its interval",
        (*_INPUTS, *_OUTPUT, "ModelLabelDrift"),
        "ignore",
        "retraining because something moved: a shift is no loss",
    ),
)


def playbook(thresholds: Thresholds) -> dict[str, str]:
    """Return the page by its path."""
    text = (
        _page()
        .get_template("PLAYBOOK.md.j2")
        .render(
            duties=list(thresholds.playbook.items()),
            told=dict(thresholds.notifications.severities.items()),
            of_severity={severity: list(_of(severity, thresholds)) for severity, _ in thresholds.playbook.items()},
            decisions=DECISIONS,
            of_models=MODEL_ALERTS,
            critical=thresholds.playbook.critical,
            windows=thresholds.windows,
        )
    )
    return {PAGE: text}


@cache
def _page() -> Environment:
    environment = prose("text")
    environment.filters["time"] = format_duration
    environment.filters["alert"] = lambda name: f"[{name}]({name}.md)"
    environment.filters["anchor"] = lambda action: f"[{action}](#{action.replace(' ', '-')})"
    return environment


def _of(severity: str, thresholds: Thresholds) -> Iterator[str]:
    """Yield the alerts of a severity that are switched on, for all models or for one."""
    for name in ALERTS:
        on = thresholds.alert(name).enabled or any(
            getattr(model.alerts, name).enabled for model in thresholds.models.values()
        )
        if on and thresholds.alert(name).severity == severity:
            yield name

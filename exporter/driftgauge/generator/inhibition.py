"""Which alerts are muted while a worse one explains them, as a table.

Alertmanager compares the labels in `equal`, and two alerts that both lack one are equal in it. So each rule requires
the labels it compares, on both sides. This module does not know who is notified.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_VERSION: Final = ("job", "model", "version")
_MODEL: Final = ("job", "model")
_JOB: Final = ("job",)


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While `by` fires, `muted` is not notified, if both have the labels `common` with equal values.

    per_target: whether the configured target labels must be equal too. Alerts from `absent()` have none of these.
    but: a further matcher of what is muted.
    """

    why: str
    muted: str
    by: str
    common: tuple[str, ...]
    per_target: bool = True
    but: str = ""

    def rule(self, target_labels: Sequence[str]) -> dict[str, Any]:
        """Return the rule as Alertmanager reads it."""
        present = [f'{label}!=""' for label in self.common]
        return {
            "target_matchers": [self.muted, *([self.but] if self.but else []), *present],
            "source_matchers": [self.by, *present],
            "equal": [*self.common, *(target_labels if self.per_target else ())],
        }


INHIBITIONS: Final = (
    Inhibition(
        why="Something critical about a version mutes the rest about it, but for what is to be done. Traffic and "
        "labels are still notified.",
        muted='severity=~"high|medium|low"',
        but='alertname!="ModelRetrainingRecommended"',
        by='severity="critical"',
        common=_VERSION,
    ),
    Inhibition(
        why="Many drifted features, or a moved output, mute each single feature.",
        muted='severity="low"',
        by='severity="high"',
        common=_VERSION,
    ),
    Inhibition(
        why="The same fact, measured twice.",
        muted='alertname="ModelOutputDrifted"',
        by='alertname="ModelPredictionShifted"',
        common=_VERSION,
    ),
    Inhibition(
        why="What the labels say is known; what was estimated before them, and their evidence, is the same fact.",
        muted='alertname=~"ModelEstimatedPerformanceDegraded|ModelSlicesDegraded|ModelPerformanceEvidence"',
        by='alertname="ModelPerformanceDegraded"',
        common=_VERSION,
    ),
    Inhibition(
        why="Estimates rest on a relation to the label that has changed, and slices are where it did.",
        muted='alertname=~"ModelEstimatedPerformanceDegraded|ModelSlicesDegraded"',
        by='alertname="ModelConceptDrift"',
        common=_VERSION,
    ),
    Inhibition(
        why="Features that moved one by one have moved together, too, and many rows are far from the reference then.",
        muted='alertname=~"ModelMultivariateDrift|ModelDriftEvidence|ModelUnusualRows"',
        by='alertname="ModelFeaturesDrifted"',
        common=_VERSION,
    ),
    Inhibition(
        why="Less traffic is no news when there is none.",
        muted='alertname="ModelTrafficFell"',
        by='alertname="ModelTrafficStopped"',
        common=_MODEL,
    ),
    Inhibition(
        why="Old values are no reason to page anybody about a model.",
        muted='model!=""',
        by='alertname=~"DriftgaugeStale|DriftgaugeMlflowUnreachable"',
        common=_JOB,
    ),
    # Not by DriftgaugeDown: another exporter may watch the same models.
    Inhibition(
        why="Without any exporter nothing is known of the models: nothing begins, and nothing is resolved either.",
        muted='model!=""',
        by='alertname="DriftgaugeAbsent"',
        common=_JOB,
        per_target=False,
    ),
    Inhibition(
        why="One page for the only exporter when it is down.",
        muted='alertname="DriftgaugeAbsent"',
        by='alertname="DriftgaugeDown"',
        common=_JOB,
        per_target=False,
    ),
)

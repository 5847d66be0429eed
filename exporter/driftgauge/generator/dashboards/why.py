"""The dashboard that says why a model is not right: inputs or concept, slices, causes, classes, labels, output.

Its panels are in `why_causes`, `why_labels` and `why_output`; what fell, and how far, is on the dashboard `model`.
"""

from driftgauge.generator.dashboards import why_labels
from driftgauge.generator.dashboards.board import Contents, Row
from driftgauge.generator.dashboards.marks import Marks
from driftgauge.generator.dashboards.model_performance import classes
from driftgauge.generator.dashboards.model_service import SCOPE
from driftgauge.generator.dashboards.why_causes import causes, concept, parts, since, slices
from driftgauge.generator.dashboards.why_output import output


def why(marks: Marks) -> Contents:
    """Return what the dashboard shows."""
    return Contents(
        board="why",
        description="One model: why its performance changed, and where: inputs or concept, slices, causes, classes.",
        scope=SCOPE,
        rows=[
            Row("Inputs or concept", [(6, panel) for panel in (*parts(), *concept())], height=7),
            Row("Slices and causes", [(12, slices()), (12, causes(marks))], height=7),
            Row("Since when, and whether to retrain", [(8, panel) for panel in since(marks)], height=7),
            Row("Classes", [(12, panel) for panel in (*classes(), *why_labels.classes())]),
            Row("Labels against the reference", [(8, panel) for panel in why_labels.drift(marks)], height=7),
            Row("Output against the reference", [(6, panel) for panel in output(marks)]),
        ],
        alerts='model="$model"',
        beside=["model", "features"],
    )

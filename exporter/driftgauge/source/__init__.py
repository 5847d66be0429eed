"""What MLflow holds: prediction and label files of runs, reference files, model versions.

This package alone knows MLflow. It finds files and streams their bytes; it never looks into them (`batch`
does) and remembers nothing about what was consumed (`store` does). Importing it is cheap: MLflow itself, which
takes seconds, is imported by the first `Source`.
"""

from driftgauge.source.mlflow_source import Source
from driftgauge.source.patterns import matches
from driftgauge.source.schedule import is_news
from driftgauge.source.survey import Sighting
from driftgauge.source.values import Artifact, Discovery, ModelVersion, ReferenceFile, RunState

__all__ = [
    "Artifact",
    "Discovery",
    "ModelVersion",
    "ReferenceFile",
    "RunState",
    "Sighting",
    "Source",
    "is_news",
    "matches",
]

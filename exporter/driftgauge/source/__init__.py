"""What MLflow stores: prediction and label files of runs, reference files, model versions.

In the exporter only this package imports MLflow. It finds files and streams their bytes; it does not decode them
(`batch` does) and does not record what was consumed (`store` does). Importing it is cheap: the first `Source` imports
MLflow, which takes seconds.
"""

from driftgauge.source.causes import RATE_LIMITED
from driftgauge.source.feeds import RunFeed, Session
from driftgauge.source.mlflow_source import Source
from driftgauge.source.references import own_uri, registered_name
from driftgauge.source.survey import Choice, Sighting
from driftgauge.source.values import Artifact, Discovery, ModelVersion, ReferenceFile, RunState

__all__ = [
    "RATE_LIMITED",
    "Artifact",
    "Choice",
    "Discovery",
    "ModelVersion",
    "ReferenceFile",
    "RunFeed",
    "RunState",
    "Session",
    "Sighting",
    "Source",
    "own_uri",
    "registered_name",
]

"""What MLflow stores: prediction and label files of runs, reference files, model versions; and results, if configured.

In the exporter only this package imports MLflow. It finds files and streams their bytes; it does not decode them
(`batch` does) and does not record what was consumed (`store` does). What is written goes through `writing` alone.
Importing it is cheap: the first `Source` imports MLflow, which takes seconds.
"""

from driftgauge.source.causes import FORBIDDEN, RATE_LIMITED
from driftgauge.source.feeds import RunFeed, Session
from driftgauge.source.mlflow_source import Source
from driftgauge.source.references import own_uri, registered_name
from driftgauge.source.survey import Choice, Sighting
from driftgauge.source.values import Artifact, Discovery, ModelVersion, ReferenceFile, RunState
from driftgauge.source.writing import Result, Results, as_of

__all__ = [
    "FORBIDDEN",
    "RATE_LIMITED",
    "Artifact",
    "Choice",
    "Discovery",
    "ModelVersion",
    "ReferenceFile",
    "Result",
    "Results",
    "RunFeed",
    "RunState",
    "Session",
    "Sighting",
    "Source",
    "as_of",
    "own_uri",
    "registered_name",
]

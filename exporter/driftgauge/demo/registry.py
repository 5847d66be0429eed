"""The demo's MLflow: a sqlite file and a folder of artifacts, with the trained model and its reference registered.

Only clients with an explicit URI are used, so that nothing depends on the process-wide tracking URI. It imports MLflow,
so import it late and with the environment prepared.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import unquote, urlparse

import mlflow.sklearn
from mlflow import MlflowClient

from driftgauge.demo.flights import FEATURES, LATE_MINUTES
from driftgauge.demo.names import ALIAS, MODEL, REFERENCE, THRESHOLD, TRAINING, artifacts_of, tracking_uri
from driftgauge.demo.training import PARAMETERS, DelayModel, Training

# The types in the classifier other than plain data; skops, unlike pickle, loads only types that are listed.
_TRUSTED: Final = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)


def create_experiment(client: Any, name: str, directory: Path) -> str:
    """Create an experiment with its artifacts in the demo's directory; return its id."""
    return str(client.create_experiment(name, artifact_location=artifacts_of(directory, name).as_uri()))


def register(training: Training, directory: Path, *, tags: Mapping[str, str] = {}) -> tuple[Any, str]:
    """Log and register the model with its reference, as the first version or as the next, and make it the champion.

    tags: of its run. Returns MLflow's client for the store and the version.
    """
    client = MlflowClient(tracking_uri(directory))
    known = client.get_experiment_by_name(TRAINING)
    experiment_id = known.experiment_id if known else create_experiment(client, TRAINING, directory)
    run_id = client.create_run(experiment_id, run_name=MODEL, tags=dict(tags)).info.run_id
    with TemporaryDirectory(prefix="driftgauge-demo-") as folder:
        mlflow.sklearn.save_model(
            training.model.classifier,
            f"{folder}/model",
            serialization_format="skops",
            skops_trusted_types=list(_TRUSTED),
            # Otherwise MLflow determines them in a process that loads the model again.
            pip_requirements=["mlflow", "pandas", "scikit-learn", "skops"],
        )
        training.reference.to_parquet(f"{folder}/{REFERENCE}", index=False)
        client.log_artifacts(run_id, folder)
    _describe(client, run_id, training)
    client.set_terminated(run_id)
    if known is None:
        client.create_registered_model(MODEL, description=f"Will a flight land more than {LATE_MINUTES} minutes late?")
    version = client.create_model_version(MODEL, source=f"runs:/{run_id}/model", run_id=run_id)
    client.set_registered_model_alias(MODEL, ALIAS, version.version)
    return client, str(version.version)


def newer(client: Any, than: str, model: DelayModel) -> tuple[str, DelayModel] | None:
    """Return the champion and its version, if that is not `than`, of which `model` is the model."""
    champion = client.get_model_version_by_alias(MODEL, ALIAS)
    if str(champion.version) == than:
        return None
    root = Path(unquote(urlparse(client.get_run(champion.run_id).info.artifact_uri).path))
    return str(champion.version), DelayModel(mlflow.sklearn.load_model(str(root / "model")), model.threads)


def _describe(client: Any, run_id: str, training: Training) -> None:
    parameters = {**PARAMETERS, "threshold": THRESHOLD, "features": ", ".join(FEATURES), "rows": training.rows}
    for name, value in parameters.items():
        client.log_param(run_id, name, value)
    for name, metric in training.metrics.items():
        client.log_metric(run_id, name, metric)

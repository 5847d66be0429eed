"""The model and its reference in a real MLflow store."""

import io
from pathlib import Path
from urllib.parse import unquote, urlparse

import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest

from driftgauge.demo.flights import FEATURES
from driftgauge.demo.names import ALIAS, MODEL, REFERENCE, tracking_uri
from driftgauge.demo.registry import create_experiment, register
from driftgauge.demo.training import Training
from driftgauge.scratch import Scratch
from driftgauge.source import Source


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory whose name needs quoting in URIs."""
    path = tmp_path / "my demo #1"
    path.mkdir()
    return path


def test_registered_model(flights: pd.DataFrame, training: Training, directory: Path) -> None:
    """The reference is found by alias as the exporter finds it; the model, without pickle, answers as before.

    Experiments keep their artifacts in the directory.
    """
    client, version = register(training, directory)
    assert version == "1"
    source = Source(tracking_uri(directory), max_artifact_bytes=10**8, spool=Scratch(directory / "spool"))
    with source.reference(f"models:/{MODEL}@{ALIAS}/{REFERENCE}").opener() as file:
        stored = pd.read_parquet(io.BytesIO(file.read()))
    assert np.array_equal(stored["score"], training.reference["score"])
    registered = client.get_model_version(MODEL, version)
    run = client.get_run(registered.run_id)
    root = Path(unquote(urlparse(run.info.artifact_uri).path))
    assert not [*root.rglob("*.pkl"), *root.rglob("*.pickle")]
    loaded = mlflow.sklearn.load_model(str(root / "model"))
    asked = flights.iloc[200_000:200_060]
    expected = training.model.predict(asked)["score"]
    assert np.array_equal(expected, loaded.predict_proba(asked[list(FEATURES)])[:, 1])
    assert training.metrics["accuracy"] == run.data.metrics["accuracy"]
    experiment = client.get_experiment(create_experiment(client, "/monitoring/x", directory))
    place = Path(unquote(urlparse(experiment.artifact_location).path))
    assert directory / "artifacts" / "monitoring" / "x" == place

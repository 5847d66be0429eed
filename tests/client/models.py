"""A registry of one's own and small real models in it, saved as code: nothing is pickled."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

_CODE = """
import mlflow
from mlflow.models import set_model


class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        {body}


set_model(Model())
"""


@contextmanager
def registry(empty_database: Path, folder: Path) -> Iterator[Any]:
    """Have MLflow use a fresh store in `folder` while the block runs; lend its client."""
    shutil.copyfile(empty_database, folder / "mlflow.db")
    with tracking(f"sqlite:///{folder}/mlflow.db") as client:
        client.create_experiment("training", artifact_location=(folder / "artifacts").as_uri())
        yield client


@contextmanager
def tracking(uri: str) -> Iterator[Any]:
    """Have MLflow use the store at `uri` while the block runs; lend its client."""
    import mlflow  # noqa: PLC0415 - tests that need no MLflow must not wait for it

    mlflow.set_tracking_uri(uri)
    try:
        yield mlflow.MlflowClient()
    finally:
        # Not to what it was: a URI that was set once hides the environment's from all tests that follow.
        mlflow.set_tracking_uri(None)


def log_model(folder: Path, body: str, *, experiment: str = "training", **options: Any) -> Any:
    """Log a model whose `predict` has this body, in a run of its own; return what MLflow says of it."""
    import mlflow  # noqa: PLC0415 - as above

    code = folder / "model_code.py"
    code.write_text(_CODE.format(body=body.replace("\n", "\n        ")), encoding="utf-8")
    mlflow.set_experiment(experiment)
    with mlflow.start_run():
        return mlflow.pyfunc.log_model(name="model", python_model=str(code), pip_requirements=["mlflow"], **options)


def register(client: Any, name: str, logged: Any, *, alias: str = "champion") -> str:
    """Register what was logged as the next version of a model and point the alias there; return its number."""
    import mlflow  # noqa: PLC0415 - as above

    version = str(mlflow.register_model(logged.model_uri, name).version)
    client.set_registered_model_alias(name, alias, version)
    return version


def as_exported(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Return the metrics as the exporter has them: the ROC AUC to 1e-4, all others to rounding."""
    return {
        name: pytest.approx(value, rel=1e-9, abs=1e-4 if name == "roc_auc" else 1e-12)
        for name, value in metrics.items()
    }


def logged_rows(client: Any, experiment: str) -> list[dict[str, Any]]:
    """Return the rows of all prediction files of an experiment, which may not exist yet, in the order of logging."""
    import mlflow  # noqa: PLC0415 - as above

    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id]) if found else []
    places = [(run.info.run_id, file.path) for run in runs for file in client.list_artifacts(run.info.run_id)]
    files = sorted((path, run_id) for run_id, path in places if path.startswith("predictions"))
    uri = mlflow.get_tracking_uri()
    local = [mlflow.artifacts.download_artifacts(f"runs:/{run}/{path}", tracking_uri=uri) for path, run in files]
    return [row for path in local for row in pq.read_table(path).to_pylist()]

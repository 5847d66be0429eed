"""A logged reference is what the exporter finds by the model's URI, compares with, and takes its baseline from."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from client.models import as_exported, log_model, register, registry
from driftgauge.client.logger import PredictionLogger
from driftgauge.client.reference import log_reference
from driftgauge.errors import ConfigError, ReferenceUnusable, SourceError
from pipeline.conftest import Bench, Values

ROWS: Final = 400
KEY: Final = "a key that is kept secret"
# Seconds to be ahead of what was just logged: the exporter counts rows up to its evaluation time.
AHEAD: Final = 60


@pytest.fixture(scope="module")
def client(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the client of a registry that MLflow uses meanwhile."""
    with registry(empty_database, tmp_path_factory.mktemp("reference")) as found:
        yield found


@pytest.fixture
def model(client: Any, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Return the name of a registered model of the test's own, whose first version is the champion."""
    name = request.node.name.translate(str.maketrans("[]/:", "----"))
    register(client, name, log_model(tmp_path, "return model_input"))
    return str(name)


def labelled(seed: int = 1) -> pd.DataFrame:
    """Return rows as a validation set has them."""
    rng = np.random.default_rng(seed)
    score = rng.random(ROWS)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 10, ROWS),
            "plan": rng.choice(["A", "B", "C"], ROWS),
            "probability": score,
            "label": (rng.random(ROWS) < score).astype(int),
            "request_id": [f"v{number}" for number in range(ROWS)],
        },
        index=rng.permutation(ROWS),
    )


def exported(client: Any, folder: Path, name: str, **settings: Any) -> Values:
    """Return what the exporter publishes of a model that was logged to the experiment of the same name."""
    bench = Bench(mlflow.get_tracking_uri(), client, folder)
    reference = {"uri": f"models:/{name}@champion/reference.parquet"}
    config = bench.config(
        {"name": name, "predictions": {"experiment": name}, "reference": reference, "drift": {"min_samples": 20}}
        | settings
    )
    report, values = bench.refreshed(config, now=int((time.time() + AHEAD) * 1e6))
    assert report.failures == {}
    return values


def predict(folder: Path, name: str, rows: pd.DataFrame, **settings: Any) -> None:
    """Log the rows as predictions of version 1."""
    with PredictionLogger(name, "1", spool_dir=folder / "spool", **settings) as logger:
        assert logger.log_batch(rows[["age", "plan"]], None, scores=rows["probability"])
        assert logger.flush(60, upload=True)


def at_run(client: Any, name: str) -> dict[str, float]:
    """Return the baseline that stands at the run of the champion."""
    run_id = client.get_model_version_by_alias(name, "champion").run_id
    found = client.get_run(run_id).data.metrics
    return {metric.removeprefix("baseline_"): value for metric, value in found.items()}


def test_drift_and_baseline(client: Any, model: str, tmp_path: Path) -> None:
    """The exporter compares predictions with the reference and has the same baseline as the MLflow run."""
    found = log_reference(labelled(), f"models:/{model}@champion")
    predict(tmp_path, model, labelled().assign(age=lambda rows: rows["age"] + 20))

    values = exported(client, tmp_path, model)
    assert values["model_feature_drift_detected", "1", "1h", "age"] == 1
    assert values["model_feature_drift_detected", "1", "1h", "plan"] == 0
    assert values["model_feature_psi", "1", "1h", "plan"] == pytest.approx(0, abs=1e-9)
    assert values["model_monitored_features", "1", "1h"] == 2
    assert values["model_prediction_psi", "1", "1h"] == pytest.approx(0, abs=1e-9)
    baseline = {key[-1]: value for key, value in values.items() if key[0] == "model_performance_baseline"}
    assert baseline == as_exported(at_run(client, model))
    assert found.metrics == at_run(client, model)
    assert baseline.keys() == {"accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier_score"}
    assert (found.rows, found.uri.rpartition("/")[2]) == (ROWS, "reference.parquet")


@pytest.mark.parametrize(
    ("task", "average", "rows"),
    [
        pytest.param("regression", "weighted", {"prediction": [1, 2, 4.0], "label": [1.5, 2, 3]}, id="regression"),
        pytest.param(
            "multiclass",
            "macro",
            {
                "proba_a": [0.7, 0.2, 0.5, 0.1],
                "proba_b": [0.2, 0.2, 0.4, 0.8],
                "proba_c": [0.1, 0.6, 0.1, 0.1],
                "label": ["a", "c", "b", "b"],
            },
            id="multiclass",
        ),
    ],
)
def test_other_tasks(client: Any, model: str, tmp_path: Path, task: Any, average: Any, rows: dict[str, Any]) -> None:
    """For every task the run has the exporter's baseline; a mapping of lists will do."""
    log_reference({"age": list(range(len(rows["label"]))), **rows}, f"models:/{model}/1", task=task, average=average)
    with PredictionLogger(model, "1", spool_dir=tmp_path / "spool") as logger:
        logger.log({"age": 1}, rows["label"][0])

    values = exported(client, tmp_path, model, task=task, average=average)
    baseline = {key[-1]: value for key, value in values.items() if key[0] == "model_performance_baseline"}
    assert baseline == as_exported(at_run(client, model))
    assert len(baseline) >= 4


def test_privacy_is_that_of_the_predictions(client: Any, model: str, tmp_path: Path) -> None:
    """A hashed category is the same category in both, and a redacted column is in neither."""
    privacy: Any = {"redact": ["age"], "hash": ["plan"], "hash_key": KEY}
    log_reference(labelled(), f"models:/{model}@champion", **privacy)
    predict(tmp_path, model, labelled(), **privacy)

    values = exported(client, tmp_path, model)
    assert values["model_monitored_features", "1", "1h"] == 1
    assert values["model_feature_unseen_ratio", "1", "1h", "plan"] == 0
    assert values["model_feature_total_variation_distance", "1", "1h", "plan"] == pytest.approx(0, abs=1e-9)


def test_columns_by_name(client: Any, model: str) -> None:
    """Columns with other names have the configured roles; the others are features, but for ids and times."""
    rows = pd.DataFrame({"p": [0.2, 0.9], "churned": [0, 1], "feature_time": [7, 8], "score": [1, 2], "id": [1, 2]})
    found = log_reference(rows, f"models:/{model}@champion", columns={"score": "p", "label": "churned"})

    local = mlflow.artifacts.download_artifacts(found.uri)
    assert sorted(pq.read_schema(local).names) == ["feature_score", "feature_time", "label", "probability"]
    assert at_run(client, model)["accuracy"] == 1


def test_the_run_of_a_model_that_is_not_registered(client: Any, tmp_path: Path) -> None:
    """A runs: URI and that of a logged model lead to the run as well."""
    for form in ("runs:/{run}/model", "models:/{model}"):
        logged = log_model(tmp_path, "return model_input")
        found = log_reference(labelled(), form.format(run=logged.run_id, model=logged.model_id))

        assert found.uri == f"runs:/{logged.run_id}/reference.parquet"
        assert "reference.parquet" in [file.path for file in client.list_artifacts(logged.run_id)]


def test_a_second_reference_is_refused(client: Any, model: str, tmp_path: Path) -> None:
    """What an exporter would not read is not written: it keeps the first, and takes that of the model's artifacts."""
    log_reference(labelled(), f"models:/{model}@champion")
    before = at_run(client, model)
    with pytest.raises(ReferenceUnusable, match="already has"):
        log_reference(labelled(seed=2), f"models:/{model}@champion")
    assert at_run(client, model) == before
    log_reference(labelled(seed=2), f"models:/{model}@champion", file_name="reference-2.parquet")

    logged = log_model(tmp_path, "return model_input")
    (tmp_path / "reference.parquet").write_bytes(b"the model's own")
    client.log_model_artifact(logged.model_id, str(tmp_path / "reference.parquet"))
    register(client, model, logged)
    with pytest.raises(ReferenceUnusable, match="of their own"):
        log_reference(labelled(), f"models:/{model}@champion")


@pytest.mark.parametrize(
    ("rows", "options", "failure", "message"),
    [
        pytest.param({"age": [1]}, {}, ReferenceUnusable, "has 1 rows", id="one row"),
        pytest.param({"request_id": [1, 2]}, {}, ReferenceUnusable, "0 columns to compare with", id="ids only"),
        pytest.param({"label": [1, 2]}, {}, ReferenceUnusable, "a feature or a prediction", id="labels only"),
        pytest.param(
            {"age": [1, 2]}, {"columns": {"y": "age"}}, ReferenceUnusable, 'no role "y": use label', id="unknown role"
        ),
        pytest.param(
            {"age": [1, 2]}, {"columns": {"label": "y"}}, ReferenceUnusable, 'no column "y"', id="unknown column"
        ),
        pytest.param({"age": [1, 2]}, {"hash": ["age"]}, ConfigError, "hash_key", id="hash without a key"),
    ],
)
def test_what_is_no_reference(
    client: Any, rows: dict[str, Any], options: Any, failure: type[Exception], message: str
) -> None:
    """A table that cannot be a reference is refused before anything is asked or written."""
    assert client
    with pytest.raises(failure, match=message):
        log_reference(rows, "models:/nothing/1", **options)


def test_no_such_model(client: Any) -> None:
    """A model that is not there is named."""
    assert client
    with pytest.raises(SourceError, match="models:/nothing/1"):
        log_reference(labelled(), "models:/nothing/1")

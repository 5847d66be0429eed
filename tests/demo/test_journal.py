"""Hourly files in daily runs, readable in every format."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftgauge.batch import decode
from driftgauge.columns import Columns
from driftgauge.config import ModelConfig
from driftgauge.demo.journal import ENCODERS, Journal

DAY = 86_400.0
NOON = 15_900 * DAY + 12 * 3600
TABLE = pd.DataFrame(
    {
        "feature_temp": [80.06, np.nan],
        "feature_dest": pd.Categorical(["IAH", "SFO"]),
        "prediction": [1, 0],
        "score": [0.1 + 0.2 + 0.3, 1 / 3],
        "latency_ms": [12.5, 12.5],
        "model_version": "1",
        "request_id": ["a", "b"],
        "timestamp": pd.to_datetime([1_795_232_007_445_333, 1_795_232_008_000_000], unit="us", utc=True),
    }
)


def decoded(data: bytes, name: str) -> Columns:
    """Return the rows as the exporter reads them."""
    model = ModelConfig.model_validate({"name": "m", "predictions": {"experiment": "e"}})
    (columns,) = decode(
        io.BytesIO(data), name=name, role="predictions", model=model, default_time=0, default_version="unknown",
        kinds=None, max_bytes=10**6,
    )  # fmt: skip
    return columns


@pytest.mark.parametrize("suffix", ENCODERS)
def test_formats_say_the_same(suffix: str) -> None:
    """Each format brings every value back exactly, missing ones as missing."""
    columns = decoded(ENCODERS[suffix](TABLE), f"12{suffix}")
    assert columns.rejected == {}
    assert columns.time.tolist() == [1_795_232_007_445_333, 1_795_232_008_000_000]
    assert columns.key.to_pylist() == ["a", "b"]
    assert columns.version.to_pylist() == ["1", "1"]
    assert columns.predicted.to_pylist() == ["1", "0"]
    assert columns.score.tolist() == [0.1 + 0.2 + 0.3, 1 / 3]
    assert columns.latency.tolist() == [0.0125, 0.0125]
    assert columns.numbers["temp"][0] == 80.06
    assert np.isnan(columns.numbers["temp"][1])
    assert columns.categories["dest"].to_pylist() == ["IAH", "SFO"]


@pytest.fixture
def runs(sqlite_store: str, tmp_path: Path) -> tuple[Any, str, Path]:
    """Return MLflow's client, an experiment, and where its artifacts are."""
    from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

    client = MlflowClient(sqlite_store)
    return client, client.create_experiment("e", artifact_location=(tmp_path / "files").as_uri()), tmp_path / "files"


def test_a_run_a_day_a_file_an_hour(runs: tuple[Any, str, Path]) -> None:
    """Hours of one day share a run, which ends when the next begins; formats differ from day to day."""
    client, experiment_id, root = runs
    journal = Journal(client, experiment_id, kind="predictions")
    for hour in (NOON, NOON + 3600, NOON + DAY, NOON + 2 * DAY):
        journal.log(TABLE, hour=hour, at=hour + 10 * DAY)
    found = {run.info.run_id: run.info for run in client.search_runs([experiment_id], order_by=["start_time"])}
    assert [info.status for info in found.values()] == ["FINISHED", "FINISHED", "RUNNING"]
    assert [info.start_time for info in found.values()] == [1000 * (NOON + n * DAY) for n in (10, 11, 12)]
    files = {run_id: sorted(p.name for p in (root / run_id).rglob("*.*") if p.is_file()) for run_id in found}
    names = list(files.values())
    assert [len(of_day) for of_day in names] == [2, 1, 1]
    assert {name.partition(".")[0] for of_day in names for name in of_day} == {"12", "13"}
    assert {name.partition(".")[2] for of_day in names for name in of_day} == {"jsonl", "parquet", "csv.gz"}
    assert all(path.parent.name == "predictions" for path in root.rglob("*.*") if path.is_file())

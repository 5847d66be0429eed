"""Three exporters share the models of one MLflow, as pods of a StatefulSet do; then they are four."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd
import pytest
from mlflow import MlflowClient

from driftgauge.service.placing import placement
from driftgauge.sharding import shard_of
from e2e.exporter import Exporter, command, serving
from mlflow_servers import free_port

MODELS: Final = tuple(f"team/model-{number}" for number in range(7))
ROWS: Final = 5
EVERY: Final = dict.fromkeys(MODELS, float(ROWS))
CONFIG: Final = """
mlflow: {{tracking_uri: "{uri}"}}
state_dir: {folder}/state-{ordinal}
refresh_interval: 1m
models:
"""
MODEL: Final = '  - {{name: "{name}", predictions: {{experiment: "shards/{name}"}}}}\n'


@pytest.fixture(scope="module")
def uri(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Log a batch of each model; return the server's address."""
    client = MlflowClient(mlflow_server)
    file = tmp_path_factory.mktemp("batch") / "predictions.jsonl"
    rows = pd.DataFrame({"timestamp": "2026-01-05T10:30:00Z", "model_version": "3", "prediction": [1] * ROWS})
    rows.to_json(file, orient="records", lines=True)
    for name in MODELS:
        run = client.create_run(client.create_experiment(f"shards/{name}")).info.run_id
        client.log_artifact(run, str(file))
        client.set_terminated(run)
    return mlflow_server


def config(folder: Path, uri: str, ordinal: int) -> Path:
    """Write the configuration, which is the same for all but for the state folder."""
    file = folder / f"shard-{ordinal}.yml"
    text = CONFIG.format(uri=uri, folder=folder, ordinal=ordinal) + "".join(MODEL.format(name=name) for name in MODELS)
    file.write_text(text, encoding="utf-8")
    return file


def totals(page: str) -> dict[str, float]:
    """Return each model's number of predictions."""
    lines = (line for line in page.splitlines() if line.startswith("model_predictions_total{"))
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}


@contextlib.contextmanager
def shards(folder: Path, uri: str, total: int) -> Iterator[list[Exporter]]:
    """Run that many exporters at once, each as the pod whose name ends with its number."""
    with contextlib.ExitStack() as running:
        found = []
        for ordinal in range(total):
            pod = {"POD_NAME": f"driftgauge-{ordinal}", "DRIFTGAUGE_TOTAL_SHARDS": str(total)}
            env = os.environ | pod | {"DRIFTGAUGE_SHARD": "auto"}
            found.append(running.enter_context(serving(config(folder, uri, ordinal), free_port(), env=env)))
        for each in found:
            each.wait_until_ready()
        yield found


def test_shards(uri: str, tmp_path: Path) -> None:
    """Each model is on one shard with all its rows, before and after there is one more; each knows what moved."""
    with shards(tmp_path, uri, 3) as exporters:
        pages = [exporter.get("/metrics")[1] for exporter in exporters]
        landing = exporters[1].get("/")[1]

    assert [sorted(totals(page)) for page in pages] == [
        sorted(name for name in MODELS if shard_of(name, 3) == ordinal) for ordinal in range(3)
    ]
    assert {name: value for page in pages for name, value in totals(page).items()} == EVERY
    for ordinal, page in enumerate(pages):
        assert f"driftgauge_shard_ordinal {ordinal}.0\n" in page
        assert "driftgauge_total_shards 3.0\n" in page
    assert ">1/3<" in landing
    assert f"{len(totals(pages[1]))} of 7 models are on this shard" in landing
    _one_more(tmp_path, uri)
    _known(tmp_path, uri)


def _one_more(folder: Path, uri: str) -> None:
    wider = []
    for ordinal in range(4):
        done = command("once", f"--config.file={config(folder, uri, ordinal)}", f"--shard={ordinal}/4")
        assert done.returncode == 0, done.stderr
        wider.append(totals(done.stdout))
    moved = [name for name in MODELS if shard_of(name, 3) != shard_of(name, 4)]

    assert moved
    assert sorted(wider[3]) == sorted(moved)
    assert sum(map(len, wider)) == len(MODELS)
    assert {name: value for page in wider for name, value in page.items()} == EVERY


def _known(folder: Path, uri: str) -> None:
    ordinal = next(shard_of(name, 3) for name in MODELS if shard_of(name, 4) == 3)
    file = config(folder, uri, ordinal)
    gone = {name: 3 for name in MODELS if shard_of(name, 3) == ordinal and shard_of(name, 4) == 3}
    found = placement(f"{folder}/state-{ordinal}")

    assert found is not None
    assert (found.before, found.total, found.left) == (3, 4, gone)
    done = command("serve", f"--config.file={file}", "--shard=3/3")
    assert (done.returncode, done.stderr) == (
        2,
        "--shard=3/3: shards are counted from 0, so the last of 3 is 2/3\n",
    )

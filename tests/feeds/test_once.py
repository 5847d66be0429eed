"""`driftgauge once` over files only, without MLflow: rows, labels, growth and restarts."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import parser

from e2e.exporter import command
from feeds.conftest import Folder, Place, Prefix

Rows = list[dict[str, Any]]


def lines(rows: Rows) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def once_alone(config: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own where MLflow cannot even be imported."""
    (config.parent / "mlflow.py").write_text("raise SystemExit('MLflow was asked')\n")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING")}
    return subprocess.run(
        [sys.executable, "-m", "driftgauge", "once", f"--config.file={config}"],
        cwd=config.parent, env=inherited, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def once(folder: Path, files: str, *, alone: bool = False) -> Mapping[str, float]:
    """Run the command; return the samples by family and labels but `model`."""
    config = folder / "driftgauge.yml"
    config.write_text(
        f"state_dir: {folder}/state\nmodels: [{{name: churn, predictions: {{files: '{files}'}}, labels: {{}}}}]\n"
    )
    done = once_alone(config) if alone else command("once", f"--config.file={config}")
    assert done.returncode == 0, done.stderr
    assert "s3cr3t" not in done.stdout + done.stderr
    return {
        " ".join([sample.name, *(v for k, v in sample.labels.items() if k != "model")]): sample.value
        for family in parser.text_string_to_metric_families(done.stdout)
        for sample in family.samples
    }


@pytest.mark.parametrize("kind", ["folder", "prefix"])
def test_files_without_mlflow(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Predictions and labels in files are counted and joined, and later runs count what has been added only."""
    place: Place = Folder(tmp_path, tmp_path / "data")
    files = str(tmp_path / "data")
    if kind == "prefix":
        place = Prefix(tmp_path, request.getfixturevalue("s3"), tmp_path.name)
        files = f"s3://monitoring/{tmp_path.name}"
    now = time.time()
    rows: Rows = [{"request_id": f"r{n}", "timestamp": now - 60, "prediction": n % 2} for n in range(40)]
    labels: Rows = [{"request_id": f"r{n}", "timestamp": now - 30, "label": int(n < 30 and n % 2)} for n in range(40)]
    place.put("2026/predictions.jsonl", lines(rows[:30]))
    place.put("labels-1.jsonl", lines(labels[:30]))
    place.put("timeless.csv", "prediction,model_version\n1,7\n")

    first = once(tmp_path, files, alone=kind == "folder")
    assert first["model_predictions_total unknown"] == 30
    assert first["model_predictions_total 7"] == 1
    assert first["model_labels_total unknown"] == 30
    assert first["model_accuracy unknown 1h"] == 1.0
    assert "driftgauge_mlflow_up" not in first
    assert first["driftgauge_refresh_success"] == 1
    assert now - 60 <= first["model_last_prediction_timestamp_seconds"] <= time.time() + 1

    place.put("2026/predictions.jsonl", lines(rows))
    place.put("labels-2.jsonl", lines(labels[30:]))
    place.delete("labels-1.jsonl")
    second = once(tmp_path, files)
    assert second["model_predictions_total unknown"] == 40
    assert second["model_labels_total unknown"] == 40
    assert second["model_accuracy unknown 1h"] == pytest.approx(35 / 40)
    assert second["model_batches_total"] == first["model_batches_total"] + 2
    assert once(tmp_path, files)["model_batches_total"] == second["model_batches_total"]
    assert list((tmp_path / "state" / "spool").iterdir()) == []

"""`driftgauge report`: what it writes, and what it refuses."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.exporter import command
from report.test_document import SCHEMA


def configured(folder: Path, *models: str, **settings: Any) -> Path:
    """Write a configuration of models whose files are in a folder, and forty rows, of which every fourth is wrong."""
    (folder / "in").mkdir(exist_ok=True)
    now = datetime.now(UTC).timestamp()
    rows = [
        {"timestamp": now - 60, "model_version": "7", "prediction": n % 2, "label": (n + (n % 4 == 0)) % 2}
        for n in range(40)
    ]
    (folder / "in" / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sections = [{"name": name, "predictions": {"files": str(folder / "in")}, **settings} for name in models]
    path = folder / "driftgauge.yml"
    path.write_text(yaml.safe_dump({"state_dir": str(folder / "state"), "models": sections}))
    return path


def test_what_is_written(tmp_path: Path) -> None:
    """The forms are of one document, and its sentence is printed; rows count once however often it is asked."""
    config = configured(tmp_path, "churn", baseline={"accuracy": 0.9})
    outputs = [tmp_path / f"report.{form}" for form in ("json", "md")]

    done = [command("report", f"--config.file={config}", f"--output={output}") for output in outputs]

    assert [each.returncode for each in done] == [0, 0], done[0].stderr
    found = json.loads(outputs[0].read_text())
    SCHEMA.validate(found)
    assert (found["model"], found["version"], found["period"]["predictions"]) == ("churn", "7", 40)
    assert found["performance"]["metrics"][0]["value"] == 0.75
    sentence = found["verdict"]["sentence"]
    assert [each.stdout for each in done] == [f"{output}: {sentence}\n" for output in outputs]
    assert sentence in outputs[1].read_text()


@pytest.mark.parametrize(
    ("models", "arguments", "said"),
    [
        (["churn"], ["--model=chrun"], '--model: there is no model "chrun"; there are churn'),
        (["churn", "fraud"], [], "--model: a report is on one model; choose one of churn, fraud"),
        (["churn"], ["--version=8"], 'churn has no version "8" that is published; it has 7'),
        (["churn"], ["--window=1y"], '--window: there is no window "1y"; there are 1h, 24h, 7d'),
        (
            ["churn"],
            ["--output=report.pdf"],
            "--output: report.pdf ends in no form of a report; there are .html, .md, .json",
        ),
        (["churn"], ["--output=/proc/report.md"], "--output: cannot write /proc/report.md"),
    ],
    ids=["model", "no model", "version", "window", "form", "place"],
)
def test_what_there_is_not(tmp_path: Path, models: list[str], arguments: list[str], said: str) -> None:
    """It is exit status 2 with the names that exist, and nothing is written."""
    config = configured(tmp_path, *models)
    output = [] if "--output" in "".join(arguments) else [f"--output={tmp_path}/report.json"]

    done = command("report", f"--config.file={config}", *arguments, *output)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not (tmp_path / "report.json").exists()


def test_a_model_that_cannot_be_refreshed(tmp_path: Path) -> None:
    """The report is written of what there is, says why it is no newer, and the exit status is 1."""
    config = configured(tmp_path, "churn", reference={"uri": str(tmp_path / "nowhere.parquet")})
    done = command("report", f"--config.file={config}", f"--output={tmp_path}/report.json")

    assert done.returncode == 1
    found = json.loads((tmp_path / "report.json").read_text())
    SCHEMA.validate(found)
    assert "nowhere.parquet" in found["failure"]
    assert "nowhere.parquet" in done.stderr
    assert found["period"]["predictions"] == 40

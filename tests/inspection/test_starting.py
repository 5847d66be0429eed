"""Whole inspections of files, folders and runs, and the configuration that they end with."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import pytest
from structlog.testing import capture_logs

from driftgauge.config import parse
from driftgauge.errors import ConfigError, SourceMissing
from driftgauge.inspection.starting import Wanted, of_configuration, of_target
from driftgauge.inspection.text import WIDTH, as_json, render
from driftgauge.service.refreshing import refresh_once
from inspection.files import Row, lines

NOW = int(time.time())


def rows(count: int = 80) -> list[dict[str, Any]]:
    """Return predictions of the last half hour, a score each."""
    return [
        {
            "order": f"o{at}",
            "timestamp": NOW - 1800 + at,
            "age": 20 + at % 50,
            "plan": "AB"[at % 2],
            "prediction": (at % 10) / 10,
        }
        for at in range(count)
    ]


def truth(count: int = 80) -> list[dict[str, Any]]:
    """Return their labels, a minute later: right where the score is at least a half but for each tenth."""
    return [{"ticket": f"o{at}", "ts": NOW - 1740 + at, "outcome": int(at % 10 >= 6)} for at in range(count)]


def put(path: Path, found: list[Row]) -> str:
    """Write rows as JSON lines and return where they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lines(found))
    return str(path)


def page_of(text: str, folder: Path) -> str:
    """Return the page that `once` makes of a configuration."""
    config = parse(f"state_dir: {folder / 'state'}\n{text}", filename="pasted.yml", environ=os.environ)
    with capture_logs():
        page, failures = refresh_once(config, now=time.time())
    assert failures == {}
    return page


def test_a_file_with_labels_and_what_to_paste(tmp_path: Path) -> None:
    """Two files of other people's names end in a configuration that gives the numbers that were announced."""
    predictions = put(tmp_path / "in" / "served.jsonl", rows())
    labels = put(tmp_path / "truth" / "outcomes.jsonl", truth())
    found = of_target(predictions, Wanted(labels=labels), {})

    assert (found.model, found.task) == ("served", "binary")
    assert found.labels is not None
    assert (found.labels.labels, found.labels.matched, found.labels.joined) == (80, 80, 80)
    assert found.publication.values["model_window_predictions"] == 80
    # Scores of a half and of nothing else are wrong.
    assert found.publication.values["model_accuracy"] == pytest.approx(0.9)
    assert {c.column: c.taken_for for c in found.files[0].columns}["order"] == "request_id"
    page = page_of(found.config, tmp_path)
    assert 'model_accuracy{model="served",version="unknown",window="24h"} 0.9\n' in page
    assert 'feature="plan"' in page


def test_the_text_fits_a_terminal_and_json_has_the_same(tmp_path: Path) -> None:
    """No line but a path or example is wider than 100 columns, and both forms are made of the same findings."""
    found = of_target(put(tmp_path / "p.jsonl", [*rows(), {"prediction": 1, "timestamp": "never"}]), Wanted(), {})
    text = render(found)
    (again,) = json.loads(as_json([found]))

    assert [line for line in text.splitlines() if len(line) > WIDTH and str(tmp_path) not in line] == []
    assert "! Rejected, bad_timestamp: 1 row\n      row 81: timestamp=never" in text
    assert again["files"][0]["rejected"][0]["examples"] == [{"file": "p.jsonl", "row": 81, "shown": "timestamp=never"}]
    assert again["publication"]["values"]["model_window_predictions"] == 80


def test_a_reference_that_fits_and_rows_of_long_ago(tmp_path: Path) -> None:
    """Old rows are judged as of their own time; what differs from the reference is said."""
    old = [{**row, "timestamp": 1_767_607_200 + at} for at, row in enumerate(rows())]
    reference = put(tmp_path / "reference.jsonl", [{**row, "age": row["age"] * 1000} for row in rows()])
    found = of_target(put(tmp_path / "p.jsonl", old), Wanted(reference=reference), {})

    assert found.publication.at == "2026-01-05T10:02:00Z"
    assert found.reference is not None
    assert any('"age" is 1,000 times smaller' in line for line in found.reference.lines)
    assert "Drift of each feature" in [group.group for group in found.publication.groups]


def test_labels_that_carry_the_time_of_their_prediction(tmp_path: Path) -> None:
    """Without any id the time is the key, in whatever zone it is written, together with what both files have."""
    made = [{"timestamp": NOW - 600 + at // 2, "feature_shop": "AB"[at % 2], "prediction": at % 2} for at in range(60)]
    labels = [
        {
            "timestamp": f"{datetime.fromtimestamp(row['timestamp'], UTC):%FT%TZ}",
            "shop": row["feature_shop"],
            "label": 1,
        }
        for row in made
    ]
    found = of_target(put(tmp_path / "p.jsonl", made), Wanted(labels=put(tmp_path / "truth.jsonl", labels)), {})

    assert "key: [shop, timestamp]" in found.config
    assert found.labels is not None
    assert found.labels.joined == 60
    assert found.publication.values["model_accuracy"] == 0.5


def test_a_label_file_alone_and_control_characters(tmp_path: Path) -> None:
    """Labels without predictions say what to do with them; nothing that is logged can steer the terminal."""
    labels = [{"id": "\x1b[31mred", "label": 1, "\x07bell": 1} for _ in range(3)]
    text = render(of_target(put(tmp_path / "truth.jsonl", labels), Wanted(), {}))

    assert "this looks like a file of labels" in text
    assert "\ufffd[31mred" in text
    assert text.replace("\n", "").isprintable()


def test_a_folder(tmp_path: Path) -> None:
    """Its files by role, with what is no data beside them."""
    put(tmp_path / "feed" / "a.jsonl", [{"id": str(at), **row} for at, row in enumerate(rows())])
    put(tmp_path / "feed" / "labels.jsonl", [{"id": str(at), "label": 1, "ts": NOW} for at in range(80)])
    put(tmp_path / "feed" / "alerts.jsonl", [{"severity": "high"}])
    found = of_target(str(tmp_path / "feed"), Wanted(), {})

    assert {files.role: (files.rows, list(files.problems)) for files in found.files} == {
        "predictions": (80, ["alerts.jsonl"]),
        "labels": (80, []),
    }


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("p.jsonl", b"\x01\xfe\x12" * 1000, "not one row of it could be read"),
        ("p.parquet", b"PAR1 nothing PAR1", "damaged or not Parquet"),
        ("p.csv", b"", "0 bytes"),
        ("p.txt", b"x", "format is not supported"),
        ("p.json.gz", b"no gzip", "gzip"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    """Broken files, garbage and other formats are refused with what they are."""
    (tmp_path / name).write_bytes(data)

    with pytest.raises(ConfigError, match=said) as refused:
        of_target(str(tmp_path / name), Wanted(), {})
    assert "\n" not in str(refused.value)


def test_what_is_not_there(tmp_path: Path, sqlite_store: str) -> None:
    """Neither a file nor a run, a run without a server, one that the server does not know, and missing options."""
    put(tmp_path / "p.jsonl", rows(2))
    run = "0" * 32
    for target, wanted, environ, said in (
        (str(tmp_path / "x.jsonl"), Wanted(), {}, "no such file"),
        (run, Wanted(), {}, "set MLFLOW_TRACKING_URI"),
        (str(tmp_path / "p.jsonl"), Wanted(labels="gone.jsonl"), {}, "--labels: gone.jsonl"),
        (str(tmp_path / "p.jsonl"), Wanted(reference="gone.csv"), {}, "--reference: gone.csv"),
    ):
        with pytest.raises(ConfigError, match=said):
            of_target(target, wanted, environ)
    with pytest.raises(SourceMissing, match=run):
        of_target(run, Wanted(), {"MLFLOW_TRACKING_URI": sqlite_store})


def test_a_run_and_a_configuration(tmp_path: Path, sqlite_store: str) -> None:
    """A run is told by its own files alone; what is pasted reads the whole experiment."""
    client = mlflow.MlflowClient(sqlite_store)
    experiment = client.create_experiment("monitoring/churn", artifact_location=str(tmp_path / "artifacts"))
    ids = []
    for count in (30, 50):
        ids.append(client.create_run(experiment).info.run_id)
        data = [{"id": f"{count}-{at}", "timestamp": NOW - 60, "prediction": at % 2} for at in range(count)]
        client.log_artifact(ids[-1], put(tmp_path / "predictions.jsonl", data))
    found = of_target(f"runs:/{ids[0]}", Wanted(), {"MLFLOW_TRACKING_URI": sqlite_store})

    assert (found.model, [files.rows for files in found.files]) == ("churn", [30])
    assert found.publication.values["model_window_predictions"] == 30
    assert 'window="24h"} 80.0' in page_of(found.config, tmp_path)
    config = parse(found.config, filename="pasted.yml", environ={})
    whole = of_configuration(config, config.models[0])
    assert [files.rows for files in whole.files] == [80]

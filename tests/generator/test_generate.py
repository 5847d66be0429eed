"""`driftgauge generate` as its users run it: a complete set from one file, and a check for CI."""

import json
from pathlib import Path
from typing import Final

import pytest

from driftgauge.generator.outputs import PARTS, outputs
from driftgauge.generator.thresholds import FILE, parse, shipped, shipped_text
from driftgauge.generator.write import differing
from e2e.exporter import driftgauge

ROOT: Final = Path(__file__).parents[2]
OWN: Final = ROOT / "tests" / "data" / "thresholds" / "own.yml"


def test_the_committed_set_is_up_to_date() -> None:
    """What is in the repository is what `make generate` would write."""
    assert differing(outputs(shipped()), ROOT) == []


def test_a_set_of_ones_own(tmp_path: Path) -> None:
    """One file in, a complete set out; then the check agrees, and objects to what was edited by hand."""
    arguments = ("generate", "--thresholds", OWN, "--output", tmp_path)
    written = driftgauge(*arguments)
    checked = driftgauge(*arguments, "--check")
    expected = outputs(parse(OWN.read_text(encoding="utf-8"), filename=str(OWN)))

    assert (written.returncode, checked.returncode) == (0, 0)
    assert written.stdout.splitlines() == [f"{tmp_path / path} written" for path in (*expected, FILE)]
    assert differing(expected, tmp_path) == []
    # To change and render again.
    assert (tmp_path / FILE).read_text(encoding="utf-8") == OWN.read_text(encoding="utf-8")

    (tmp_path / "alerting-rules" / "models.rules.yml").write_text("groups: []\n")
    objected = driftgauge(*arguments, "--check")
    assert objected.returncode == 1
    assert objected.stdout == f"{tmp_path / 'alerting-rules' / 'models.rules.yml'} is not what would be written\n"


def test_without_a_file_the_shipped_thresholds_count(tmp_path: Path) -> None:
    """They are put into the folder as well, but never over a file that is there."""
    assert driftgauge("generate", "--output", tmp_path).returncode == 0
    assert (tmp_path / FILE).read_text(encoding="utf-8") == shipped_text()

    (tmp_path / FILE).write_text("alerts: {ModelOutliers: {enabled: false}}\n")
    again = driftgauge("generate", "--thresholds", tmp_path / FILE, "--output", tmp_path)
    assert again.returncode == 0
    assert (tmp_path / FILE).read_text() == "alerts: {ModelOutliers: {enabled: false}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "alerts: {ModelOutlier: {}}",
            ':1: alerts.ModelOutlier: unknown key "ModelOutlier"; did you mean "ModelOutliers"?',
        ),
        (None, ": No such file or directory"),
    ],
)
def test_a_bad_file_writes_nothing(tmp_path: Path, text: str | None, message: str) -> None:
    """Exit status 2, one line that says where and what to do, and the folder is not even made."""
    file = tmp_path / "own.yml"
    if text is not None:
        file.write_text(text)
    refused = driftgauge("generate", "--thresholds", file, "--output", tmp_path / "set")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"{file}{message}\n"
    assert not (tmp_path / "set").exists()


CHANGES: Final = [
    ("alerts: {ModelPredictionShifted: {psi: 0.37}}", "ModelPredictionShifted", "0.37"),
    ("alerts: {ModelPredictionShifted: {for: 17m}}", "ModelPredictionShifted", "17m"),
    ("alerts: {ModelLatencyHigh: {p99: 830ms}}", "ModelLatencyHigh", "830ms"),
    ("alerts: {ModelMissingValues: {missing_ratio: 0.37}}", "ModelMissingValues", "0.37"),
    ("windows: {drift: 13h}", "ModelPredictionShifted", "13h"),
]


@pytest.mark.parametrize(("text", "alert", "value"), CHANGES, ids=[text for text, _, _ in CHANGES])
def test_a_change_appears_everywhere(text: str, alert: str, value: str) -> None:
    """Rule, runbook and table show the new value, and did not before."""
    before, after = outputs(shipped()), outputs(parse(text, filename="own.yml"))

    for path in (
        "alerting-rules/models.rules.yml",
        f"alerting-rules/runbooks/{alert}.md",
        "alerting-rules/thresholds.md",
    ):
        assert value not in before[path], path
        assert value in after[path], path


def test_dashboards_and_routes_follow() -> None:
    """A threshold colours a panel; a severity and an address are used wherever they are shown."""
    before = outputs(shipped())
    after = outputs(parse("alerts: {ModelPredictionShifted: {psi: 0.37}}", filename="own.yml"))
    moved = outputs(parse("links: {mlflow: 'https://mlflow.example.com'}", filename="own.yml"))
    dashboards = [path for path in before if path.startswith("dashboards/")]

    assert any("0.37" in after[path] and "0.37" not in before[path] for path in dashboards)
    assert all(json.loads(after[path]) for path in dashboards)
    assert "http://localhost:5000" not in "".join(moved.values())


def test_parts_do_not_overwrite_each_other() -> None:
    """Each path is rendered by one part, ends in a line break, and stays below the folder."""
    paths = [path for part in PARTS for path in part(shipped())]

    assert len(paths) == len(set(paths))
    assert all(path.startswith(("alerting-rules/", "dashboards/")) for path in paths)
    assert [path for path, text in outputs(shipped()).items() if not text.endswith("\n")] == []


def test_thresholds_against_the_exporters_configuration(tmp_path: Path) -> None:
    """What can never fire is refused and nothing is written; what fits ends with what is to be done."""
    config, thresholds, out = tmp_path / "driftgauge.yml", tmp_path / "thresholds.yml", tmp_path / "set"
    config.write_text("windows: [1h, 24h, 7d]\nmodels: [{name: churn, predictions: {files: /p}}]\n")
    thresholds.write_text("windows: {drift: 48h}\nmodels: {chrun: {}}\n")
    arguments = ("generate", "--thresholds", thresholds, "--config.file", config, "--output", out)
    refused = driftgauge(*arguments)
    assert (refused.returncode, out.exists()) == (2, False)
    assert [line.split(": ")[1] for line in refused.stderr.splitlines()] == ["windows.drift", "models.chrun"]

    thresholds.write_text("models: {churn: {}}\n")
    written = driftgauge(*arguments)
    assert written.returncode == 0
    assert "churn has no reference" in written.stderr
    assert "notifications.watchdog.url: https://deadmansswitch.example.com/driftgauge" in written.stderr
    assert written.stderr.splitlines()[-1].startswith("Nobody is told when alerting itself breaks")

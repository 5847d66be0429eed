"""The configuration file with the thresholds that it names."""

from pathlib import Path

import pytest

from driftgauge.arguments import reader
from driftgauge.errors import ConfigError
from driftgauge.service.judging import rules_of

MODELS = "models: [{name: m, predictions: {files: p}}]\n"


def named(folder: Path, thresholds: str | None) -> Path:
    """Write a configuration that names a file of thresholds, and that file unless there is to be none."""
    if thresholds is not None:
        (folder / "own.yml").write_text(thresholds, encoding="utf-8")
    path = folder / "driftgauge.yml"
    path.write_text(f"{MODELS}thresholds: {folder}/own.yml\n", encoding="utf-8")
    return path


def test_thresholds_of_ones_own(tmp_path: Path) -> None:
    """They are read with the configuration, on top of those that ship with driftgauge."""
    file = reader(named(tmp_path, "models: {m: {alerts: {ModelPredictionShifted: {psi: 0.5}}}}"))()
    found = rules_of(file.parsed()).thresholds
    assert found.for_model("m").alerts.ModelPredictionShifted.psi == 0.5
    assert found.for_model("n").alerts.ModelPredictionShifted.psi == 0.2


def test_thresholds_that_ship(tmp_path: Path) -> None:
    """Where none are named, these hold."""
    path = tmp_path / "driftgauge.yml"
    path.write_text(MODELS, encoding="utf-8")
    file = reader(path)()
    assert rules_of(file.parsed()).thresholds.alerts.ModelPredictionShifted.psi == 0.2


def test_mistakes_in_thresholds(tmp_path: Path) -> None:
    """They refuse the configuration, by their own file, line and key."""
    with pytest.raises(ConfigError, match=r"own\.yml:1: alerts\.ModelPredictionShifted\.psi: must be more than 0"):
        reader(named(tmp_path, "alerts: {ModelPredictionShifted: {psi: 0}}"))().parsed()


def test_thresholds_that_are_not_there(tmp_path: Path) -> None:
    """The configuration is named, its key, the file, and what to do."""
    with pytest.raises(ConfigError) as refused:
        reader(named(tmp_path, None))()
    assert str(refused.value) == (
        f"{tmp_path}/driftgauge.yml: thresholds: {tmp_path}/own.yml: No such file or directory; "
        "write the path of a thresholds.yml, or leave it out"
    )

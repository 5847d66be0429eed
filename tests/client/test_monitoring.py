"""What a version says of its monitoring is text that the exporter takes."""

from pathlib import Path
from typing import Any

import pytest

from driftgauge.client.monitoring import monitoring_text
from driftgauge.config import ModelConfig, versioned
from driftgauge.errors import ConfigError

MODEL = ModelConfig.model_validate({"name": "churn", "predictions": {"experiment": "/m"}})


@pytest.mark.parametrize(
    "said",
    [
        {"task": "multiclass", "average": "macro"},
        {"segments": {"Köln 😀": {"city": 'a "b"\n'}}, "drift": {"psi": 0.3, "bins": 20}},
        {"features": {"exclude": ["id"]}, "thresholds": {"floors": {"accuracy": 0.8}}},
    ],
)
def test_a_mapping_is_what_the_exporter_reads(said: dict[str, Any]) -> None:
    """Whatever is in it comes out the same."""
    found = versioned(MODEL, monitoring_text(said), filename="x").model
    assert found.model_dump(mode="json", exclude_unset=True) == {
        "name": "churn",
        "predictions": {"experiment": "/m"},
        **{key: value for key, value in said.items() if key != "thresholds"},
    }


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    """Comments and all; what is in it the exporter checks."""
    path = tmp_path / "churn.yml"
    path.write_text("task: binary  # of course\n")
    assert monitoring_text(path) == "task: binary  # of course\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "it says nothing"),
        ({"state_dir": "/x"}, 'cannot say "state_dir"; it can say task, threshold'),
        ({"baseline": {"accuracy": float("nan")}}, "plain values"),
        ({"segments": {"a": {"b": {1, 2}}}}, "plain values"),
        ({"segments": {"a": {"b": ["x" * 300_000]}}}, "keep it to 262,144"),
        (Path("/nowhere/churn.yml"), "cannot be read: No such file"),
    ],
)
def test_what_cannot_be_logged(said: Any, words: str) -> None:
    """A mistake is said before anything is logged, with what to do."""
    with pytest.raises(ConfigError, match=words):
        monitoring_text(said)

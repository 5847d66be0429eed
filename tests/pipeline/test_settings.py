"""Which settings mean that files are read as something else."""

from typing import Any

import pytest

from driftgauge.config import Config
from driftgauge.pipeline.settings import settings_of


def text(*, windows: tuple[str, ...] = ("1h", "24h"), max_segments: int = 20, **model: Any) -> str:
    """Return the digest of a model with these settings."""
    section = {"name": "m", "predictions": {"files": "in"}, **model}
    config = Config.model_validate(
        {"windows": list(windows), "limits": {"max_segments": max_segments}, "models": [section]}
    )
    return settings_of(config.models[0], config.windows, config.limits)


@pytest.mark.parametrize(
    "model",
    [
        {"columns": {"prediction": "answer"}},
        {"task": "regression"},
        {"threshold": 0.6},
        {"positive_class": "churn"},
        {"score": {"scale": "percent"}},
        {"timezone": "Europe/Berlin"},
        {"latency_unit": "ms"},
        {"features": {"exclude": ["age"]}},
        {"labels": {}},
        {"labels": {"key": ["order"]}},
        {"labels": {"horizon": "10d"}},
        {"labels": {"window_by": "prediction_time"}},
        {"segments": {"a": {"plan": "A"}}},
        {"predictions": {"files": "elsewhere"}},
        {"predictions": {"files": "in", "artifacts": "p*"}},
    ],
)
def test_what_shapes_reading(model: dict[str, Any]) -> None:
    """Each of these makes other rows, other values, or other panes of the same files."""
    assert text(**model) != text()


@pytest.mark.parametrize(
    "model",
    [
        {"threshold": 0.5, "timezone": "UTC", "columns": {}, "features": {"include": []}},
        {"average": "macro"},
        {"baseline": {"accuracy": 0.9}},
        {"drift": {"psi": 0.3, "bins": 20}},
        {"reference": {"uri": "reference.csv"}},
        {"signals": ["latency"]},
    ],
)
def test_what_does_not(model: dict[str, Any]) -> None:
    """Defaults that are written out, and what windows are judged by, are no reason to read a file again.

    A reference and signals are known by the panes that they folded.
    """
    assert text(**model) == text()


def test_windows_and_limits() -> None:
    """Windows count by length, in whatever order and spelling; segments as far as they are in effect."""
    assert text(windows=("24h", "60m")) == text()
    assert text(windows=("1h", "7d")) != text()
    two = {"segments": {"a": {"plan": "A"}, "b": {"plan": "B"}}}
    assert text(max_segments=1, **two) == text(segments={"a": {"plan": "A"}}) != text(**two)

"""A mistake in a logger's options is reported at once, with its remedy."""

from pathlib import Path
from typing import Any

import pytest

from driftgauge.client.options import KEY_VARIABLE, SPOOL_VARIABLE, TRACKING_VARIABLE, Options
from driftgauge.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"experiment": " "}, "PredictionLogger(experiment=…) must not be empty"),
        ({"model_version": ""}, "PredictionLogger(model_version=…) must not be empty"),
        ({"sample_rate": 0}, "PredictionLogger(sample_rate=…) must be above 0 and at most 1"),
        ({"sample_rate": 1.5}, "PredictionLogger(sample_rate=…) must be above 0 and at most 1"),
        ({"max_file_rows": 0}, "PredictionLogger(max_file_rows=…) must be at least 1"),
        ({"max_file_age": float("inf")}, "PredictionLogger(max_file_age=…) must be at least 0.05 and finite"),
        ({"flush_timeout": -1}, "PredictionLogger(flush_timeout=…) must be at least 0"),
        ({"redact": "email"}, 'PredictionLogger(redact=…) must be a list of columns, such as ["email"]'),
        (
            {"redact": ["a"], "hash": ["a"]},
            "PredictionLogger(hash=…) names what redact names too: a; keep one of the two",
        ),
        ({"hash": ["a"], "hash_key": "short"}, "PredictionLogger(hash_key=…) must have at least 16 bytes"),
    ],
)
def test_mistakes(settings: dict[str, Any], message: str) -> None:
    """Each names the argument and says what would be right."""
    with pytest.raises(ConfigError) as caught:
        Options(**{"experiment": "/e", "model_version": "1", **settings})
    assert message in str(caught.value)


def test_hashing_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come from the environment, and is not shown."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=KEY_VARIABLE):
        Options(experiment="/e", model_version="1", hash=["email"])
    monkeypatch.setenv(KEY_VARIABLE, "from the environment")
    assert Options(experiment="/e", model_version="1", hash=["email"]).key == b"from the environment"
    assert "secret" not in repr(Options(experiment="/e", model_version="1", hash_key="secret" * 3))


def test_the_environment_has_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Arguments come first, then variables, then a folder where the process runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SPOOL_VARIABLE, raising=False)
    assert Options(experiment="/e", model_version="1").folder == tmp_path / "driftgauge-spool"
    monkeypatch.setenv(SPOOL_VARIABLE, str(tmp_path / "elsewhere"))
    monkeypatch.setenv(TRACKING_VARIABLE, "http://mlflow:5000")
    assert Options(experiment="/e", model_version="1").folder == tmp_path / "elsewhere"
    given = Options(experiment="/e", model_version="1", tracking_uri="http://other:5000", spool_dir=tmp_path)
    assert (given.folder, given.uri) == (tmp_path, "http://other:5000")


def test_labels_go_to_the_same_experiment_by_default() -> None:
    """As the exporter looks for them."""
    assert Options(experiment="/e", model_version="1").labels == "/e"
    assert Options(experiment="/e", model_version="1", labels_experiment="/l").labels == "/l"

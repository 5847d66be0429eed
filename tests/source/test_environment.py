"""Defaults for MLflow's environment variables."""

import os

import pytest

from driftgauge.source import environment


def test_prepare_sets_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user has not set is set so that an unreachable server fails fast and nobody is called home."""
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    environment.prepare(timeout=2.5)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "3"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_prepare_keeps_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user has set stays."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    environment.prepare(timeout=2.5)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"

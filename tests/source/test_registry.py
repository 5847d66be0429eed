"""A registry that refuses, is down or elsewhere: how it is named, and when it is left alone."""

from pathlib import Path

import pytest

from driftgauge.errors import SourceMissing, SourceUnavailable
from driftgauge.source.registry import Registry
from source.conftest import Clock

TRACKING = "http://tracking"


def question(registry: Registry, name: str, raised: Exception | None) -> None:
    """Ask about a model, and be answered by a failure, if there is one."""
    with registry.asked(name):
        if raised is not None:
            raise raised


def ask(registry: Registry, name: str, raised: Exception | None = None) -> tuple[str, str]:
    """Ask about a model, to which the registry answers by raising; return reason and message of the failure."""
    with pytest.raises(SourceUnavailable) as failure:
        question(registry, name, raised)
    return failure.value.reason, str(failure.value)


@pytest.mark.parametrize(
    ("raised", "reason", "alone"),
    [
        (RuntimeError("PERMISSION_DENIED"), "forbidden", {"churn"}),
        (RuntimeError("failed with error code 401"), "unauthorized", {"churn", "fraud"}),
        (ConnectionRefusedError("Connection refused"), "unreachable", {"churn", "fraud"}),
    ],
)
def test_it_is_left_alone_after_a_failure(raised: Exception, reason: str, alone: set[str]) -> None:
    """For a while the failure is raised again without asking: of one model when that is refused, else of all."""
    clock = Clock(0)
    registry = Registry(TRACKING, rest=30.0, clock=clock)
    found, text = ask(registry, "churn", raised)
    assert (found, text.startswith("the model registry at http://tracking: ")) == (reason, True)
    assert '"churn"' in text
    for name in ("churn", "fraud"):
        if name in alone:
            found, text = ask(registry, name)
            assert (found, f'"{name}"' in text, text.count("it was asked")) == (reason, True, 1)
        else:
            with registry.asked(name):
                pass
    clock.now = 30
    with registry.asked("churn"):
        pass
    clock.now = 31
    for name in ("churn", "fraud"):
        with registry.asked(name):
            pass


def test_what_is_missing_is_no_failure() -> None:
    """A model that it does not have says nothing about the registry."""
    registry = Registry(TRACKING, rest=30.0, clock=Clock(0))
    missing = type("Missing", (Exception,), {"error_code": "RESOURCE_DOES_NOT_EXIST"})("no such model")
    with pytest.raises(SourceMissing, match="the model registry at http://tracking"), registry.asked("churn"):
        raise missing
    with registry.asked("churn"):
        pass


def test_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named by its own address, without credentials, and a database that is not there is not made."""
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://me:geheim@registry")
    _, text = ask(Registry(TRACKING, rest=30.0, clock=Clock(0)), "churn", TimeoutError("timed out"))
    assert "@registry: it did not answer in time" in text
    assert "geheim" not in text
    _, text = ask(Registry(TRACKING, rest=30.0, clock=Clock(0)), "churn", ConnectionRefusedError("Connection refused"))
    assert "connection refused; start the server or correct MLFLOW_REGISTRY_URI (" in text

    database = tmp_path / "registry.db"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"sqlite:///{database}")
    _, text = ask(Registry(TRACKING, rest=30.0, clock=Clock(0)), "churn")
    assert "there is no database file" in text
    assert ("MLFLOW_REGISTRY_URI" in text, "tracking_uri" in text) == (True, False)
    assert not database.exists()

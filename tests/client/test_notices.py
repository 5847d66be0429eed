"""What is wrong is said once, and that it is over once."""

import logging

import pytest

from driftgauge.client.notices import Notices, described
from driftgauge.errors import SourceMissing


def test_each_change_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is noticed; and what comes and goes is said again after a minute at the earliest."""
    caplog.set_level(logging.INFO, "driftgauge.client")
    now = [0.0]
    notices = Notices(clock=lambda: now[0])

    def happen() -> None:
        for _ in range(3):
            notices.begin("down", "it is down")
        for _ in range(3):
            notices.end("down", "it is up")

    happen()
    now[0] = 59.0
    happen()
    now[0] = 61.0
    happen()
    assert [record.getMessage() for record in caplog.records] == ["it is down", "it is up"] * 2


def test_failures_are_described_without_values() -> None:
    """Our own messages are shown as they are, others by class and place."""
    with pytest.raises(ValueError, match="secret") as caught:
        int("secret")
    assert described(caught.value).startswith(f"ValueError at {__file__}:")
    assert described(SourceMissing("no such run")) == "no such run"
    assert described(PermissionError(13, "Permission denied", "/secret")) == "PermissionError: Permission denied"
    assert described(KeyError("secret")) == "KeyError"

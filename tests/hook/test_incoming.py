"""Bodies of notifications, right and forged."""

import json
from typing import Any

import pytest

from driftgauge.hook.incoming import BodyRefused, parse

from .samples import alert, notification

RIGHT: dict[str, Any] = {
    "status": "firing",
    "labels": {},
    "annotations": {},
    "startsAt": "2026-01-05T10:30:00Z",
    "fingerprint": "0a",
}


def test_what_alertmanager_posts() -> None:
    """Alerts come back as they were, in order."""
    sent = [alert("a1"), alert("b2", firing=False, metric="f1")]

    assert sent == parse(notification(*sent))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "suppressed"}, "status"),
        ({"status": None}, "status"),
        ({"fingerprint": "../../etc"}, "fingerprint"),
        ({"fingerprint": 7}, "fingerprint"),
        ({"fingerprint": "a" * 65}, "fingerprint"),
        ({"startsAt": "yesterday"}, "startsAt"),
        ({"startsAt": "2026-01-05T10:30:00"}, "time zone"),
        ({"startsAt": 5}, "startsAt"),
        ({"labels": []}, "labels"),
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": {f"l{n}": "" for n in range(101)}}, "labels"),
        ({"annotations": {"a": "x" * 10_001}}, "annotations"),
    ],
)
def test_forged_alerts_are_refused(change: dict[str, Any], said: str) -> None:
    """What is wrong is named, with its place."""
    body = json.dumps({"alerts": [RIGHT, RIGHT | change]}).encode()

    with pytest.raises(BodyRefused, match=rf"alerts\[1\].*{said}"):
        parse(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"{}", b'{"alerts": {}}', b'{"alerts": [1]}', b"[" * 100_000, b'{"alerts": [null]}'],
)
def test_other_bodies_are_refused(body: bytes) -> None:
    """Whatever it is, there is an answer and no crash."""
    with pytest.raises(BodyRefused):
        parse(body)


def test_too_many_alerts_are_refused() -> None:
    """A notification is bounded."""
    with pytest.raises(BodyRefused, match="max_alerts"):
        parse(json.dumps({"alerts": [RIGHT] * 1001}).encode())

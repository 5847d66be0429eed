"""The phone: what it shows of Alertmanager's posts, and what it answers."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from driftgauge.demo.paging import Phone, PhoneServer, serving_phone, shown

RUNBOOK = "http://127.0.0.1:9/runbooks/ModelFeaturesDrifted.md"


def alert(status: str = "firing", **changes: Any) -> dict[str, Any]:
    """Return an alert as Alertmanager posts it."""
    return {
        "status": status,
        "fingerprint": "3b2f",
        "labels": {
            "alertname": "ModelFeaturesDrifted", "severity": "high", "job": "driftgauge", "model": "flight-delay",
            "version": "1", "window": "2m",
        },
        "annotations": {
            "summary": "Many features of a model drifted",
            "description": "flight-delay version 1: 3 of 8 features drifted in the last 2m; the limit is 3 features.\n"
            "Look.",
            "runbook_url": RUNBOOK,
            "dashboard_url": "http://localhost:3000/d/driftgauge-features",
            "report_url": "http://127.0.0.1:10210/models/flight-delay",
        },
        **changes,
    }  # fmt: skip


@pytest.fixture
def said() -> list[str]:
    """Return what the phone shows."""
    return []


@pytest.fixture
def phone(tmp_path: Path, said: list[str]) -> Phone:
    """Return a phone with one runbook, and a file next to the runbooks that it must not serve."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "ModelFeaturesDrifted.md").write_text("# What to do", encoding="utf-8")
    (tmp_path / "secret.md").write_text("x", encoding="utf-8")
    return Phone(tmp_path / "runbooks", say=said.append)


@pytest.fixture
def server(phone: Phone) -> Iterator[PhoneServer]:
    """Run the phone's server."""
    with PhoneServer() as found, serving_phone(phone, found):
        yield found


def ask(server: PhoneServer, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Send one request; return status and body."""
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, body)
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


def test_firing(phone: Phone, said: list[str], tmp_path: Path) -> None:
    """It shows severity, state, summary, what it is about, the measured value, runbook and report."""
    phone.notify([alert()])
    expected = (
        "FIRING    HIGH  ModelFeaturesDrifted: Many features of a model drifted\n"
        "model flight-delay, version 1, window 2m\n"
        "flight-delay version 1: 3 of 8 features drifted in the last 2m; the limit is 3 features.\n"
        "Look.\n"
        f"runbook    {RUNBOOK}\n"
        f"           {tmp_path}/runbooks/ModelFeaturesDrifted.md\n"
        "report     http://127.0.0.1:10210/models/flight-delay"
    )
    assert said == [expected]


def test_resolved(tmp_path: Path) -> None:
    """At the end the values, which are of the past, are left out; a runbook that lies elsewhere has no path."""
    assert shown(alert("resolved"), tmp_path) == (
        "RESOLVED  HIGH  ModelFeaturesDrifted: Many features of a model drifted\n"
        "model flight-delay, version 1, window 2m\n"
        f"runbook    {RUNBOOK}\n"
        "report     http://127.0.0.1:10210/models/flight-delay"
    )


def test_an_alert_without_a_report(tmp_path: Path) -> None:
    """That is about the exporter, or where the address of reports is not known, leads to its dashboard."""
    known = alert()
    known["annotations"].pop("report_url")
    assert shown(known, tmp_path).endswith("\ndashboard  http://localhost:3000/d/driftgauge-features")


def test_only_news_is_shown(phone: Phone, said: list[str]) -> None:
    """A repetition shows nothing, nor does the end of one that was never shown; series begin and end on their own."""
    other = alert(fingerprint="77aa")
    for alerts in ([alert()], [alert(), other], [alert("resolved"), other], [alert("resolved", fingerprint="9c")]):
        phone.notify(alerts)
    assert [words.split()[0] for words in said] == ["FIRING", "FIRING", "RESOLVED"]


def test_fired_and_resolved(phone: Phone) -> None:
    """An alert has ended when all of its series have."""
    name = "ModelFeaturesDrifted"
    assert (phone.fired(name), phone.resolved(name)) == (False, False)
    phone.notify([alert(), alert(fingerprint="77aa")])
    phone.notify([alert("resolved")])
    assert (phone.fired(name), phone.resolved(name)) == (True, False)
    phone.notify([alert("resolved", fingerprint="77aa")])
    assert (phone.fired(name), phone.resolved(name)) == (True, True)


def test_watchdog_is_shown_once(server: PhoneServer, said: list[str]) -> None:
    """The first sign of life is shown, the others are not."""
    assert [ask(server, "POST", "/watchdog", b"{}")[0] for _ in range(3)] == [200, 200, 200]
    assert [words.partition(":")[0] for words in said] == ["Alerting works"]


def test_post(server: PhoneServer, said: list[str]) -> None:
    """What Alertmanager posts is shown, be it more than one alert."""
    body = json.dumps({"alerts": [alert(), alert(fingerprint="77aa")]}).encode()
    assert ask(server, "POST", "/alerts", body) == (200, b"")
    assert len(said) == 2


@pytest.mark.parametrize(
    ("case", "path", "body", "status"),
    [
        ("no JSON", "/alerts", b"{", 400),
        ("no alerts", "/alerts", b"{}", 400),
        ("a list", "/alerts", b"[]", 400),
        ("an alert without labels", "/alerts", b'{"alerts": [{"status": "firing"}]}', 400),
        ("too much", "/alerts", b" " * (1024 * 1024 + 1), 413),
        ("somewhere else", "/", b"{}", 404),
    ],
)
def test_bad_posts(server: PhoneServer, said: list[str], case: str, path: str, body: bytes, status: int) -> None:
    """What is no notification is refused, shows nothing, and does no harm to what comes after."""
    try:
        assert ask(server, "POST", path, body)[0] == status, case
    except ConnectionError:
        assert status == 413, case  # it need not read on
    assert said == []
    assert ask(server, "POST", "/alerts", json.dumps({"alerts": [alert()]}).encode())[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/runbooks/ModelFeaturesDrifted.md", 200),
        ("/runbooks/Other.md", 404),
        ("/runbooks/../secret.md", 404),
        ("/runbooks/..%2Fsecret.md", 404),
        ("/", 404),
    ],
)
def test_runbooks(server: PhoneServer, path: str, status: int) -> None:
    """Runbooks are readable under the links in alerts, and nothing else is."""
    assert ask(server, "GET", path) == (status, b"# What to do" if status == 200 else b"")

"""A scraper in the middle of floods: how long its answers take, at a real server. The figures are printed (`-rP`)."""

import contextlib
import resource
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import bcrypt
import pytest
from structlog.testing import capture_logs

from driftgauge.web.access import Guard
from driftgauge.web.app import create_app
from driftgauge.web.throttling import EACH
from driftgauge.web.webconfig import WebConfig, WebConfigFile
from processes import eventually

from .servers import Stub, basic, fetch, parse_yaml, running, write_certificate

APP = create_app(Stub, version="1")
# How long Prometheus waits. On a machine that has a processor free it is half a second; tests run several at a time.
LATEST: Final = 10.0
CLIENTS: Final = 60


@contextlib.contextmanager
def flood(url: str, credentials: Callable[[int], tuple[str, str]]) -> Iterator[list[int]]:
    """Have clients log in again as soon as they are refused, each time anew; yields what they were answered."""
    answers: list[int] = []
    over = threading.Event()

    def guess(number: int) -> None:
        while not over.is_set():
            number += CLIENTS
            with contextlib.suppress(OSError):
                answers.append(fetch(url, "/metrics", headers=basic(*credentials(number))).status)

    for number in range(CLIENTS):
        threading.Thread(target=guess, args=(number,), daemon=True).start()
    try:
        yield answers
    finally:
        over.set()


def scraped(url: str) -> tuple[int, float]:
    """Return the status of a scrape and how long it took (s)."""
    began = time.monotonic()
    status = fetch(url, "/metrics", headers=basic("prometheus", "open sesame")).status
    return status, time.monotonic() - began


def figures(text: str) -> None:
    """Show what was measured."""
    sys.stdout.write(f"{text}\n")


def seconds_of(check: Callable[[], object]) -> float:
    """Return how long something takes on this machine as busy as it is."""
    began = time.monotonic()
    check()
    return time.monotonic() - began


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(lambda number: ("prometheus", f"guess {number}"), id="guesses"),
        pytest.param(lambda number: (f"user {number}", "x"), id="unknown names"),
        pytest.param(lambda _: ("prometheus", "the old password"), id="one wrong password"),
    ],
)
def test_a_scrape_during_a_flood_of_wrong_passwords(credentials: Callable[[int], tuple[str, str]]) -> None:
    """From its first request on, and from the address that the flood comes from, a scraper is answered in time."""
    users = {"prometheus": bcrypt.hashpw(b"open sesame", bcrypt.gensalt(10)).decode()}
    guard = Guard(APP, lambda: WebConfig(basic_auth_users=users))
    with running(guard) as url, flood(url, credentials) as answers:
        # Those that are answered at once, and as long again.
        assert eventually(lambda: len(answers) >= EACH.burst, seconds=30)
        time.sleep(1)
        status, first = scraped(url)
        one = seconds_of(lambda: bcrypt.checkpw(b"wrong", users["prometheus"].encode()))
        later = [scraped(url) for _ in range(20)]
        time.sleep(1)
        answered = len(answers)
        guard.release()

    slowest = max(took for _, took in later)
    figures(f"{CLIENTS} clients: first scrape {first:.3f} s (one check {one:.3f} s), later ones up to {slowest:.3f} s")
    assert [status, *(each for each, _ in later)] == [200] * 21
    # The one check that it takes, and no other's; more only where the machine has much else to do.
    assert first < max(LATEST / 2, 4 * one)
    assert slowest < LATEST
    # They are held back, so that checks cost little; and some of them got an answer.
    assert 1 <= answered < 100
    assert set(answers[:answered]) <= {401, 429}


def test_a_flood_is_said_once_without_names() -> None:
    """One line says that logins fail and from where, however many."""
    users = {"prometheus": bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()}
    with capture_logs() as logs, running(Guard(APP, lambda: WebConfig(basic_auth_users=users))) as url:
        statuses = [fetch(url, headers=basic("hunter2", f"x{n}")).status for n in range(7)]

    assert statuses == [401, 401, 401, 401, 401, 429, 429]
    assert [(line["event"], line["most_from"], line["failures"]) for line in logs] == [
        ("wrong user or password", "127.0.0.1", 1)
    ]
    assert "hunter2" not in str(logs)


@contextlib.contextmanager
def idle(url: str, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Open so many connections that say this and nothing more."""
    parts = urlsplit(url)
    with contextlib.ExitStack() as opened:
        clients = []
        for _ in range(count):
            client = opened.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10))
            with contextlib.suppress(OSError):
                client.sendall(sent)
            clients.append(client)
        yield clients


@pytest.mark.parametrize(
    ("count", "sent"),
    [
        pytest.param(2000, b"", id="silent"),
        pytest.param(2000, b"GET /metrics HTTP/1.1\r\nX: ", id="half a request"),
        pytest.param(1200, b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n", id="kept alive"),
        pytest.param(1200, b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf", id="half a body"),
    ],
)
def test_a_scrape_through_idle_connections(count: int, sent: bytes) -> None:
    """Whoever is idle or slow makes room, within few descriptors and without a line in the log."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with capture_logs() as logs, running(APP) as url, idle(url, count, sent):
        scrapes = []
        for path in ("/metrics", "/-/healthy") * 5:
            began = time.monotonic()
            status = fetch(url, path).status
            scrapes.append((status, time.monotonic() - began))

    slowest = max(took for _, took in scrapes)
    figures(f"through {count:,} connections (of {limits[0]} descriptors): slowest answer {slowest:.3f} s")
    assert [status for status, _ in scrapes] == [200] * 10
    assert slowest < LATEST
    assert logs == []


def test_a_scraper_keeps_its_connection() -> None:
    """A connection that was answered is not closed for idle ones."""
    with running(APP) as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as scraper:
            scraper.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert scraper.recv(4096).startswith(b"HTTP/1.1 200")
            with idle(url, 1500, b""):
                scraper.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                assert scraper.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_scrape_through_clients_that_read_slowly() -> None:
    """Who takes long to read a page is cut off for the next scrape."""

    class Large(Stub):
        def metrics(
            self, *, openmetrics: bool, gzip: bool, names: Container[str] | None = None
        ) -> tuple[int, list[bytes]]:
            del gzip, names
            return (5, [b"small"]) if openmetrics else (40 << 18, [bytes(1 << 18)] * 40)

    app = create_app(Large, version="1")
    with running(app) as url, idle(url, 45, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
        time.sleep(1.5)
        began = time.monotonic()
        reply = fetch(url, "/metrics", headers={"Accept": "application/openmetrics-text"})
        took = time.monotonic() - began

    figures(f"through 45 slow readers: {took:.3f} s")
    assert (reply.status, reply.body) == (200, b"small")
    assert took < LATEST


def test_connections_without_a_handshake(tmp_path: Path) -> None:
    """Who never begins TLS takes nobody's place."""
    certificate, _ = write_certificate(tmp_path, "server")
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    web_config = WebConfigFile(tmp_path / "web.yml", parse=parse_yaml)
    with running(APP, web_config=web_config, address="localhost:0") as url, idle(url, 1500, b""):
        began = time.monotonic()
        reply = fetch(url, "/metrics", tls=ssl.create_default_context(cafile=str(certificate)))
        took = time.monotonic() - began

    figures(f"TLS through 1,500 connections: {took:.3f} s")
    assert reply.status == 200
    assert took < LATEST

"""Slow clients and stopping."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import pytest

from driftgauge.web.app import create_app
from driftgauge.web.connections import Deadlines
from driftgauge.web.listening import bind
from driftgauge.web.server import Server

from .servers import Stub, running

APP = create_app(Stub, version="1")


@contextlib.contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """Yield a bare connection to the server."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as client:
        yield client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_time(number: signal.Signals) -> None:
    """SIGTERM and SIGINT make run() return within five seconds, even with a client that does not read."""
    app = create_app(lambda: Stub(pages={(False, False): b"#" * 30_000_000}), version="1")
    before = signal.getsignal(number)
    with contextlib.ExitStack() as clients:

        def open_clients(urls: Sequence[str]) -> None:
            idle, half, slow = (clients.enter_context(connected(urls[0])) for _ in range(3))
            half.sendall(b"GET /metrics HTTP/1.1\r\n")
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.getpeername() == slow.getpeername()
            threading.Timer(0.3, os.kill, (os.getpid(), number)).start()

        began = time.monotonic()
        Server(app, listeners=bind("127.0.0.1:0"), on_started=open_clients).run()
        elapsed = time.monotonic() - began

    assert 0.3 <= elapsed < 5.3
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("sent", "size"),
    [
        pytest.param(b"", 0, id="says nothing"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost: x\r\n", 0, id="never ends its request"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 30_000_000, id="does not read the answer"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET /", 10, id="never ends its second request"),
    ],
)
def test_slow_clients_are_cut_off(sent: bytes, size: int) -> None:
    """Whoever does not finish an exchange in time loses the connection."""
    app = create_app(lambda: Stub(pages={(False, False): b"#" * size}), version="1")
    with running(app, deadlines=Deadlines(0.5, 0.5)) as url, connected(url) as client:
        client.sendall(sent)
        time.sleep(1)

        received = 0
        with contextlib.suppress(ConnectionResetError):
            while part := client.recv(1 << 20):
                received += len(part)
    assert received < max(size, 1000)


def test_a_patient_connection_is_kept() -> None:
    """A scraper may send one request after the other on the same connection."""
    with running(APP) as url, connected(url) as client:
        for _ in range(3):
            client.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")


def test_endless_headers_are_refused() -> None:
    """Headers beyond 16 KiB are an error of the client, not a use of memory."""
    with running(APP) as url, connected(url) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000)
        assert client.recv(12) == b"HTTP/1.1 400"

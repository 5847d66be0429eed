"""Listening, addresses, slow clients and stopping."""

import contextlib
import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from driftgauge.errors import ConfigError
from driftgauge.web.app import create_app
from driftgauge.web.server import Address, Server, parse_address

from .servers import Stub, fetch, running

APP = create_app(Stub, version="1")
ADDRESSES = [
    ("127.0.0.1:10210", Address("127.0.0.1", 10210)),
    ("localhost:0", Address("localhost", 0)),
    (":10210", Address("", 10210)),
    ("[::1]:65535", Address("::1", 65535)),
]


@contextlib.contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """Yield a bare connection to the server."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as client:
        yield client


@pytest.mark.parametrize(("text", "expected"), ADDRESSES)
def test_parse_address(text: str, expected: Address) -> None:
    """Host and port in every way Prometheus' own exporters take them."""
    assert expected == parse_address(text)


@pytest.mark.parametrize(
    "text", ["", "10210", "localhost:", "localhost:http", ":65536", "::1:10210", ":-1", ":\N{FULLWIDTH DIGIT ONE}"]
)
def test_parse_address_refuses(text: str) -> None:
    """Anything else is refused, with the flag and the text in the message."""
    with pytest.raises(ConfigError, match=r"--web\.listen-address: ") as refusal:
        parse_address(text)
    assert f'"{text}"' in str(refusal.value)


def listening() -> list[tuple[str, str]]:
    """Return addresses to listen on with the host of their URL; one is IPv6 where the machine has it."""
    addresses = [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("", "localhost")]
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        addresses.append(("[::1]", "[::1]"))
    return addresses


@pytest.mark.parametrize(("interface", "host"), listening())
def test_the_url_can_be_opened(interface: str, host: str) -> None:
    """Port 0 takes a free port, and the URL reported leads to it."""
    with running(APP, address=f"{interface}:0") as url:
        assert url.startswith(f"http://{host}:")
        assert fetch(url, "/-/healthy").status == 200


@pytest.mark.parametrize("off", ["not built in", "switched off"])
def test_every_interface_without_ipv6(monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    """Where there is no IPv6, every interface means every IPv4 interface."""
    real = socket.create_server

    def without_ipv6(address: Any, *, family: int = socket.AF_INET, **options: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return real(address, family=family, **options)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: off == "switched off")
    monkeypatch.setattr(socket, "create_server", without_ipv6)
    with running(APP, address=":0") as url:
        assert fetch(url.replace("localhost", "127.0.0.1"), "/-/healthy").status == 200


@pytest.mark.parametrize("interface", ["127.0.0.1", ""])
def test_a_taken_port(interface: str) -> None:
    """A port in use is a configuration error that says what to look for."""
    with running(APP, address=f"{interface}:0") as url:
        address = f"{interface}:{urlsplit(url).port}"
        with pytest.raises(ConfigError, match=rf"cannot listen on {address}: the port is taken; "):
            Server(APP, address=address, on_started=print)


def test_an_unknown_host() -> None:
    """A host that does not resolve is a configuration error."""
    with pytest.raises(ConfigError, match=r"cannot listen on nowhere\.invalid:0"):
        Server(APP, address="nowhere.invalid:0", on_started=print)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_time(number: signal.Signals) -> None:
    """SIGTERM and SIGINT make run() return within five seconds, even with a client that does not read."""
    app = create_app(lambda: Stub(pages={(False, False): b"#" * 30_000_000}), version="1")
    before = signal.getsignal(number)
    with contextlib.ExitStack() as clients:

        def open_clients(url: str) -> None:
            idle, half, slow = (clients.enter_context(connected(url)) for _ in range(3))
            half.sendall(b"GET /metrics HTTP/1.1\r\n")
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.getpeername() == slow.getpeername()
            threading.Timer(0.3, os.kill, (os.getpid(), number)).start()

        began = time.monotonic()
        Server(app, address="127.0.0.1:0", on_started=open_clients).run()
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
    with running(app, exchange_seconds=0.5) as url, connected(url) as client:
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

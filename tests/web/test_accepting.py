"""Addresses of clients, and what happens when there are no descriptors left."""

import contextlib
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from driftgauge.web.accepting import address_of

SERVER: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from driftgauge.service.logs import Logs, configure_logging
configure_logging(Logs())
from driftgauge.web.app import create_app
from driftgauge.web.listening import bind
from driftgauge.web.server import Server
# Something else in the process has most of them.
kept = [open("/dev/null") for _ in range(int(sys.argv[1]))]
app = create_app(lambda: None, version="1")
Server(app, listeners=bind("127.0.0.1:0"), on_started=lambda urls: print(urls[0], flush=True)).run()
"""


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (("192.0.2.7", 1234), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1234, 0, 0), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1234, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1234, 0, 3), "fe80::/64"),
        ("", ""),
    ],
)
def test_address_of(peer: object, expected: str) -> None:
    """An IPv4 address, in whatever form; of IPv6 the network, for a client has all addresses of one."""
    assert address_of(peer) == expected


def test_no_descriptors_left(tmp_path: Path) -> None:
    """One line says so, not thousands; others are closed to make room, and the server goes on."""
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", SERVER, "35"], stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        with contextlib.ExitStack() as opened:
            for _ in range(60):
                client = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 1
    assert "cannot accept connections" in lines[0]
    assert "LimitNOFILE" in lines[0]

"""Addresses, and the sockets of systemd."""

import contextlib
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from driftgauge.errors import ConfigError
from driftgauge.web.app import create_app
from driftgauge.web.listening import Address, bind, parse_address, passed

from .servers import Stub, fetch, running

APP = create_app(Stub, version="1")
ADDRESSES = [
    ("127.0.0.1:10210", Address("127.0.0.1", 10210)),
    ("localhost:0", Address("localhost", 0)),
    (":10210", Address("", 10210)),
    ("[::1]:65535", Address("::1", 65535)),
]


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


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:10210", "http://127.0.0.1:10210"),
        (":80", "http://localhost:80"),
        ("[::]:80", "http://localhost:80"),
        ("[::1]:80", "http://[::1]:80"),
        ("localhost:0", ""),
    ],
)
def test_the_url_of_an_address(text: str, url: str) -> None:
    """It is known before anything listens there, unless the port is any free one."""
    assert parse_address(text).url == url


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
    """A port in use is a configuration error that says what to look for; what was bound before it is closed."""
    with running(APP, address=f"{interface}:0") as url:
        address = f"{interface}:{urlsplit(url).port}"
        with pytest.raises(ConfigError, match=rf"cannot listen on {address}: the port is taken; "):
            bind("127.0.0.1:0", address)


def test_an_unknown_host() -> None:
    """A host that does not resolve is a configuration error."""
    with pytest.raises(ConfigError, match=r"cannot listen on nowhere\.invalid:0"):
        bind("nowhere.invalid:0")


TAKER = """
import os, sys
from driftgauge.errors import ConfigError
from driftgauge.web.listening import passed

# As systemd does: the descriptors begin at 3, and the process is named.
given = [int(number) for number in sys.argv[1].split()]
high = [os.dup2(number, 50 + at) for at, number in enumerate(given)]
for at, number in enumerate(high):
    os.dup2(number, 3 + at)
os.environ.update({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(given)), "LISTEN_FDNAMES": "a:b"})
try:
    print([listener.url(tls=False) for listener in passed(os.environ)], [n for n in os.environ if "LISTEN" in n])
except ConfigError as error:
    print(error)
"""


def taking(*sockets: socket.socket) -> str:
    """Return what a process says that was passed these sockets."""
    numbers = [each.fileno() for each in sockets]
    command = [sys.executable, "-c", TAKER, " ".join(map(str, numbers))]
    return subprocess.run(command, pass_fds=numbers, capture_output=True, text=True, check=True, timeout=60).stdout


def test_sockets_of_systemd(tmp_path: Path) -> None:
    """All that were passed are listened on, and the variables do not reach children."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "web.sock"))
        local.listen()
        said = taking(tcp, local)

    assert said == f"['http://127.0.0.1:{tcp_port(said)}', 'unix:{tmp_path}/web.sock'] []\n"


def tcp_port(said: str) -> str:
    """Return the port of the first URL."""
    return said.split("127.0.0.1:")[1].split("'", maxsplit=1)[0]


def test_what_systemd_must_not_pass() -> None:
    """A socket that accepts nothing is refused with what the unit needs."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        assert "--web.systemd-socket: descriptor 3 accepts no connections; the .socket unit needs" in taking(datagrams)


@pytest.mark.parametrize(
    "environ", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "none"}]
)
def test_systemd_passed_nothing(environ: dict[str, str]) -> None:
    """Without sockets for this process the message says what to do instead."""
    with pytest.raises(ConfigError, match=r"--web\.systemd-socket: systemd passed no socket; .*--web\.listen-address"):
        passed(environ)
    assert environ == {}

"""Prometheus and Alertmanager: whether they are installed, and running one until the demo ends.

This module does not know their configuration.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from driftgauge.errors import DriftgaugeError

# Debian's name first, then that of the projects' own archives.
_PROMETHEUS: Final = ("prometheus",)
_ALERTMANAGER: Final = ("prometheus-alertmanager", "alertmanager")
_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 10.0
_TRIES: Final = 5
_HOST: Final = "127.0.0.1"

Server = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the two programs are."""

    prometheus: str
    alertmanager: str


def find_programs(path: str | None = None) -> Programs | None:
    """Return the programs on PATH (or on `path`), or None unless both are installed."""
    prometheus, alertmanager = (_found(names, path) for names in (_PROMETHEUS, _ALERTMANAGER))
    return Programs(prometheus, alertmanager) if prometheus and alertmanager else None


def _found(names: Sequence[str], path: str | None) -> str | None:
    return next((place for name in names if (place := shutil.which(name, path=path))), None)


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server to start. command: its arguments for an address to listen on. port: preferred, if it is free."""

    name: str
    command: Callable[[str], Sequence[str]]
    port: int
    folder: Path

    @property
    def log(self) -> Path:
        """Return the file that gets what it prints."""
        return self.folder / f"{self.name}.log"


@contextmanager
def running(service: LocalServer) -> Iterator[str]:
    """Run it in its folder during the block and yield its address (host:port); it ends with this process in any case.

    Raises DriftgaugeError when it does not start. For the main thread only: the kernel ends it when its thread ends.
    """
    server, address = _started(service)
    try:
        yield address
    finally:
        _end(server)


def _started(service: LocalServer) -> tuple[Server, str]:
    deadline = time.monotonic() + _START_SECONDS
    for _ in range(_TRIES):
        address = f"{_HOST}:{_free_port(service.port)}"
        server = _spawned(service, address)
        try:
            while server.poll() is None and time.monotonic() < deadline:
                if _ready(address):
                    return server, address
                time.sleep(0.05)
        except BaseException:
            _end(server)
            raise
        # Another process may have taken the port first: try another one.
        _end(server)
    raise DriftgaugeError(f"{service.name} did not start; see {service.log}")


def _spawned(service: LocalServer, address: str) -> Server:
    command = [*_with_us(), *service.command(address)]
    with service.log.open("ab") as log:
        # A group of its own, so that Ctrl-C reaches only the demo, which then ends it in order.
        return subprocess.Popen(  # noqa: S603 - programs that were found on PATH, with arguments of our own
            command, cwd=service.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def _with_us() -> list[str]:
    """Return the command prefix that makes the kernel end a program with this process, even by kill -9 (util-linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _end(server: Server) -> None:
    server.terminate()
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with suppress(OSError), socket.create_server((_HOST, port)) as found:
            return int(found.getsockname()[1])
    raise DriftgaugeError(f"no port is free on {_HOST}")


def _ready(address: str) -> bool:
    connection = HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

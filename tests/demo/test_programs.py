"""Prometheus and Alertmanager: found, started on a free port, and ended whatever happens to the demo."""

import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest

from driftgauge.demo.programs import LocalServer, Programs, find_programs, running
from driftgauge.errors import DriftgaugeError
from mlflow_servers import free_port

PATIENCE: Final = 120.0
# Ready at once, and it ends on SIGTERM; much cheaper than Prometheus.
READY: Final = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/-/ready" else 404)
        self.end_headers()
host, port = sys.argv[1].split(":")
HTTPServer((host, int(port)), Ready).serve_forever()
"""


def service(folder: Path, code: str = READY, port: int = 0) -> LocalServer:
    """Return a server made of Python code."""
    return LocalServer("server", lambda address: [sys.executable, "-c", code, address], port, folder)


def program(folder: Path, name: str) -> str:
    """Make a program that can be found; return its path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.touch(mode=0o755)
    return str(path)


@pytest.mark.parametrize(
    ("case", "names", "alertmanager"),
    [
        ("Debian's", ["prometheus", "prometheus-alertmanager"], "prometheus-alertmanager"),
        ("upstream's", ["prometheus", "alertmanager"], "alertmanager"),
        ("only one", ["prometheus"], None),
        ("only the other", ["prometheus-alertmanager"], None),
        ("none", [], None),
    ],
)
def test_find(tmp_path: Path, case: str, names: list[str], alertmanager: str | None) -> None:
    """Both are found under either name; one without the other is of no use."""
    places = {name: program(tmp_path / "bin", name) for name in names}
    expected = Programs(places["prometheus"], places[alertmanager]) if alertmanager else None
    assert find_programs(str(tmp_path / "bin")) == expected, case


def gone(address: str) -> bool:
    """Whether nothing listens there any more."""
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return True
    return False


def test_preferred_port_and_end(tmp_path: Path) -> None:
    """It listens on the preferred port when that is free, and is gone when the block is left."""
    port = free_port()
    with running(service(tmp_path, port=port)) as address:
        assert address == f"127.0.0.1:{port}"
        assert not gone(address)
    assert gone(address)


def test_taken_port(tmp_path: Path) -> None:
    """When somebody listens on the preferred port, it gets another one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        taken = other.server_port
        with running(service(tmp_path, port=taken)) as address:
            assert address.partition(":")[2] not in {"0", str(taken)}
            assert not gone(address)


def test_does_not_start(tmp_path: Path) -> None:
    """What ends at once is tried a few times; then the file with its words is named."""
    code = "print('no rules for me', flush=True); raise SystemExit(3)"
    with (
        pytest.raises(DriftgaugeError, match=r"server did not start; see .*server\.log"),
        running(service(tmp_path, code)),
    ):
        pass
    assert (tmp_path / "server.log").read_text().count("no rules for me") > 1


def test_killed_with_the_demo(tmp_path: Path) -> None:
    """Even when the demo is killed without a chance to clean up, its servers end."""
    (tmp_path / "server.py").write_text(READY)
    code = (
        "import sys, time; from pathlib import Path; from driftgauge.demo.programs import LocalServer, running\n"
        "command = lambda address: [sys.executable, 'server.py', address]\n"
        f"with running(LocalServer('server', command, 0, Path({str(tmp_path)!r}))) as address:\n"
        "    print(address, flush=True); time.sleep(3600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        address = demo.stdout.readline().strip()
        assert not gone(address)
        demo.send_signal(signal.SIGKILL)
        demo.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while not gone(address):
        assert time.monotonic() < deadline
        time.sleep(0.05)

"""The flags of `serve`, judged by what the command says and by what is served."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import bcrypt
import pytest

from driftgauge.serving import Web
from driftgauge.web.site import Site
from e2e.exporter import command, request
from mlflow_servers import free_port
from processes import eventually

FLAGS: Final = (
    "config.file", "config.check", "web.listen-address", "web.systemd-socket", "web.config.file", "web.telemetry-path",
    "web.route-prefix", "web.external-url", "web.max-requests", "web.health-without-auth", "log.level", "log.format",
)  # fmt: skip
PATIENCE: Final = 60


def variable(flag: str) -> str:
    """Return the environment variable of a flag."""
    return "DRIFTGAUGE_" + re.sub("[.-]", "_", flag).upper()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration that needs no MLflow."""
    (tmp_path / "in").mkdir()
    path = tmp_path / "driftgauge.yml"
    path.write_text(f"state_dir: {tmp_path}/state\nmodels:\n  - name: m\n    predictions: {{files: {tmp_path}/in}}\n")
    return path


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for flag in FLAGS:
        monkeypatch.delenv(variable(flag), raising=False)


def test_help_names_every_flag_and_variable() -> None:
    """Each with its variable."""
    shown = " ".join(command("serve", "--help").stdout.split())

    assert [flag for flag in FLAGS if f"--{flag}" not in shown or f"env var: {variable(flag)}" not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--web.listen-address=10210"], '--web.listen-address: "10210" is not host:port, [IPv6]:port or :port'),
        (["--web.listen-address=:1", "--web.listen-address=::1:1"], '--web.listen-address: "::1:1" is not host:port'),
        (["--web.telemetry-path=metrics"], '--web.telemetry-path: "metrics" is no path such as /metrics'),
        (["--web.route-prefix=/a?b"], '--web.route-prefix: "/a?b" is no path such as /driftgauge'),
        (["--web.external-url=monitoring"], '--web.external-url: "monitoring" is no URL such as https://'),
        (["--web.max-requests=-1"], "'--web.max-requests' (env var: 'DRIFTGAUGE_WEB_MAX_REQUESTS'): -1 is not in"),
        (["--web.max-requests=many"], "'--web.max-requests' (env var: 'DRIFTGAUGE_WEB_MAX_REQUESTS'): 'many' is not"),
        (["--web.listen-adress=:1"], "No such option '--web.listen-adress'. Did you mean '--web.listen-address'?"),
        (["--log.level=loud"], "'loud' is not one of 'debug', 'info', 'warning', 'error'"),
        (["--web.config.file=/nowhere/web.yml"], "/nowhere/web.yml: cannot be read"),
        (
            ["--web.systemd-socket"],
            "--web.systemd-socket: systemd passed no socket; start driftgauge by a .socket",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_wrong_flag_is_one_line(config: Path, arguments: list[str], said: str) -> None:
    """It says what to do, exit status 2, and nothing is started; with --config.check it is the same."""
    check = [] if "--web.systemd-socket" in arguments else ["--config.check"]
    refused = command("serve", f"--config.file={config}", *check, *arguments)

    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert said in refused.stderr
    assert not (config.parent / "state").exists()


@pytest.mark.parametrize(
    ("arguments", "said"), [([], "Missing option '--config.file'"), (["more"], "unexpected extra")]
)
def test_a_wrong_command_line_is_one_line(arguments: list[str], said: str) -> None:
    """What is missing or too much is named, with where to read on."""
    refused = command("serve", *(arguments and ["--config.file=x"]), *arguments)

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert said in refused.stderr
    assert refused.stderr.endswith("; see driftgauge serve --help\n") or "main serve --help" in refused.stderr


def test_no_command_is_help() -> None:
    """The commands are listed."""
    shown = command()

    assert shown.returncode == 2
    assert "check-config" in shown.stdout + shown.stderr


def test_config_check(config: Path) -> None:
    """It says that all is valid, and what is not, and serves nothing."""
    good = command("serve", f"--config.file={config}", "--config.check", "--web.listen-address=[::1]:0")
    config.write_text("modles: []")
    bad = command("serve", f"--config.file={config}", "--config.check")

    assert (good.returncode, good.stdout) == (0, f"{config}: valid, 1 model\n")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "modles" in bad.stderr


def test_config_check_looks_at_certificates(config: Path) -> None:
    """A web configuration whose files are not there is not valid."""
    web = config.parent / "web.yml"
    web.write_text("tls_server_config: {cert_file: a.crt, key_file: a.key}")
    checked = command("serve", f"--config.file={config}", f"--web.config.file={web}", "--config.check")

    assert checked.returncode == 2
    assert "a.crt" in checked.stderr


def test_variables(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each flag may come from the environment, and a flag on the command line comes first."""
    monkeypatch.setenv("DRIFTGAUGE_CONFIG_FILE", str(config))
    monkeypatch.setenv("DRIFTGAUGE_CONFIG_CHECK", "true")
    assert command("serve").stdout == f"{config}: valid, 1 model\n"

    monkeypatch.setenv("DRIFTGAUGE_WEB_LISTEN_ADDRESS", "127.0.0.1:1 [::1]:nothing")
    assert '"[::1]:nothing" is not host:port' in command("serve").stderr
    assert command("serve", "--web.listen-address=:1").returncode == 0


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, {"/a/-/healthy"}), (True, {"/a/-/healthy", "/a/-/ready"}), (False, set())],
)
def test_health_without_auth(asked: bool | None, expected: set[str]) -> None:  # noqa: FBT001 - a table's column
    """Health alone by default; with readiness, or none, when asked for."""
    assert Web(health_without_auth=asked).unguarded(Site(prefix="/a")) == expected


def test_a_served_exporter(config: Path, tmp_path: Path) -> None:
    """Several addresses, IPv6 among them, a prefix, users: from variables and flags, in a process of its own."""
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{a: '{bcrypt.hashpw(b'x', bcrypt.gensalt(4)).decode()}'}}")
    first, second = free_port(), free_port()
    env = os.environ | {
        "DRIFTGAUGE_CONFIG_FILE": str(config),
        "DRIFTGAUGE_WEB_LISTEN_ADDRESS": f"127.0.0.1:{first} {second_host()}:{second}",
        "DRIFTGAUGE_WEB_ROUTE_PREFIX": "/wrong",
        "DRIFTGAUGE_WEB_HEALTH_WITHOUT_AUTH": "true",
    }
    serve = [sys.executable, "-m", "driftgauge", "serve", "--web.route-prefix=/drift", f"--web.config.file={web}"]
    with subprocess.Popen(serve, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            urls = [f"http://127.0.0.1:{first}", f"http://{second_host()}:{second}"]
            assert eventually(lambda: answers(urls[1], "/drift/-/ready") in {200, 503}, seconds=PATIENCE)
            assert [answers(url, "/drift/-/healthy") for url in urls] == [200, 200]
            assert [answers(url, "/drift/metrics") for url in urls] == [401, 401]
            assert answers(urls[0], "/wrong/metrics") == 401
            assert answers(urls[0], "/-/healthy") == 401
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said


def second_host() -> str:
    """Return how the second address is written: IPv6 where the machine has it."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return "[::1]"
    except OSError:
        return "127.0.0.1"


def answers(url: str, path: str) -> int | None:
    """Return the status of an answer, None without one."""
    try:
        return request(url, path)[0]
    except OSError:
        return None


def test_sockets_of_systemd(config: Path) -> None:
    """What systemd has opened is served, before the process was there to listen."""
    # In the child: what is number 3 here belongs to pytest.
    script = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.execve(sys.argv[2], sys.argv[2:], os.environ | {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
"""
    serve = [sys.executable, "-m", "driftgauge", "serve", f"--config.file={config}", "--web.systemd-socket"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        process = subprocess.Popen([sys.executable, "-c", script, str(number), *serve], pass_fds=[number])
        try:
            with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as client:
                client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
                assert client.recv(12) == b"HTTP/1.1 200"
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0

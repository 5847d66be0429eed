"""One attempt, and what it says of the next: against real servers and programs."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from driftgauge.hook.calls import Outcome, carry_out
from driftgauge.hook.plans import Plan
from mlflow_servers import free_port
from processes import eventually, is_alive

from .servers import target


def http(url: str, *, kind: str = "http", timeout: float = 5, **what: Any) -> Plan:
    """Return the plan of a call."""
    return Plan(kind, {"method": "POST", "url": url, "headers": {}, "body": {"a": 1}} | what, timeout)


def command(*arguments: str, timeout: float = 20) -> Outcome:
    """Run Python with these arguments."""
    return carry_out(
        Plan(
            "command", {"arguments": [sys.executable, *arguments], "variables": {"DRIFTGAUGE_MODEL": "churn"}}, timeout
        )
    )


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (200, "http", "done"),
        (204, "http", "done"),
        (302, "http", "failed"),
        (400, "http", "failed"),
        (409, "http", "failed"),
        (409, "job", "done"),
        (429, "http", "again"),
        (500, "http", "failed"),
        (503, "http", "again"),
        (None, "http", "unclear"),
    ],
)
def test_answers(status: int | None, kind: str, expected: str) -> None:
    """Asked again is who said to be too busy; not who may have done something, and not who refused."""
    with target(status) as server:
        found = carry_out(http(server.url, kind=kind))

        assert found.result == expected
        assert len(found.answer) < 5000
        assert [(path, body) for path, _, body in server.asked] == [("/", {"a": 1})]


def test_nobody_listens() -> None:
    """It is known that nothing was heard."""
    found = carry_out(http(f"http://127.0.0.1:{free_port()}/"))

    assert found.result == "again"


def test_a_server_that_hangs() -> None:
    """It may have heard."""
    with target(200, hang=True) as server:
        began = time.monotonic()
        found = carry_out(http(server.url, timeout=0.3))

        assert found.result == "unclear"
        assert time.monotonic() - began < 5


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    """It is read when it is needed; while it is missing, the call waits."""
    token = tmp_path / "token"
    headers = {"Authorization": {"file": str(token), "prefix": "Bearer "}}
    with target(200) as server:
        assert carry_out(http(server.url, headers=headers)).result == "again"
        assert server.asked == []
        token.write_text("abc\n")
        assert carry_out(http(server.url, headers=headers)).result == "done"
        assert server.asked[0][1]["Authorization"] == "Bearer abc"


def test_a_header_with_a_line_break_is_refused() -> None:
    """A label cannot add a header."""
    with target(200) as server:
        found = carry_out(http(server.url, headers={"X-Model": "a\r\nX-Admin: 1"}))

        assert (found.result, server.asked) == ("failed", [])


def test_a_command() -> None:
    """Its arguments are its own, whatever is in them, and its output is kept, the end of it."""
    script = "import os, sys; print('x' * 9000); print(sys.argv[1:], os.environ['DRIFTGAUGE_MODEL'])"

    found = command("-c", script, "$(id); rm -rf /", "a b")

    assert found.result == "done"
    assert found.answer.endswith("['$(id); rm -rf /', 'a b'] churn")
    assert len(found.answer) < 5000


@pytest.mark.parametrize("script", ["import sys; sys.exit(3)", "raise ValueError('no data')", "import os; os.abort()"])
def test_a_command_that_fails(script: str) -> None:
    """It is not run again: nobody knows how far it came."""
    assert command("-c", script).result == "failed"


def test_a_program_that_is_not_there() -> None:
    """It is said, as what is no text of a program."""
    for name in ("/nonexistent/train", "a\0b"):
        found = carry_out(Plan("command", {"arguments": [name], "variables": {}}, 5))
        assert found.result == "failed"
        assert "cannot be started" in found.answer


def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    """Nothing of it is left."""
    pid = tmp_path / "pid"
    script = (
        "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"open({str(pid)!r}, 'w').write(str(child.pid)); time.sleep(60)"
    )

    found = command("-c", script, timeout=3)

    assert found.result == "failed"
    assert found.answer.startswith("killed after 3 s")
    assert eventually(lambda: not is_alive(int(pid.read_text())), seconds=10)


def test_a_dry_run() -> None:
    """It does nothing and says what it would do."""
    with target(200) as server:
        found = carry_out(Plan("dry_run", {"would_be": "http", "url": f"{server.url}/?token=abc"}, 5))

        assert (found.result, server.asked) == ("dry_run", [])
        assert "http" in found.answer
        assert "abc" not in found.answer

"""What systemd hears, on a datagram socket such as its own."""

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftgauge.service.notify import Notifier


@pytest.fixture(params=["a path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Return the socket that systemd reads from, and its address as NOTIFY_SOCKET has it."""
    name = f"@driftgauge/{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as place:
        place.bind(name.replace("@", "\0", 1))
        place.settimeout(5)
        yield place, name


def heard(place: socket.socket) -> list[str]:
    """Return the lines of the next message."""
    return place.recv(4096).decode().split("\n")


def silent(place: socket.socket) -> bool:
    """Read what was on its way, and tell whether nothing comes after that for four periods of the watchdog."""
    place.settimeout(0.4)
    with contextlib.suppress(TimeoutError):
        return len([heard(place) for _ in range(4)]) < 4
    return True


def test_a_life(systemd: tuple[socket.socket, str]) -> None:
    """Ready, a reload with the time at which it began, ready again, stopping."""
    place, name = systemd
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": name})

    notifier.ready("serves http://localhost:10210\nREADY=0")
    assert heard(place) == ["READY=1", "STATUS=serves http://localhost:10210 READY=0"]

    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    said, when = heard(place)
    assert said == "RELOADING=1"
    assert before <= int(when.removeprefix("MONOTONIC_USEC=")) <= before + 5_000_000

    notifier.ready()
    notifier.stopping()
    assert [heard(place), heard(place)] == [["READY=1"], ["STOPPING=1"]]


def test_the_watchdog(systemd: tuple[socket.socket, str]) -> None:
    """It hears of the service as long as that is healthy, twice within the time, and nothing of one that hangs."""
    place, name = systemd
    healthy = True
    notifier = Notifier.from_environment(
        {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": str(os.getpid())}
    )
    began = time.monotonic()
    notifier.watch(lambda: healthy)
    assert [heard(place) for _ in range(4)] == [["WATCHDOG=1"]] * 4
    assert 0.3 <= time.monotonic() - began < 3

    healthy = False
    assert silent(place)
    healthy = True
    place.settimeout(5)
    assert heard(place) == ["WATCHDOG=1"]

    notifier.stopping()
    while heard(place) != ["STOPPING=1"]:
        pass
    assert silent(place)


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}, id="for another process"),
        pytest.param({"WATCHDOG_USEC": "soon"}, id="no number"),
        pytest.param({"WATCHDOG_USEC": "0"}, id="never"),
        pytest.param({}, id="not asked for"),
    ],
)
def test_nobody_watches(systemd: tuple[socket.socket, str], variables: dict[str, str]) -> None:
    """Without a period that is meant for this process nothing is sent."""
    place, name = systemd
    Notifier.from_environment({"NOTIFY_SOCKET": name, **variables}).watch(lambda: True)

    assert silent(place)


def test_children_are_not_asked() -> None:
    """The variables do not reach the processes that this one starts."""
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier.from_environment(environ)

    assert environ == {"HOME": "/"}


@pytest.mark.parametrize("name", [None, "", "/nowhere/notify", "@nobody", "/" + "x" * 300, "with\0zero"])
def test_nobody_listens(name: str | None) -> None:
    """Without systemd, or when its socket has gone, the service goes on."""
    notifier = Notifier.from_environment({} if name is None else {"NOTIFY_SOCKET": name})

    notifier.ready()
    notifier.reloading()
    notifier.stopping()

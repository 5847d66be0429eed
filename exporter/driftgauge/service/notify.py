"""What systemd is told of the service, with `Type=notify` or `Type=notify-reload`: ready, reloading, stopping, alive.

The protocol is sd_notify(3): one datagram of lines to the socket that `NOTIFY_SOCKET` names, a path or, behind `@`, a
name in the abstract namespace. Where nobody asks, nothing is said; and whatever becomes of that socket, the service
goes on. The variables are taken out of the environment: children are no service of their own.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Final, Self

_SECOND: Final = 1_000_000
# systemd ends a service from which nothing came for the whole time; half of it is what its manual recommends.
_PINGS: Final = 2


class Notifier:
    """Says to systemd how the service is. address: of its socket, None when nobody asked. Callable from any thread.

    watchdog: how often (s) systemd wants to hear that the service is alive, None when it does not.
    """

    def __init__(self, address: str | None = None, *, watchdog: float | None = None) -> None:
        self._address = address
        self._watchdog = watchdog
        self._stopping = threading.Event()

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Self:
        """Return what the variables of systemd ask for, and remove them."""
        address = environ.pop("NOTIFY_SOCKET", None)
        process = environ.pop("WATCHDOG_PID", "")
        period = environ.pop("WATCHDOG_USEC", "")
        # Meant for this process alone, or for whichever reads it.
        mine = process in {"", str(os.getpid())}
        watched = mine and period.isascii() and period.isdigit() and int(period) > 0
        return cls(address or None, watchdog=int(period) / _SECOND if watched else None)

    def ready(self, status: str = "") -> None:
        """Say that the service answers, after the start and after a reload. status: a line for `systemctl status`."""
        self._say("READY=1", *([f"STATUS={status}"] if status else []))

    def reloading(self) -> None:
        """Say that a reload begins; `ready` says that it has ended."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._say("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Say that the service is about to end; it is not watched any more."""
        self._stopping.set()
        self._say("STOPPING=1")

    def watch(self, healthy: Callable[[], bool]) -> None:
        """Say from now on, in the background and as often as systemd asked, that the service is alive while it is."""
        if self._address is not None and self._watchdog is not None:
            pause = self._watchdog / _PINGS
            threading.Thread(target=self._ping, args=(healthy, pause), name="watchdog", daemon=True).start()

    def _ping(self, healthy: Callable[[], bool], pause: float) -> None:
        while not self._stopping.is_set():
            if healthy():
                self._say("WATCHDOG=1")
            self._stopping.wait(pause)

    def _say(self, *lines: str) -> None:
        if self._address is None:
            return
        # A name in the abstract namespace begins with a NUL byte.
        place = self._address.replace("@", "\0", 1) if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                # A full queue must not hold the service up.
                out.settimeout(1)
                out.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), place)
        except (OSError, ValueError):
            # systemd sees by itself that nothing comes, and ends the service or says so.
            return

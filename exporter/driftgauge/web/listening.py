"""Where the server listens: addresses as Prometheus' exporters take them, and sockets that systemd has opened."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import MutableMapping
from typing import Final, NamedTuple

from driftgauge.errors import ConfigError

# The first descriptor that systemd passes (sd_listen_fds(3)).
_FIRST_PASSED: Final = 3
# Connections that wait to be accepted. The kernel caps it at net.core.somaxconn.
BACKLOG: Final = 1024


class Address(NamedTuple):
    """Where to listen; an empty host is every interface, port 0 any free one."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Return where it is reached without TLS, or "" while its port is not known."""
        return f"http://{_reachable(self.host)}:{self.port}" if self.port else ""


def parse_address(text: str) -> Address:
    """Parse "127.0.0.1:10210", "[::1]:10210", "localhost:0" or ":10210". Raise ConfigError for anything else."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535 or (":" in host and not bracketed):
        raise ConfigError(f'--web.listen-address: "{text}" is not host:port, [IPv6]:port or :port')
    return Address(host[1:-1] if bracketed else host, int(port))


class Listener(NamedTuple):
    """A socket that listens, and the host as it was written, "" when it was not."""

    socket: socket.socket
    host: str = ""

    def url(self, *, tls: bool) -> str:
        """Return where it is reached."""
        place = self.socket.getsockname()
        if self.socket.family == socket.AF_UNIX:
            return f"unix:{os.fsdecode(place)}"
        return f"{'https' if tls else 'http'}://{_reachable(self.host or place[0])}:{place[1]}"


def bind(*addresses: str) -> list[Listener]:
    """Return sockets that listen at the addresses. Raise ConfigError when one of them is wrong or taken."""
    with contextlib.ExitStack() as bound:
        found = []
        for text in addresses:
            listener = _bind(text)
            bound.push(listener.socket)
            found.append(listener)
        bound.pop_all()
    return found


def _bind(text: str) -> Listener:
    wanted = parse_address(text)
    try:
        return Listener(_listen(wanted), wanted.host)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "the port is taken; is another driftgauge running?" if taken else error.strerror
        raise ConfigError(f"--web.listen-address: cannot listen on {text}: {reason}") from error


def passed(environ: MutableMapping[str, str]) -> list[Listener]:
    """Return the sockets that systemd has opened for this process (sd_listen_fds(3)); children get none of them.

    Raise ConfigError when there are none, or one on which no connections come.
    """
    owner, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if owner != str(os.getpid()) or not (count.isascii() and count.isdigit() and int(count)):
        raise ConfigError(
            "--web.systemd-socket: systemd passed no socket; start driftgauge by a .socket unit, or give "
            "--web.listen-address instead"
        )
    return [Listener(_taken_over(number)) for number in range(_FIRST_PASSED, _FIRST_PASSED + int(count))]


def _listen(wanted: Address) -> socket.socket:
    if wanted.host:
        found = socket.getaddrinfo(*wanted, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, place = found[0]
        return socket.create_server((str(place[0]), wanted.port), family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", wanted.port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        except OSError as error:
            # Compiled in, yet a container may have IPv6 switched off: then there is no such address.
            if error.errno != errno.EADDRNOTAVAIL:
                raise
    return socket.create_server(("", wanted.port), backlog=BACKLOG)


def _taken_over(number: int) -> socket.socket:
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise ConfigError(f"--web.systemd-socket: descriptor {number} is no socket; check the .socket unit")
        os.set_inheritable(number, False)  # noqa: FBT003 - so it is called
        listener = socket.socket(fileno=number)
        accepts = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(f"--web.systemd-socket: descriptor {number} cannot be used: {error.strerror}") from error
    if not accepts:
        raise ConfigError(
            f"--web.systemd-socket: descriptor {number} accepts no connections; the .socket unit needs ListenStream= "
            "and Accept=no"
        )
    return listener


def _reachable(host: str) -> str:
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared, not listened on
        return "localhost"
    return f"[{host}]" if ":" in host else host

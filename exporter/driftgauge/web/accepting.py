"""Accepting connections: each by the TLS rules of its moment, a few at a time, and with an end to descriptors in mind.

asyncio's own server fixes the TLS context when it begins to listen, accepts as many connections at once as may wait,
and logs a traceback for each that it has no descriptor for, thousands a second. Here each connection is registered
before its handshake, so that one which never says a word can be closed like any other.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from driftgauge.web.connections import Connection, Connections

# Between two looks at what the accepted ones have to say.
_AT_A_TIME: Final = 16
_PAUSE_SECONDS: Final = 0.2
_QUIET_SECONDS: Final = 60.0
# What accept(2) says of a connection that ended before it was accepted, or of none.
_GONE: Final = (BlockingIOError, InterruptedError, ConnectionAbortedError)


class MakeConnection(Protocol):
    """Returns the protocol of a new connection; see `Connection`."""

    def __call__(self, *, address: str, valid: Callable[[], bool], abort: Callable[[], None]) -> Connection:
        """Make it."""


class Acceptor:
    """Takes connections from one listening socket until it is closed; has the methods of asyncio's servers.

    contexts: returns the TLS context as it has to be now, None for plain HTTP. head: how long a handshake may take (s).
    """

    def __init__(
        self,
        listener: socket.socket,
        make: MakeConnection,
        *,
        connections: Connections,
        contexts: Callable[[], ssl.SSLContext | None],
        head: float,
    ) -> None:
        self._listener = listener
        self._make = make
        self._connections = connections
        self._contexts = contexts
        self._head = head
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._said = -_QUIET_SECONDS
        listener.setblocking(False)  # noqa: FBT003 - so it is called
        self._resume()

    def adopt(self, end: socket.socket) -> None:
        """Serve a connection that came another way, over plain HTTP whatever the rules."""
        self._begin(end, "", context=None, valid=lambda: True)

    def close(self) -> None:
        """Accept no more, and end handshakes; connections are not touched."""
        self._closed = True
        self._loop.remove_reader(self._listener.fileno())
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until the handshakes have ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_A_TIME):
            try:
                end, peer = self._listener.accept()
            except _GONE:
                return
            except OSError as error:
                self._wait(error)
                return
            context = self._contexts()
            self._begin(end, address_of(peer), context=context, valid=partial(self._holds, context))

    def _holds(self, context: ssl.SSLContext | None) -> bool:
        return self._contexts() is context

    def _begin(
        self, end: socket.socket, address: str, *, context: ssl.SSLContext | None, valid: Callable[[], bool]
    ) -> None:
        end.setblocking(False)  # noqa: FBT003 - so it is called

        def abort() -> None:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

        connection = self._make(address=address, valid=valid, abort=abort)
        self._connections.add(connection)
        task = self._loop.create_task(self._serve(end, connection, context))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, end: socket.socket, connection: Connection, context: ssl.SSLContext | None) -> None:
        timeout = None if context is None else self._head
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection, end, ssl=context, ssl_handshake_timeout=timeout
            )
        except OSError:
            # It did not come to an understanding about TLS, as of a scan of ports.
            self._connections.remove(connection)
        except asyncio.CancelledError:
            self._connections.remove(connection)
            end.close()
            raise

    def _wait(self, error: OSError) -> None:
        """Make room and try again later: without a pause the same error would come at once, again and again."""
        self._connections.close_some()
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(_PAUSE_SECONDS, self._resume)
        if time.monotonic() - self._said > _QUIET_SECONDS:
            self._said = time.monotonic()
            import structlog  # noqa: PLC0415 - not needed to start

            structlog.get_logger("driftgauge.web").error(
                "cannot accept connections; others are closed to make room",
                error=error.strerror,
                connections=len(self._connections),
                remedy="raise the limit of open files (LimitNOFILE=, ulimit -n) if this machine has to serve so many",
            )


def address_of(peer: object) -> str:
    """Return whose connection it is: an IPv4 address, or the /64 network that an IPv6 client has for itself."""
    host = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    if ":" not in host:
        return host
    if host.startswith("::ffff:") and "." in host:
        return host.removeprefix("::ffff:")
    packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8)) + "/64"

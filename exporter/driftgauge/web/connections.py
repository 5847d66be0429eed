"""Connections with deadlines, of which there is a limit: who has earned least is closed for whoever comes.

uvicorn waits for ever for the rest of a request and for a client that does not read. Here the head of a request has to
come within `head` seconds, and a whole exchange within `exchange`. When there are as many connections as there may be,
those that have asked nothing yet go first, the oldest ones of the address that has most; then those that were refused,
then idle ones; one that is being answered only when there is nothing else. So neither idle nor slow clients can use
connections up, nor the descriptors of this process.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

# What a connection has earned, the least first.
_SILENT: Final = 0
_REFUSED: Final = 1
_IDLE: Final = 2
_BUSY: Final = 3
# How many silent or refused ones are closed at a time: to choose among all of them for each one that comes is slow.
_TOGETHER: Final = 16


# For what is being answered when the server stops; uvicorn logs an error about what takes longer than three seconds.
_PARTING_SECONDS: Final = 2.0


class Deadlines(NamedTuple):
    """How long (s) the head of a request may take, TLS included, and a request with its answer."""

    head: float = 10.0
    exchange: float = 90.0


DEADLINES: Final = Deadlines()


class Connection(H11Protocol):
    """A connection of one client, from the moment it was accepted.

    register: is told of its end. valid: tells whether the rules under which it was accepted are still in force.
    """

    def __init__(
        self,
        *arguments: Any,
        register: "Connections",
        deadlines: Deadlines,
        address: str,
        valid: Callable[[], bool],
        abort: Callable[[], None],
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.address = address
        self.refused = False
        self._register = register
        self._deadlines = deadlines
        self._valid = valid
        # How it is ended before it is connected, in the middle of a TLS handshake.
        self._abort_socket = abort
        self._deadline: asyncio.TimerHandle | None = None
        self._asking = False
        # Every request of this connection carries it, so that the application can say what to do with it.
        self.app_state = {"connection": self}

    @property
    def earned(self) -> int:
        """How much speaks for keeping it; see the table at the top."""
        if self.refused:
            return _REFUSED
        if self.cycle is None:
            return _SILENT
        return _IDLE if self.cycle.response_complete or self.flow.write_paused else _BUSY

    def waits(self) -> bool:
        """Return whether its client is still there."""
        return not self.transport.is_closing()

    async def drained(self) -> None:
        """Wait until its client has read nearly all that was sent, or is gone."""
        await self.flow.drain()

    def abort(self) -> None:
        """End it now; what is under way on it sees that its client is gone."""
        self._register.remove(self)
        if self.transport is None:
            self._abort_socket()
        else:
            self.transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect(self._deadlines.head)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first of a request begin its time."""
        if not self._asking and self.conn.our_state is h11.IDLE:
            self._asking = True
            self._expect(self._deadlines.head)
        super().data_received(data)

    def handle_events(self) -> None:
        """Answer what has come whole, unless the rules for that have changed."""
        if self.conn.our_state is h11.IDLE and not self._valid():
            self.abort()
            return
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and not self.cycle.response_complete:
            self._expect(self._deadlines.exchange)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._asking = False
        # The rest of a request that is answered already is of no use.
        unread = self.conn.their_state is h11.SEND_BODY
        self._expect(self._deadlines.head if unread else self._deadlines.exchange)
        super().on_response_complete()

    def shutdown(self) -> None:
        """Finish what is being answered, soon."""
        super().shutdown()
        self._expect(_PARTING_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._register.remove(self)
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _expect(self, seconds: float) -> None:
        """Have the connection end unless something happens within that time."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.abort)


def connection_of(scope: Scope) -> Connection | None:
    """Return the connection that a request came on, None where there is no server around the application."""
    found = scope.get("state", {}).get("connection")
    return found if isinstance(found, Connection) else None


class Connections:
    """All connections, at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # In the order in which they came.
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Take a new one in, for which others are closed when there are too many."""
        if len(self._open) >= self._limit:
            self.close_some()
        self._open[connection] = None

    def remove(self, connection: Connection) -> None:
        """Forget one that has ended, if it is there."""
        self._open.pop(connection, None)

    def close_some(self) -> bool:
        """Close what has earned least; return whether there was any."""
        least = min((connection.earned for connection in self._open), default=None)
        if least is None:
            return False
        those = [connection for connection in self._open if connection.earned == least]
        for connection in _first_to_go(those, _TOGETHER if least < _IDLE else 1):
            connection.abort()
        return True


def _first_to_go(connections: Iterable[Connection], count: int) -> list[Connection]:
    """Return the oldest ones of the address that has most of these."""
    together = list(connections)
    counts = Counter(connection.address for connection in together)
    (busiest, most), *_ = counts.most_common(1)
    # At most half of them: an address that has only one or two is not shut out.
    return [connection for connection in together if connection.address == busiest][: min(count, (most + 1) // 2)]

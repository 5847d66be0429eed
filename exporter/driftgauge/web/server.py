"""Listening: address, slow clients, and stopping in time.

The socket is bound when a `Server` is made, so a port that is taken is known before anything else starts. uvicorn
speaks HTTP; its own logging, signal and TLS set-up are replaced, because the command line owns logs and signals and
certificates have to be exchangeable while it runs.
"""

import asyncio
import contextlib
import errno
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from driftgauge.errors import ConfigError

if TYPE_CHECKING:
    from driftgauge.web.webconfig import WebConfigFile

# Longer than a scrape interval of a minute, so a scraper keeps its connection; so is `exchange_seconds`.
_KEEP_ALIVE_SECONDS: Final = 75
_MAX_CONNECTIONS: Final = 500
_MAX_HEADER_BYTES: Final = 16 * 1024
_SHUTDOWN_SECONDS: Final = 3


class Address(NamedTuple):
    """Where to listen; an empty host is every interface, port 0 any free one."""

    host: str
    port: int


def parse_address(text: str) -> Address:
    """Parse "127.0.0.1:10210", "[::1]:10210", "localhost:0" or ":10210". Raise ConfigError for anything else."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535 or (":" in host and not bracketed):
        raise ConfigError(f'--web.listen-address: "{text}" is not host:port, [IPv6]:port or :port')
    return Address(host[1:-1] if bracketed else host, int(port))


class Server:
    """An application on a port.

    app: is put behind the access rules of `web_config`, if any. on_started: gets the URL once requests are answered.
    exchange_seconds: how long a client may take for a request and its answer.
    Raises ConfigError when the address is wrong or taken, or a certificate cannot be used.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        address: str,
        web_config: "WebConfigFile | None" = None,
        on_started: Callable[[str], None],
        exchange_seconds: float = 90.0,
    ) -> None:
        tls = None
        if web_config is not None:
            # Without one the server starts sooner.
            from driftgauge.web.access import Guard  # noqa: PLC0415
            from driftgauge.web.tls import server_context  # noqa: PLC0415

            app = Guard(app, web_config.current)
            tls = server_context(web_config.current)
        wanted = parse_address(address)
        self._socket = _bind(wanted, address)
        port = self._socket.getsockname()[1]
        self.url = f"{'http' if tls is None else 'https'}://{_reachable(wanted.host)}:{port}"
        self._uvicorn = _Uvicorn(_uvicorn_config(app, tls, exchange_seconds), on_started=lambda: on_started(self.url))

    def run(self) -> None:
        """Answer requests until `stop`, SIGTERM or SIGINT; open ones get `_SHUTDOWN_SECONDS` to finish."""
        with self._socket:
            self._uvicorn.run(sockets=[self._socket])

    def stop(self) -> None:
        """Make `run` return soon. Callable from any thread or signal handler."""
        self._uvicorn.should_exit = True


def _bind(wanted: Address, text: str) -> socket.socket:
    try:
        return _listen(wanted)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "the port is taken; is another driftgauge running?" if taken else error.strerror
        raise ConfigError(f"--web.listen-address: cannot listen on {text}: {reason}") from error


def _listen(wanted: Address) -> socket.socket:
    if wanted.host:
        found = socket.getaddrinfo(*wanted, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, place = found[0]
        return socket.create_server((str(place[0]), wanted.port), family=family)
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", wanted.port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            # Compiled in, yet a container may have IPv6 switched off: then there is no such address.
            if error.errno != errno.EADDRNOTAVAIL:
                raise
    return socket.create_server(("", wanted.port))


def _reachable(host: str) -> str:
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared, not listened on
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _uvicorn_config(app: ASGIApp, tls: ssl.SSLContext | None, exchange_seconds: float) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=partial(_Connection, exchange_seconds=exchange_seconds),  # type: ignore[arg-type] # called like a class
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
    )
    config.load()
    config.ssl = tls
    return config


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, *, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT without raising them again afterwards: the caller still has to clean up."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Connection(H11Protocol):
    """A connection that has to finish an exchange every `exchange_seconds`.

    uvicorn waits for ever for the rest of a request and for a client that does not read; here either ends with the
    connection, so that neither can use them up.
    """

    _deadline: asyncio.TimerHandle

    def __init__(self, *arguments: Any, exchange_seconds: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._exchange_seconds = exchange_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self._exchange_seconds, transport.abort)

    def on_response_complete(self) -> None:
        self._deadline.cancel()
        self._deadline = self.loop.call_later(self._exchange_seconds, self.transport.abort)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

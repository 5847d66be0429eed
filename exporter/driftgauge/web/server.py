"""The server: an application on some sockets, behind the access rules, until it is told to stop.

Sockets are bound when a `Server` is made, so a port that is taken is known before anything else starts. uvicorn speaks
HTTP; its own logging, signals, TLS, accepting and limits are replaced, because the command line owns logs and signals,
TLS rules have to be exchangeable while it runs, and neither idle nor slow clients may shut others out.
"""

import asyncio
import contextlib
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio.to_thread
import uvicorn
from starlette.types import ASGIApp

from driftgauge.web.accepting import Acceptor
from driftgauge.web.connections import DEADLINES, Connection, Connections, Deadlines
from driftgauge.web.listening import Listener

if TYPE_CHECKING:
    from driftgauge.web.webconfig import WebConfigFile

# Longer than a scrape interval of a minute, so a scraper keeps its connection; so is `Deadlines.exchange`.
_KEEP_ALIVE_SECONDS: Final = 75
_MOST_CONNECTIONS: Final = 1000
_MAX_HEADER_BYTES: Final = 16 * 1024
_SHUTDOWN_SECONDS: Final = 3
# For pages that have to be made: more at a time would only take the processor from scrapes.
_THREADS: Final = 4
# How long this process waits for an answer of its own; a page that is being made holds nothing up for so long.
_ANSWER_SECONDS: Final = 5.0


class Server:
    """An application on the sockets of `listeners`.

    app: is put behind the access rules of `web_config`, if any, but for the paths `unguarded`. on_started: gets the
    URLs once requests are answered. on_stopping: is called when it begins to stop. deadlines: how long clients may
    take. Raises ConfigError when a certificate cannot be used.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        listeners: Sequence[Listener],
        web_config: "WebConfigFile | None" = None,
        unguarded: Collection[str] = frozenset(),
        on_started: Callable[[Sequence[str]], None],
        on_stopping: Callable[[], None] = lambda: None,
        deadlines: Deadlines = DEADLINES,
    ) -> None:
        contexts: Callable[[], ssl.SSLContext | None] = _plain
        stopping = [on_stopping]
        if web_config is not None:
            # Without one the server starts sooner.
            from driftgauge.web.access import Guard  # noqa: PLC0415
            from driftgauge.web.tls import Contexts  # noqa: PLC0415

            contexts = Contexts(web_config.current).now
            app = guard = Guard(app, web_config.current, unguarded=unguarded)
            stopping.append(guard.release)
        self._sockets = [listener.socket for listener in listeners]
        self.urls = tuple(listener.url(tls=contexts() is not None) for listener in listeners)
        self._uvicorn = _Uvicorn(
            _uvicorn_config(app),
            contexts=contexts,
            deadlines=deadlines,
            on_started=lambda: on_started(self.urls),
            on_stopping=stopping,
        )

    def run(self) -> None:
        """Answer requests until `stop`, SIGTERM or SIGINT; open ones get `_SHUTDOWN_SECONDS` to finish."""
        with contextlib.ExitStack() as listening:
            for each in self._sockets:
                listening.enter_context(each)
            self._uvicorn.run(sockets=self._sockets)

    def stop(self) -> None:
        """Make `run` return soon. Callable from any thread or signal handler."""
        self._uvicorn.should_exit = True

    def answers(self, path: str) -> bool:
        """Ask for a page as a client does, on a connection that needs no network; return whether anything came back.

        Callable from any thread but the server's own.
        """
        ours, theirs = socket.socketpair()
        with ours:
            ours.settimeout(_ANSWER_SECONDS)
            if not self._uvicorn.adopt(theirs):
                theirs.close()
                return False
            with contextlib.suppress(OSError):
                ours.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                return ours.recv(8).startswith(b"HTTP/1.")
        return False


def _plain() -> None:
    """Return the TLS context of plain HTTP."""


def _uvicorn_config(app: ASGIApp) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=Connection,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        # What clients do wrong is not worth a line each: anyone could fill the log.
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
    )
    config.load()
    return config


class _Uvicorn(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        *,
        contexts: Callable[[], ssl.SSLContext | None],
        deadlines: Deadlines,
        on_started: Callable[[], None],
        on_stopping: Sequence[Callable[[], None]],
    ) -> None:
        super().__init__(config)
        self._contexts = contexts
        self._deadlines = deadlines
        self._on_started = on_started
        self._on_stopping = on_stopping
        self._loop: asyncio.AbstractEventLoop | None = None
        self._acceptors: list[Acceptor] = []

    def adopt(self, end: socket.socket) -> bool:
        """Serve a connection that was made in this process; return whether the server runs."""
        if self._loop is None or not self._acceptors:
            return False
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(self._acceptors[0].adopt, end)
            return True
        return False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections from the sockets, in place of uvicorn's own way; see `accepting`."""
        self.lifespan = self.config.lifespan_class(self.config)
        self._loop = asyncio.get_running_loop()
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Half of the descriptors, for this process needs some itself.
        connections = Connections(min(_MOST_CONNECTIONS, descriptors // 2))
        make = partial(
            Connection,
            config=self.config,
            server_state=self.server_state,
            app_state={},
            register=connections,
            deadlines=self._deadlines,
        )
        self._acceptors = [
            Acceptor(each, make, connections=connections, contexts=self._contexts, head=self._deadlines.head)
            for each in sockets or []
        ]
        # With what uvicorn uses of asyncio's servers.
        self.servers = self._acceptors  # type: ignore[assignment]
        self.started = True
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let those go that wait, then end as uvicorn does."""
        for say in self._on_stopping:
            say()
        await super().shutdown(sockets)

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

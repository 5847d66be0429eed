"""A small HTTP proxy in front of a real tracking server that spoils chosen answers in the ways networks do."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Event, Thread
from typing import Final
from urllib.parse import urlsplit

_TRICKLE_SECONDS: Final = 0.1
_LOGIN_PAGE: Final = b"<html><body>Please log in, csrf=geheim</body></html>"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer of the tracking server on its way to the client, in the hands of a fault.

    over: set when the fault ends, so that nothing hangs longer than its test.
    """

    handler: BaseHTTPRequestHandler
    body: bytes
    over: Event

    def head(self, *headers: tuple[str, str], status: int = 200) -> None:
        """Send the status line and these headers; one connection serves one exchange."""
        self.handler.send_response(status)
        self.handler.send_header("Connection", "close")
        for name, value in headers:
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def write(self, data: bytes) -> None:
        """Send bytes of the body now."""
        self.handler.wfile.write(data)

    @property
    def half(self) -> bytes:
        """The first half of the true body."""
        return self.body[: len(self.body) // 2]

    def declare(self) -> None:
        """Promise the whole body."""
        self.head(("Content-Length", str(len(self.body))))


Fault = Callable[[Exchange], None]


def status(code: int, *headers: tuple[str, str], body: bytes = b"no, and geheim is no reason") -> Fault:
    """Return the fault that answers with an HTTP status and not what was asked for."""

    def fault(exchange: Exchange) -> None:
        exchange.head(*headers, ("Content-Length", str(len(body))), status=code)
        exchange.write(body)

    return fault


login_page: Final = status(200, ("Content-Type", "text/html; charset=utf-8"), body=_LOGIN_PAGE)
empty: Final = status(200, body=b"")
other_json: Final = status(200, ("Content-Type", "application/json"), body=b"[]")


def untouched(exchange: Exchange) -> None:
    """Deliver the true answer."""
    exchange.declare()
    exchange.write(exchange.body)


def silent(exchange: Exchange) -> None:
    """Take the question and never answer."""
    exchange.over.wait()


def trickling_head(exchange: Exchange) -> None:
    """Answer with headers that never end, byte by byte."""
    exchange.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not exchange.over.wait(_TRICKLE_SECONDS):
        exchange.write(b"x")


def trickling_body(exchange: Exchange) -> None:
    """Answer with the promise of the body and a byte of it now and then."""
    exchange.declare()
    for byte in exchange.body:
        exchange.write(bytes([byte]))
        if exchange.over.wait(_TRICKLE_SECONDS):
            return


def stalled(exchange: Exchange) -> None:
    """Deliver half of the body and then nothing, with the connection open."""
    exchange.declare()
    exchange.write(exchange.half)
    exchange.over.wait()


def short(exchange: Exchange) -> None:
    """Deliver half of what was promised and hang up."""
    exchange.declare()
    exchange.write(exchange.half)


def reset(exchange: Exchange) -> None:
    """Deliver half of what was promised and reset the connection."""
    short(exchange)
    # Wait for the client to have read it: a reset throws away what is on the way.
    time.sleep(_TRICKLE_SECONDS)
    exchange.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.handler.connection.close()


def cut_chunk(exchange: Exchange) -> None:
    """Hang up in the middle of a chunk of a chunked body."""
    exchange.head(("Transfer-Encoding", "chunked"))
    exchange.write(b"%x\r\n" % len(exchange.body) + exchange.half)


def hidden_cut(exchange: Exchange) -> None:
    """Deliver half of the body as if it were all, as proxies do that lost the server behind them."""
    exchange.head(("Transfer-Encoding", "chunked"))
    exchange.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(exchange.half), exchange.half))


def at_first(fault: Fault) -> Fault:
    """Return the fault that spoils one answer and delivers all later ones."""
    answers = count()

    def fault_once(exchange: Exchange) -> None:
        if next(answers) == 0:
            fault(exchange)
        else:
            untouched(exchange)

    return fault_once


class FaultProxy:
    """Passes everything to the server at `upstream`, but for what a fault is set on. `url` is where it listens."""

    def __init__(self, upstream: str) -> None:
        self.asked: list[str] = []
        self._upstream = urlsplit(upstream)
        self._fault: tuple[str, Fault, Event] | None = None
        self._spared = 0
        self._server = self._listening(0)
        self._port = self._server.server_port

    @property
    def url(self) -> str:
        """Where it listens, with credentials that nobody may see again."""
        return f"http://me:geheim@127.0.0.1:{self._port}"

    @contextmanager
    def spoiling(self, place: str, fault: Fault, *, spared: int = 0) -> Iterator[None]:
        """Spoil the answers to requests with `place` in their path, after the first `spared` of them."""
        over = Event()
        self._fault, self._spared = (place, fault, over), spared
        try:
            yield
        finally:
            self._fault = None
            over.set()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Listen no more, so that connections are refused."""
        self.close()
        try:
            yield
        finally:
            self._server = self._listening(self._port)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass on one request and its answer, or spoil that."""
        self.asked.append(handler.path)
        code, headers, body = self._forwarded(handler)
        fault, over = self._fault_on(handler.path)
        # The client may be gone by now.
        with suppress(ConnectionError):
            if fault is not None:
                fault(Exchange(handler, body, over))
            else:
                Exchange(handler, body, over).head(*headers, ("Content-Length", str(len(body))), status=code)
                handler.wfile.write(body)

    def _fault_on(self, path: str) -> tuple[Fault | None, Event]:
        if self._fault is None or self._fault[0] not in path:
            return None, Event()
        self._spared -= 1
        return (None if self._spared >= 0 else self._fault[1]), self._fault[2]

    def _forwarded(self, handler: BaseHTTPRequestHandler) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=20)
        asked = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in handler.headers.items() if name.lower() != "connection"}
        connection.request(handler.command, handler.path, asked, headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        framing = {"content-length", "transfer-encoding", "connection"}
        return response.status, [item for item in response.getheaders() if item[0].lower() not in framing], body

    def _listening(self, port: int) -> ThreadingHTTPServer:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.answer(self)

            do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - the name that http.server looks for

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

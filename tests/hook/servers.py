"""A server that does as each test wants, and keeps what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final


@dataclass
class Target:
    """statuses: of the answers in turn, the last one for ever; None hangs up after the request was read."""

    statuses: list[int | None]
    url: str = ""
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    hang: bool = False


_HANGING_SECONDS: Final = 30


@contextmanager
def target(*statuses: int | None, hang: bool = False) -> Iterator[Target]:
    """Serve on a free port of this machine."""
    found = Target(list(statuses), hang=hang)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            found.asked.append((self.path, dict(self.headers.items()), json.loads(body) if body else None))
            if found.hang:
                found.release.wait(_HANGING_SECONDS)
            status = found.statuses.pop(0) if len(found.statuses) > 1 else found.statuses[0]
            if status is None:
                return
            self.send_response(status)
            if status in {301, 302, 307, 308}:
                self.send_header("Location", "/elsewhere")
            answer = b"so it is" * 10_000
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield found
    finally:
        found.release.set()
        server.shutdown()
        server.server_close()
        thread.join()

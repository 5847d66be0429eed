"""The routes of the exporter: pages in, HTTP out.

A scrape copies bytes that were rendered at the last refresh. At most `MAX_SCRAPES` of them are answered at a time: one
more gets 503 and is told to come back, instead of all of them becoming slow. Endpoints that may wait (status, config,
reload) are plain functions, which Starlette runs on threads; those that cannot are coroutines and need no thread, so
they are answered even when every thread is taken.
"""

from collections.abc import AsyncIterator
from typing import Final, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftgauge.web.negotiation import OPENMETRICS, TEXT, accepts_gzip, prefers_openmetrics
from driftgauge.web.status import Status, age, figure, utc

MAX_SCRAPES: Final = 40
# Most compressed pages are one slice: several, each sent on its own, can wait 40 ms for a delayed acknowledgement.
_SLICE_BYTES: Final = 1 << 20
_SECURITY_HEADERS: Final = {
    # The landing page is text and one inline stylesheet; nothing else may be loaded, framed or submitted.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Exporter(Protocol):
    """What the routes need from the running service. Every method may be called from any thread."""

    def metrics(self, *, openmetrics: bool, gzip: bool) -> bytes:
        """Return the exposition in the wanted format, gzip-compressed if wanted."""

    @property
    def ready(self) -> bool:
        """Whether the first refresh is done."""

    def config_text(self) -> str:
        """Return the configuration in use as YAML, secrets redacted."""

    def reload(self) -> str | None:
        """Read the configuration again. Return None, or why the old one stays in use."""

    def status(self) -> Status:
        """Return what the landing page shows."""


def create_app(exporter: Exporter, *, version: str, max_scrapes: int = MAX_SCRAPES) -> Starlette:
    """Return the ASGI application that answers for `exporter`."""
    landing = _environment(version).get_template("landing.html.j2")

    def index(_: Request) -> Response:
        return HTMLResponse(landing.render(status=exporter.status()))

    async def metrics(request: Request) -> Response:
        openmetrics = prefers_openmetrics(request.headers.get("accept", ""))
        gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
        headers = {"Content-Type": OPENMETRICS if openmetrics else TEXT, "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        body = exporter.metrics(openmetrics=openmetrics, gzip=gzip)
        return StreamingResponse(_slices(body), headers=headers | {"Content-Length": str(len(body))})

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("driftgauge is healthy.\n")

    async def ready(_: Request) -> Response:
        if exporter.ready:
            return PlainTextResponse("driftgauge is ready.\n")
        return PlainTextResponse("driftgauge is not ready: the first refresh is under way.\n", status_code=503)

    def reload(_: Request) -> Response:
        mistake = exporter.reload()
        if mistake is None:
            return PlainTextResponse("The configuration was reloaded.\n")
        return PlainTextResponse(f"The old configuration stays in use: {mistake}\n", status_code=500)

    def config(_: Request) -> Response:
        return Response(exporter.config_text(), media_type="text/yaml")

    routes = [
        Route("/", index),
        Route("/metrics", metrics, middleware=[Middleware(_Bound, limit=max_scrapes)]),
        Route("/-/healthy", healthy),
        Route("/-/ready", ready),
        Route("/-/reload", reload, methods=["POST"]),
        Route("/config", config),
    ]
    return Starlette(routes=routes, middleware=[Middleware(_SecurityHeaders)])


def _environment(version: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("driftgauge.web", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = version
    environment.filters |= {"age": age, "figure": figure, "utc": utc}
    return environment


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    """Yield the body piece by piece: a scrape then lasts as long as its client reads, and counts as one until then."""
    for start in range(0, len(body), _SLICE_BYTES):
        yield body[start : start + _SLICE_BYTES]


class _SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, send_secured)


class _Bound:
    """Answers at most `limit` requests at a time. The event loop is one thread, so the count needs no lock."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._free = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._free <= 0:
            busy = PlainTextResponse("Too many scrapes at a time.\n", status_code=503, headers={"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        self._free -= 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._free += 1

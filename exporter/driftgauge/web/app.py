"""The routes of the exporter: pages in, HTTP out.

In the first second there is no exporter yet: `/-/healthy` is answered, and everything else gets 503. A scrape copies
bytes that were rendered at the last refresh. At most `max_scrapes` of them are answered at a time: for one more, a
client that takes long to read its page is cut off; where there is none it gets 503 with Retry-After. What may wait
(status, config, reload) runs on threads; what cannot needs none, so it is answered even when every thread is taken.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftgauge.web.answer import MEDIA_TYPES, Answer
from driftgauge.web.connections import Connection, connection_of
from driftgauge.web.filtering import wanted
from driftgauge.web.negotiation import accepts_gzip, exposition
from driftgauge.web.site import Site
from driftgauge.web.status import Status, age, figure, utc

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_SCRAPES: Final = 40
SITE: Final = Site()
# Most compressed pages are one slice: several, each sent on its own, can wait 40 ms for a delayed acknowledgement.
_SLICE_BYTES: Final = 1 << 20
_DOCS: Final = "https://github.com/driftgauge/driftgauge/tree/main/exporter/docs"
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

    def metrics(self, *, openmetrics: bool, gzip: bool, names: frozenset[str] | None) -> tuple[int, Iterable[bytes]]:
        """Return the length of the exposition in the wanted format, gzip-compressed if wanted, and its pieces.

        names: of the families that are wanted; None for all.
        """

    @property
    def ready(self) -> bool:
        """Whether the first refresh is done."""

    def config_text(self) -> str:
        """Return the configuration in use as YAML, secrets redacted."""

    def reload(self) -> str | None:
        """Read the configuration again. Return None, or why the old one stays in use."""

    def status(self) -> Status:
        """Return what the landing page shows."""

    def report(self, model: str, *, version: str | None, window: str | None, form: str, home: str) -> Answer:
        """Return the report on a model, or why there is none; form: a key of `MEDIA_TYPES`. home: the landing page."""


def create_app(
    current: Callable[[], Exporter | None],
    *,
    version: str,
    site: Site = SITE,
    max_scrapes: int = MAX_SCRAPES,
    patience: float = 1.0,
) -> Starlette:
    """Return the ASGI application that answers for the exporter that `current` returns, None while it starts.

    site: where pages are. max_scrapes: at a time, 0 for any number. patience: for how long (s) a client may read a
    page, which takes milliseconds, before it makes room for another.
    """

    async def metrics(request: Request) -> Response:
        openmetrics, content_type = exposition(request.headers.get("accept", ""))
        gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        names = wanted(request.query_params)
        length, pieces = _started(current).metrics(openmetrics=openmetrics, gzip=gzip, names=names)
        return StreamingResponse(_slices(pieces), headers=headers | {"Content-Length": str(length)})

    bound = Middleware(_Bound, limit=max_scrapes, patience=patience)
    routes = [
        Route(site.path(site.telemetry), metrics, middleware=[bound]),
        Route(site.path("/-/reload"), _reload(current), methods=["POST"]),
        *_pages(current, site, version),
        *_probes(current, site),
        *_redirects(site),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(_SecurityHeaders)])
    # It would lead to whatever host the client has named.
    app.router.redirect_slashes = False
    return app


def _pages(current: Callable[[], Exporter | None], site: Site, version: str) -> list[Route]:
    def index(_: Request) -> Response:
        exporter = _started(current)
        return HTMLResponse(
            _environment(version).get_template("landing.html.j2").render(status=exporter.status(), site=site)
        )

    def config(_: Request) -> Response:
        return Response(_started(current).config_text(), media_type="text/yaml")

    def report(request: Request) -> Response:
        asked = request.query_params
        form = asked.get("format", "html")
        if form not in MEDIA_TYPES:
            return _answered(Answer.text(400, f"There is no format of that name; there are {', '.join(MEDIA_TYPES)}."))
        name, version, window = request.path_params["name"], asked.get("version"), asked.get("window")
        return _answered(_started(current).report(name, version=version, window=window, form=form, home=site.link("/")))

    # A name may have slashes.
    found = Route(site.path("/models/{name:path}"), report)
    return [Route(site.path("/"), index), Route(site.path("/config"), config), found]


def _answered(answer: Answer) -> Response:
    # Programs know the former; because of the latter, which the HTML standard defines, browsers load the page again.
    again = () if answer.retry_after is None else ("Retry-After", "Refresh")
    headers = dict.fromkeys(again, str(answer.retry_after))
    return Response(b"".join(answer.pieces), answer.status, headers, media_type=answer.media_type)


def _reload(current: Callable[[], Exporter | None]) -> Callable[[Request], Awaitable[Response]]:
    together = _Together(lambda: _started(current).reload())

    async def reload(_: Request) -> Response:
        mistake = await together()
        if mistake is None:
            return PlainTextResponse("The configuration was reloaded.\n")
        return PlainTextResponse(f"The old configuration stays in use: {mistake}\n", status_code=500)

    return reload


def _probes(current: Callable[[], Exporter | None], site: Site) -> list[Route]:
    async def healthy(_: Request) -> Response:
        return PlainTextResponse("driftgauge is healthy.\n")

    async def ready(_: Request) -> Response:
        if _started(current).ready:
            return PlainTextResponse("driftgauge is ready.\n")
        return PlainTextResponse("driftgauge is not ready: the first refresh is under way.\n", status_code=503)

    return [Route(site.path("/-/healthy"), healthy), Route(site.path("/-/ready"), ready)]


def _redirects(site: Site) -> list[Route]:
    """Return the paths from which people are led to the landing page: where others than these have it."""
    # Where a proxy adds the prefix, the page that people know is this one: it would lead to itself.
    target = site.link("/") if site.outside else site.path("/")

    async def redirect(_: Request) -> Response:
        return RedirectResponse(target, status_code=302)

    return [Route(path, redirect) for path in ("/", site.prefix) if site.prefix]


def _started(current: Callable[[], Exporter | None]) -> Exporter:
    exporter = current()
    if exporter is None:
        raise HTTPException(503, "driftgauge is starting.\n", headers={"Retry-After": "1"})
    return exporter


@cache
def _environment(version: str) -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - a person can wait for it

    environment = Environment(
        loader=PackageLoader("driftgauge.web", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"version": version, "docs": _DOCS}
    environment.filters |= {"age": age, "figure": figure, "utc": utc}
    return environment


async def _slices(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the body slice by slice: a scrape then lasts as long as its client reads, and counts as one until then."""
    gathered: list[bytes] = []
    for piece in pieces:
        gathered.append(piece)
        if sum(map(len, gathered)) >= _SLICE_BYTES:
            yield b"".join(gathered)
            gathered.clear()
    yield b"".join(gathered)


class _Together:
    """Calls what may take a while on a thread: for all who ask while it is under way, once more after it."""

    def __init__(self, call: Callable[[], str | None]) -> None:
        self._call = call
        self._running: asyncio.Task[str | None] | None = None
        self._next: asyncio.Task[str | None] | None = None

    async def __call__(self) -> str | None:
        """Return what a call says that began after this one."""
        if self._next is None:
            self._next = asyncio.create_task(self._run(after=self._running))
        # Not cancelled with one of those who wait.
        return await asyncio.shield(self._next)

    async def _run(self, after: "asyncio.Task[str | None] | None") -> str | None:
        if after is not None:
            await asyncio.wait({after})
        self._running, self._next = self._next, None
        return await run_in_threadpool(self._call)


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
    """Answers at most `limit` requests at a time, any number with 0. One event loop uses it, so it needs no lock.

    A request counts until its client has read the answer. One that reads for longer than `patience` s makes room for
    the next: first the oldest one of the address that has most.
    """

    def __init__(self, app: ASGIApp, limit: int, patience: float) -> None:
        self._app = app
        self._limit = limit
        self._patience = patience
        self._since: dict[object, tuple[float, Connection | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._limit and len(self._since) >= self._limit and not self._made_room():
            busy = PlainTextResponse("Too many scrapes at a time.\n", status_code=503, headers={"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        mine, connection = object(), connection_of(scope)
        self._since[mine] = (time.monotonic(), connection)
        try:
            await self._app(scope, receive, send)
            if connection is not None:
                await connection.drained()
        finally:
            self._since.pop(mine, None)

    def _made_room(self) -> bool:
        long_ago = time.monotonic() - self._patience
        slow = {each: at for each, (began, at) in self._since.items() if began < long_ago and at is not None}
        counts = Counter(at.address for at in slow.values())
        chosen = max(slow, key=lambda each: counts[slow[each].address], default=None)
        if chosen is None:
            return False
        slow[chosen].abort()
        del self._since[chosen]
        return True

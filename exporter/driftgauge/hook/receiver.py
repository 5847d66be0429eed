"""The routes of the hook: notifications in, and what Prometheus and probes ask for.

A notification is answered once it is in the journal: Alertmanager sends again what was not answered.
"""

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from driftgauge.errors import ConfigError, StateError
from driftgauge.hook.incoming import MAX_BYTES, BodyRefused
from driftgauge.hook.secret import read_secret
from driftgauge.web.negotiation import exposition

_log = structlog.get_logger("driftgauge.hook")

ALERTS_PATH: Final = "/alerts"
_TOO_LARGE: Final = f"the body is larger than {MAX_BYTES} bytes; set max_alerts in webhook_configs"


class Page(Protocol):
    """Makes the page of metrics."""

    def __call__(self, *, openmetrics: bool) -> bytes:
        """Return it as OpenMetrics, or as text."""


def create_app(
    *,
    receive: Callable[[bytes], dict[str, int]],
    refused: Callable[[str], None],
    metrics: Page,
    ready: Callable[[], bool],
    token_file: Path | None,
) -> Starlette:
    """Return the ASGI application.

    receive: takes the body of a notification and returns what became of its alerts; raises BodyRefused and StateError.
    refused: counts one that was refused, by reason. metrics: the page, as OpenMetrics or as text. ready: whether work
    is done. token_file: has the bearer token that senders must show, read again each time.
    """

    async def page(request: Request) -> Response:
        openmetrics, content_type = exposition(request.headers.get("accept", ""))
        return Response(
            await run_in_threadpool(metrics, openmetrics=openmetrics), headers={"Content-Type": content_type}
        )

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("Healthy\n")

    async def is_ready(_: Request) -> Response:
        return PlainTextResponse("Ready\n") if ready() else PlainTextResponse("Not ready\n", status_code=503)

    return Starlette(
        routes=[
            Route(ALERTS_PATH, _alerts(receive, refused, token_file), methods=["POST"]),
            Route("/metrics", page),
            Route("/-/healthy", healthy),
            Route("/-/ready", is_ready),
        ]
    )


def _alerts(
    receive: Callable[[bytes], dict[str, int]], refused: Callable[[str], None], token_file: Path | None
) -> Callable[[Request], Awaitable[Response]]:
    async def alerts(request: Request) -> Response:
        if token_file is not None and not await run_in_threadpool(_is_known, request, token_file):
            await run_in_threadpool(refused, "no_token")
            return PlainTextResponse("Unauthorized\n", status_code=401, headers={"WWW-Authenticate": "Bearer"})
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            await run_in_threadpool(refused, "too_large")
            # The rest of it is not read.
            return PlainTextResponse(f"{_TOO_LARGE}\n", status_code=413, headers={"Connection": "close"})
        return await run_in_threadpool(_answer, body, receive, refused)

    return alerts


def _answer(body: bytes, receive: Callable[[bytes], dict[str, int]], refused: Callable[[str], None]) -> Response:
    try:
        return JSONResponse(receive(body))
    except BodyRefused as error:
        refused("no_notification")
        return PlainTextResponse(f"{error}\n", status_code=400)
    except StateError as error:
        # Alertmanager sends it again.
        _log.error("a notification could not be kept", error=str(error), remedy="is the disk full?")
        return PlainTextResponse("the journal cannot be written\n", status_code=503)


async def _body(request: Request) -> bytes | None:
    """Return the body, None if it is too large; no more than what is allowed is kept in memory."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)


def _is_known(request: Request, token_file: Path) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        token = read_secret(token_file)
    except ConfigError as error:
        _log.error("nobody is let in", error=str(error))
        return False
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())

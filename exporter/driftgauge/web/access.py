"""Who may read the pages: basic authentication, and the headers the web configuration adds.

It stands in front of the whole application, `/-/healthy` included, as exporter-toolkit does it. A bcrypt check takes
about 100 ms by design, so what was accepted is remembered as a digest of the credentials: the second scrape costs
microseconds, and no password stays in memory. Unknown users are checked against a real user's hash, so that the
time of a refusal does not show which users exist.
"""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import Final

import bcrypt
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftgauge.web.webconfig import WebConfig

# bcrypt reads no further than this; the library refuses longer ones instead of cutting them as Go does.
_BCRYPT_BYTES: Final = 72


class Credentials:
    """Checks name and password against bcrypt hashes and remembers what it accepted."""

    def __init__(self) -> None:
        self._accepted: set[bytes] = set()
        self._one_at_a_time = asyncio.Lock()

    async def accept(self, name: str, password: bytes, *, users: Mapping[str, str]) -> bool:
        """Return whether `users` (name -> bcrypt hash, at least one) has this name with this password."""
        known = users.get(name)
        hashed = (known or next(iter(users.values()))).encode()
        significant = password[:_BCRYPT_BYTES]
        digest = _digest(name.encode(), hashed, significant)
        if known is not None and digest in self._accepted:
            return True
        # One thread at a time: a flood of wrong passwords must not take every core from the refresh.
        async with self._one_at_a_time:
            matches = await run_in_threadpool(bcrypt.checkpw, significant, hashed)
        if not matches or known is None:
            return False
        self._accepted.add(digest)
        return True


class Guard:
    """An ASGI application that lets requests through to another one as the current web configuration says."""

    def __init__(self, app: ASGIApp, current: Callable[[], WebConfig]) -> None:
        self._app = app
        self._current = current
        self._credentials = Credentials()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 without valid credentials, else pass the request on."""
        config = self._current()
        headers = {str(name): value for name, value in config.http_server_config.headers.items()}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        app = self._app if await self._admits(scope, config.basic_auth_users) else _unauthorized()
        await app(scope, receive, send_with_headers)

    async def _admits(self, scope: Scope, users: Mapping[str, str]) -> bool:
        if not users:
            return True
        given = _basic(Headers(scope=scope).get("authorization", ""))
        return given is not None and await self._credentials.accept(given[0], given[1], users=users)


def _unauthorized() -> ASGIApp:
    challenge = {"WWW-Authenticate": 'Basic realm="driftgauge", charset="UTF-8"'}
    return PlainTextResponse("Unauthorized\n", status_code=401, headers=challenge)


def _basic(header: str) -> tuple[str, bytes] | None:
    """Return name and password of an Authorization header (RFC 7617), or None when it holds none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _digest(*parts: bytes) -> bytes:
    """Return one SHA-256 over several texts, each digested first so that no two lists run together alike."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()

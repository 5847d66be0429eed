"""Who may read the pages: basic authentication, and the headers the web configuration adds.

A bcrypt check takes a quarter of a second by design, so what was accepted is remembered as a digest of the credentials:
the second scrape costs microseconds, passes whatever else goes on, and no password stays in memory. Wrong credentials
are remembered in the same way, so a scraper with an old password costs one check, too.

Failures are throttled: one too many is answered late, with 429. What the answer is and when it comes does not depend on
whether there is a user of that name: a name that nobody has is checked against a real hash, at the highest cost that
any user's has.
"""

import asyncio
import base64
import binascii
import hashlib
import math
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final, NamedTuple

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftgauge.web.checks import Asked, Checks, LeftOut, cost_of, matches
from driftgauge.web.connections import connection_of
from driftgauge.web.throttling import Throttle
from driftgauge.web.webconfig import WebConfig

_log = structlog.get_logger("driftgauge.web")

# bcrypt reads no further than this; the library refuses longer ones instead of cutting them as Go does.
_BCRYPT_BYTES: Final = 72
_MOST_NOTED: Final = 10_000
# What a check takes at the cost that is usual.
_USUAL_SECONDS: Final = 0.25
# Answers held back at a time; beyond it they are given at once, the oldest first.
_MOST_HELD: Final = 1000
_QUIET_SECONDS: Final = 60.0
# Addresses that are told apart in the log.
_MOST_NAMED: Final = 1000


class TooManyFailures(Exception):
    """The credentials were not accepted, after more failures than an address, or all together, have free."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many failed logins; try again in {math.ceil(seconds)} s")
        self.seconds = seconds


class Credentials:
    """Checks names and passwords against bcrypt hashes, and remembers what they were. Belongs to one event loop."""

    def __init__(self, throttle: Throttle | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._throttle = Throttle() if throttle is None else throttle
        self._clock = clock
        self._checks = Checks()
        # A digest of this process alone is of no use to anyone who reads its memory later.
        self._key = secrets.token_bytes(32)
        self._users: Mapping[str, str] = {}
        self._accepted: dict[str, bytes] = {}
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        # What was asked and never checked: who comes again with it may be a scraper, and is no one who guesses.
        self._unchecked: OrderedDict[bytes, None] = OrderedDict()
        self._held: OrderedDict[asyncio.Task[bool], None] = OrderedDict()

    async def accept(
        self,
        name: str,
        password: bytes,
        *,
        users: Mapping[str, str],
        client: str = "",
        waits: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Return whether `users` (name -> bcrypt hash, at least one) has this name with this password.

        client: the address that asks; waits: whether it still does. Raises TooManyFailures in place of False where too
        many have failed; that is when the answer is due, and not before.
        """
        if users != self._users:
            self._users, self._accepted = dict(users), {}
            self._wrong, self._unchecked = OrderedDict(), OrderedDict()
        attempt = _Attempt(name, password[:_BCRYPT_BYTES], self._digest(name.encode(), password[:_BCRYPT_BYTES]))
        if self._accepted.get(name) == attempt.digest:
            return True
        # On a machine that is busy, or with hashes that take long, they are slower to be forgiven.
        weight = max(1.0, self._checks.seconds / _USUAL_SECONDS)
        hold = self._throttle.fail(client, self._clock(), weight=weight)
        blamed = partial(self._blames, client)
        asked = Asked(again=attempt.digest in self._unchecked, blamed=blamed, waits=waits)
        try:
            right = await (self._held_back(attempt, hold, asked) if hold else self._check(attempt, asked))
        except LeftOut:
            right = False
        if right:
            self._throttle.succeed(client, weight=weight)
        elif hold:
            raise TooManyFailures(hold)
        return right

    def _blames(self, client: str) -> bool:
        return self._throttle.blames(client, self._clock())

    def release(self) -> None:
        """Refuse all whose answers are held back now."""
        for task in self._held:
            task.cancel()

    async def _held_back(self, attempt: "_Attempt", hold: float, asked: Asked) -> bool:
        """Return True when the attempt turns out right within `hold` s, False after that time."""

        async def until_right() -> bool:
            # A name that nobody has needs no check: that is not seen from the time.
            right = attempt.name in self._users and await self._check(attempt, asked)
            return right or await asyncio.sleep(hold, result=False)

        task = asyncio.create_task(until_right())
        self._held[task] = None
        if len(self._held) > _MOST_HELD:
            next(iter(self._held)).cancel()
        try:
            done, _ = await asyncio.wait({task}, timeout=hold)
        finally:
            task.cancel()
            self._held.pop(task, None)
        return bool(done) and not task.cancelled() and task.result()

    async def _check(self, attempt: "_Attempt", asked: Asked) -> bool:
        """Return whether it is right, from what is remembered or by bcrypt; remember it."""
        users, accepted, wrong, unchecked = self._users, self._accepted, self._wrong, self._unchecked
        hardest = max(users.values(), key=cost_of)
        hashed = users.get(attempt.name)

        def check() -> bool:
            # Many clients with the same wrong password have waited together.
            if attempt.digest in wrong:
                return False
            right = matches(attempt.password, hashed or hardest, cost=cost_of(hardest))
            return right and hashed is not None

        if attempt.digest in wrong:
            return False
        _note(unchecked, attempt.digest)
        right = await self._checks.run(check, asked)
        unchecked.pop(attempt.digest, None)
        if right:
            accepted[attempt.name] = attempt.digest
        else:
            _note(wrong, attempt.digest)
        return right

    def _digest(self, *parts: bytes) -> bytes:
        """Return one digest of several texts, each digested first so that no two lists run together alike."""
        inner = b"".join(hashlib.sha256(part).digest() for part in parts)
        return hashlib.blake2b(inner, key=self._key, digest_size=32).digest()


def _note(digests: OrderedDict[bytes, None], digest: bytes) -> None:
    """Remember a digest; only the last ones are."""
    digests[digest] = None
    while len(digests) > _MOST_NOTED:
        digests.popitem(last=False)


class _Attempt(NamedTuple):
    name: str
    password: bytes
    digest: bytes


class Guard:
    """An ASGI application that lets requests through to another one as the current web configuration says.

    unguarded: paths that need no credentials.
    """

    def __init__(
        self, app: ASGIApp, current: Callable[[], WebConfig], *, unguarded: Collection[str] = frozenset()
    ) -> None:
        self._app = app
        self._current = current
        self._unguarded = unguarded
        self._credentials = Credentials()
        self._failed: Counter[str] = Counter()
        self._said = -_QUIET_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 429 without valid credentials, else pass the request on."""
        config = self._current()
        headers = {str(name): value for name, value in config.http_server_config.headers.items()}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        refusal = None
        if config.basic_auth_users and scope["path"] not in self._unguarded:
            refusal = await self._refusal(scope, config.basic_auth_users)
        if (connection := connection_of(scope)) is not None:
            connection.refused = refusal is not None
        await (refusal or self._app)(scope, receive, send_with_headers)

    def release(self) -> None:
        """Answer all requests that are held back now."""
        self._credentials.release()

    async def _refusal(self, scope: Scope, users: Mapping[str, str]) -> ASGIApp | None:
        """Return what answers a request that is not admitted, None for one that is."""
        given = _basic(Headers(scope=scope).get("authorization", ""))
        if given is None:
            return _unauthorized()
        connection = connection_of(scope)
        client, waits = ("", _always) if connection is None else (connection.address, connection.waits)
        try:
            if await self._credentials.accept(*given, users=users, client=client, waits=waits):
                return None
        except TooManyFailures as error:
            self._say(client)
            again = {"Retry-After": str(math.ceil(error.seconds))}
            return PlainTextResponse(f"{error}\n".capitalize(), status_code=429, headers=again)
        self._say(client)
        return _unauthorized()

    def _say(self, client: str) -> None:
        """Log failed logins, once a minute at most. Names are not logged: people type passwords there."""
        self._failed[client if len(self._failed) < _MOST_NAMED or client in self._failed else "others"] += 1
        now = time.monotonic()
        if now - self._said >= _QUIET_SECONDS:
            (most, _), *_ = self._failed.most_common(1)
            _log.warning(
                "wrong user or password",
                failures=self._failed.total(),
                addresses=len(self._failed),
                most_from=most or "unknown",
                remedy="compare the credentials of that client with basic_auth_users",
            )
            self._failed.clear()
            self._said = now


def _always() -> bool:
    return True


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

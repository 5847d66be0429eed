"""Basic authentication and configured headers, with real bcrypt."""

import asyncio
import base64
from collections.abc import Mapping

import bcrypt
import pytest

from driftgauge.web.access import Credentials, Guard
from driftgauge.web.app import create_app
from driftgauge.web.webconfig import WebConfig

from .servers import Stub, fetch, running

USERS = {
    "alice": bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode(),
    "zoë": bcrypt.hashpw("pässwörd".encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$"),
    "long": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode(),
}
ATTEMPTS = [
    ("right", "alice", b"open sesame", True),
    ("right, beyond ASCII, hashed by htpasswd", "zoë", "pässwörd".encode(), True),
    ("longer than bcrypt reads", "long", b"x" * 100, True),
    ("wrong", "alice", b"open barley", False),
    ("empty", "alice", b"", False),
    ("with a NUL byte", "alice", b"open\0sesame", False),
    ("another one's", "zoë", b"open sesame", False),
    ("a stranger with the first user's", "mallory", b"open sesame", False),
]
HEADERS = [
    ("none", {}),
    ("another scheme", {"Authorization": "Bearer abc"}),
    ("not base64", {"Authorization": "Basic ???"}),
    ("no colon", {"Authorization": "Basic " + base64.b64encode(b"alice").decode()}),
    ("a name that is not UTF-8", {"Authorization": "Basic " + base64.b64encode(b"\xff:x").decode()}),
    ("nothing after the scheme", {"Authorization": "Basic"}),
]
GUARDED = ("/", "/metrics", "/config", "/-/healthy", "/-/ready", "/nowhere")


def basic(name: str, password: str) -> Mapping[str, str]:
    """Return the header a client sends for these credentials."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the passwords that bcrypt is asked about, as it is asked."""
    asked: list[bytes] = []
    real = bcrypt.checkpw

    def watched(password: bytes, hashed: bytes) -> bool:
        asked.append(password)
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", watched)
    return asked


@pytest.mark.parametrize(
    ("name", "password", "expected"), [row[1:] for row in ATTEMPTS], ids=[row[0] for row in ATTEMPTS]
)
def test_accept(name: str, password: bytes, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """Exactly the holders of a password get in, the second time as the first."""

    async def twice() -> list[bool]:
        credentials = Credentials()
        return [await credentials.accept(name, password, users=USERS) for _ in range(2)]

    assert asyncio.run(twice()) == [expected, expected]


def test_an_accepted_password_is_checked_once(checks: list[bytes]) -> None:
    """The costly check happens at the first request only; a new hash makes it happen again."""
    changed = {"alice": bcrypt.hashpw(b"new", bcrypt.gensalt(4)).decode()}

    async def scrapes() -> list[bool]:
        credentials = Credentials()
        accepted = [await credentials.accept("alice", b"open sesame", users=USERS) for _ in range(5)]
        return [*accepted, await credentials.accept("alice", b"open sesame", users=changed)]

    assert asyncio.run(scrapes()) == [True] * 5 + [False]
    assert len(checks) == 2


def test_a_renamed_user(checks: list[bytes]) -> None:
    """Whoever was admitted under a name that is gone is not, though another has the same hash."""

    async def renamed() -> list[bool]:
        credentials = Credentials()
        names = (USERS, {"bob": USERS["alice"]})
        return [await credentials.accept("alice", b"open sesame", users=users) for users in names]

    assert asyncio.run(renamed()) == [True, False]
    assert checks == [b"open sesame"] * 2


def test_unknown_users_cost_the_same(checks: list[bytes]) -> None:
    """A stranger's password is checked as well, so that time does not tell who exists."""
    assert asyncio.run(Credentials().accept("mallory", b"guess", users=USERS)) is False
    assert checks == [b"guess"]


def test_everything_is_behind_the_guard() -> None:
    """Without credentials every path answers 401 with a challenge, with them as if there were no guard."""
    app = Guard(create_app(Stub, version="1"), lambda: WebConfig(basic_auth_users=USERS))
    with running(app) as url:
        refused = [fetch(url, path) for path in GUARDED]
        admitted = [fetch(url, path, headers=basic("alice", "open sesame")).status for path in GUARDED]

    assert [reply.status for reply in refused] == [401] * len(GUARDED)
    assert {reply.headers["www-authenticate"] for reply in refused} == {'Basic realm="driftgauge", charset="UTF-8"'}
    assert admitted == [200, 200, 200, 200, 200, 404]


@pytest.mark.parametrize("headers", [row[1] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_malformed_credentials(headers: Mapping[str, str]) -> None:
    """A header that holds no name and password is a 401, never an error."""
    with running(Guard(create_app(Stub, version="1"), lambda: WebConfig(basic_auth_users=USERS))) as url:
        assert fetch(url, "/metrics", headers=headers).status == 401


def test_configured_headers_come_over_the_own_ones() -> None:
    """What the administrator sets is on every response, in place of the default."""
    config = WebConfig.model_validate(
        {"http_server_config": {"headers": {"X-Frame-Options": "deny", "Content-Security-Policy": "sandbox"}}}
    )
    with running(Guard(create_app(Stub, version="1"), lambda: config)) as url:
        headers = fetch(url, "/metrics").headers

    assert (headers["x-frame-options"], headers["content-security-policy"]) == ("deny", "sandbox")


def test_rules_may_change_while_serving() -> None:
    """Each request follows the rules of its time."""
    config = WebConfig()
    with running(Guard(create_app(Stub, version="1"), lambda: config)) as url:
        before = fetch(url, "/metrics").status
        config = WebConfig(basic_auth_users=USERS)
        after = fetch(url, "/metrics").status

    assert (before, after) == (200, 401)

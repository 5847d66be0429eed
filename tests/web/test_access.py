"""Basic authentication and configured headers, with real bcrypt."""

import asyncio
import base64
import threading
import time
from collections.abc import Mapping

import bcrypt
import pytest

from driftgauge.web.access import Credentials, Guard, TooManyFailures
from driftgauge.web.app import create_app
from driftgauge.web.throttling import Rate, Throttle
from driftgauge.web.webconfig import WebConfig

from .servers import Stub, basic, fetch, running

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
GUARDED = ("/", "/metrics", "/config", "/models/churn", "/-/healthy", "/-/ready", "/nowhere")


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
    assert admitted == [200, 200, 200, 200, 200, 200, 404]


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


class Clock:
    """A clock that stands still until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_what_is_beyond_the_pace_is_answered_late(checks: list[bytes]) -> None:
    """After some failures the answer is another one and comes late, whether there is such a user or not."""

    async def story(name: str) -> tuple[list[bool], float]:
        credentials = Credentials(Throttle(each=Rate(2, 0.3)), clock=Clock())
        free = [await credentials.accept(name, b"%d" % n, users=USERS) for n in range(2)]
        began = time.monotonic()
        with pytest.raises(TooManyFailures, match="try again in 1 s"):
            await credentials.accept(name, b"x", users=USERS)
        return free, time.monotonic() - began

    for name in ("alice", "mallory"):
        free, held = asyncio.run(story(name))
        assert free == [False, False]
        assert 0.25 <= held < 5
    assert len(checks) == 5


def test_who_is_right_does_not_wait() -> None:
    """Right credentials are accepted at once, from an address that has failed too often, also the first time."""

    async def story() -> list[bool]:
        credentials = Credentials(Throttle(each=Rate(1, 30)))
        assert not await credentials.accept("alice", b"x", users=USERS, client="a")
        return [await credentials.accept("alice", b"open sesame", users=USERS, client="a") for _ in range(2)]

    began = time.monotonic()
    assert asyncio.run(story()) == [True, True]
    assert time.monotonic() - began < 10


def test_few_answers_are_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of them the oldest is given at once, and when the server stops, all are."""
    monkeypatch.setattr("driftgauge.web.access._MOST_HELD", 2)

    async def story() -> list[str]:
        credentials = Credentials(Throttle(each=Rate(0, 1000), longest=60))
        ended: list[str] = []

        async def guess(name: str) -> None:
            with pytest.raises(TooManyFailures):
                await credentials.accept("mallory", name.encode(), users=USERS)
            ended.append(name)

        tasks = []
        for name in "abc":
            tasks.append(asyncio.create_task(guess(name)))
            await asyncio.sleep(0.05)
        assert ended == ["a"]
        credentials.release()
        await asyncio.gather(*tasks)
        return sorted(ended)

    assert asyncio.run(story()) == ["a", "b", "c"]


def test_a_wrong_password_is_checked_once(checks: list[bytes]) -> None:
    """A scraper that comes again with an old password costs nothing more, until the users change."""

    async def story() -> list[bool]:
        credentials = Credentials(Throttle(each=Rate(100, 1)))
        wrong = [await credentials.accept("alice", b"old", users=USERS) for _ in range(5)]
        changed = {"alice": bcrypt.hashpw(b"old", bcrypt.gensalt(4)).decode()}
        return [*wrong, await credentials.accept("alice", b"old", users=changed)]

    assert asyncio.run(story()) == [False] * 5 + [True]
    assert checks == [b"old"] * 2


def test_unknown_names_are_checked_like_others(checks: list[bytes]) -> None:
    """A name that nobody has costs the dearest check, and so does a wrong password against a cheap hash."""
    users = {name: bcrypt.hashpw(b"x", bcrypt.gensalt(cost)).decode() for name, cost in (("cheap", 4), ("dear", 6))}

    async def story(name: str) -> bool:
        return await Credentials().accept(name, b"y", users=users)

    counts = []
    for name in ("cheap", "dear", "nobody"):
        checks.clear()
        assert not asyncio.run(story(name))
        counts.append(len(checks))
    assert counts == [3, 1, 1]


def test_unguarded_paths() -> None:
    """A probe of the paths that are named needs no credentials; nothing else is open."""
    guard = Guard(create_app(Stub, version="1"), lambda: WebConfig(basic_auth_users=USERS), unguarded={"/-/healthy"})
    with running(guard) as url:
        assert [fetch(url, path).status for path in GUARDED] == [401, 401, 401, 401, 200, 401, 401]
        assert fetch(url, "/-/healthy", headers=basic("alice", "wrong")).status == 200


def test_whoever_has_gone_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their attempt is refused, and not remembered as wrong."""
    let_go, real = threading.Event(), bcrypt.checkpw

    def slow(password: bytes, hashed: bytes) -> bool:
        assert let_go.wait(30)
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", slow)

    async def story() -> list[bool]:
        credentials = Credentials()
        guesses = [
            asyncio.create_task(credentials.accept("alice", b"%d" % n, users=USERS, client="b")) for n in range(2)
        ]
        await asyncio.sleep(0)
        gone = asyncio.create_task(credentials.accept("alice", b"open sesame", users=USERS, waits=lambda: False))
        await asyncio.sleep(0.05)
        let_go.set()
        verdicts = await asyncio.gather(*guesses, gone)
        return [*verdicts, await credentials.accept("alice", b"open sesame", users=USERS)]

    assert asyncio.run(story()) == [False, False, False, True]

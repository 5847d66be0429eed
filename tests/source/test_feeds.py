"""How long a server that does not answer is left alone."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import pytest

from driftgauge.errors import SourceDown, SourceUnavailable
from driftgauge.feed import Cursor
from driftgauge.source import Discovery, Session, Source
from driftgauge.source.feeds import LONGEST_REST

SECOND = 1_000_000


@dataclass
class Server:
    """Stands for a source: it does not answer for a reason while it has one; `asked` are the times at which it was."""

    reason: str = ""
    now: int = 0
    asked: list[float] = field(default_factory=list)

    def check(self) -> None:
        """Answer, or not."""
        self.asked.append(self.now / SECOND)
        if self.reason:
            raise SourceUnavailable(f"http://host: it fails: {self.reason}", reason=self.reason)

    def clock(self) -> float:
        """Return the time in s."""
        return self.now / SECOND

    def runs(self, *_: object, **__: object) -> Discovery:
        """Return that there are none."""
        return Discovery("1", (), {})

    def refresh(self, session: Session, feed: Any) -> SourceDown | None:
        """Look once, and return why that failed."""
        try:
            feed.look(Cursor(), self.now)
        except SourceDown as error:
            return error
        assert session.up
        return None


def session_at(server: Server, *, rest: float = 30.0) -> tuple[Session, Any]:
    """Return a session over the server, and a feed."""
    session = Session(cast("Source", server), rest=rest, random=Random(1))  # noqa: S311 - guards nothing
    return session, session.feed([("predictions", "churn", "*")])


def test_questions_become_rare() -> None:
    """A server that is away is asked again after the interval, then twice as late each time, up to a minute."""
    server = Server("unreachable")
    session, feed = session_at(server, rest=1.0)
    for second in range(400):
        server.now = second * SECOND
        failure = server.refresh(session, feed)
        assert failure is not None
        assert failure.reason == "unreachable"
        assert "http://host: it fails" in str(failure)

    pauses = [later - sooner for sooner, later in zip(server.asked, server.asked[1:], strict=False)]
    usual = [min(2.0**n, LONGEST_REST) for n in range(len(pauses))]
    assert pauses[0] == 1
    assert all(0.8 * most <= pause <= most for pause, most in zip(pauses, usual, strict=True))
    assert len(set(pauses[6:])) > 1, "spread"


@pytest.mark.parametrize("reason", ["", "forbidden"])
def test_the_rest_ends(reason: str) -> None:
    """With the first answer all is forgotten; another failure than before begins anew."""
    server = Server("unauthorized")
    session, feed = session_at(server)
    for second in range(0, 240, 30):
        server.now = second * SECOND
        server.refresh(session, feed)
    server.reason = reason
    server.now += 60 * SECOND
    assert (server.refresh(session, feed) is None) == (not reason)
    asked = len(server.asked)
    server.reason = server.reason or "unauthorized"
    for _ in range(2):
        server.now += 30 * SECOND
        server.refresh(session, feed)
    assert len(server.asked) == asked + 2 - bool(reason)


def test_a_clock_that_goes_back_ends_the_rest() -> None:
    """A rest that began in what is the future now is over."""
    server = Server("timed_out", now=3600 * SECOND)
    session, feed = session_at(server)
    server.refresh(session, feed)
    server.now = 0
    server.refresh(session, feed)
    assert server.asked == [3600, 0]

"""The routes: what is let in, and how much of it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from driftgauge.errors import StateError
from driftgauge.hook.incoming import MAX_BYTES, parse
from driftgauge.hook.receiver import create_app
from web.servers import running

from .samples import alert, notification


class Journal:
    """Takes everything, unless the disk is full."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refused: list[str] = []
        self.full = False

    def receive(self, body: bytes) -> dict[str, int]:
        """Keep the alerts."""
        alerts = parse(body)
        if self.full:
            raise StateError("no space left on device")
        self.taken += [each.fingerprint for each in alerts]
        return {"triggered": len(alerts)}

    @contextmanager
    def serving(self, token_file: Path | None = None) -> Iterator[str]:
        """Serve the application, and yield its URL."""
        app = create_app(
            receive=self.receive,
            refused=self.refused.append,
            metrics=lambda *, openmetrics: b"# EOF\n" if openmetrics else b"\n",
            ready=lambda: not self.full,
            token_file=token_file,
        )
        with running(app) as url:
            yield url


def post(url: str, body: bytes | Iterator[bytes], **headers: str) -> requests.Response:
    """Post a notification."""
    return requests.post(f"{url}/alerts", data=body, headers=headers, timeout=10)


@pytest.fixture
def journal() -> Journal:
    """Return what keeps alerts."""
    return Journal()


def test_a_notification(journal: Journal) -> None:
    """It is answered with what became of it."""
    with journal.serving() as url:
        answer = post(url, notification(alert("a1"), alert("b2")))

    assert (answer.status_code, answer.json(), journal.taken) == (200, {"triggered": 2}, ["a1", "b2"])


def test_a_full_disk_has_it_sent_again(journal: Journal) -> None:
    """Alertmanager repeats what was answered with 5xx."""
    journal.full = True

    with journal.serving() as url:
        assert post(url, notification(alert())).status_code == 503


def test_a_hundred_megabytes_are_not_kept(journal: Journal) -> None:
    """Where no length is given as well: it is refused, or nobody listens any more, and the next one is taken."""
    with journal.serving() as url:
        with suppress(requests.ConnectionError):
            assert post(url, (b"[" * (1 << 16) for _ in range(1600))).status_code == 413
        assert post(url, b" " * (MAX_BYTES + 1)).status_code == 413
        assert post(url, notification(alert())).status_code == 200

    assert journal.refused == ["too_large", "too_large"]


@pytest.mark.parametrize("body", [b"", b"alerts", b'{"alerts": [{"status": "firing"}]}'])
def test_what_is_no_notification(journal: Journal, body: bytes) -> None:
    """It is refused for good, with the reason, and counted."""
    with journal.serving() as url:
        answer = post(url, body)

    assert (answer.status_code, journal.refused) == (400, ["no_notification"])
    assert len(answer.text) > 20


def test_the_token(journal: Journal, tmp_path: Path) -> None:
    """Without it nothing is taken; it may change while the hook runs."""
    token, body = tmp_path / "token", notification(alert())
    with journal.serving(token) as url:

        def status(header: str) -> int:
            return post(url, body, Authorization=header).status_code

        assert status("Bearer abc") == 401
        token.write_text("abc\n")
        assert [status(header) for header in ("Bearer abd", "Basic abc", "bearer abc", "Bearer abc")] == [
            401, 401, 200, 200,
        ]  # fmt: skip
        token.write_text("new\n")
        assert status("Bearer abc") == 401
    assert set(journal.refused) == {"no_token"}


def test_other_pages(journal: Journal) -> None:
    """Probes and metrics need no token."""
    with journal.serving(Path("/nonexistent")) as url:
        paths = ("/-/healthy", "/-/ready", "/metrics", "/alerts", "/x")
        assert [requests.get(url + path, timeout=10).status_code for path in paths] == [200, 200, 200, 405, 404]
        journal.full = True
        assert requests.get(f"{url}/-/ready", timeout=10).status_code == 503

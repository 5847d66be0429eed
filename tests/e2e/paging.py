"""Where notifications arrive: PagerDuty, Slack, a webhook and a mailbox, as servers on loopback that keep all they get.

They speak the real protocols (PagerDuty's Events API v2, Slack's incoming webhooks, SMTP with a password), so that the
rendered configuration of Alertmanager needs other addresses and nothing else.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mlflow_servers import free_port

MAIL_USER: Final = "driftgauge"
MAIL_PASSWORD: Final = "a password from a file"  # noqa: S105 - of a mailbox that lives for a test
PAGERDUTY_PATH: Final = "/v2/enqueue"


@dataclass(frozen=True)
class Notification:
    """What a person gets, and how. to: a routing key, the path of Slack's URL, or a mail address. subject: one line."""

    channel: str
    to: str
    subject: str
    text: str
    at: float

    @property
    def resolved(self) -> bool:
        """Whether it says that something is over."""
        return "RESOLVED" in self.subject


@dataclass
class Inbox:
    """Where to send notifications, and all that came, in order.

    pages: PagerDuty's events as they came. beats: what the webhook got, with its authorization; beaten: and when.
    """

    address: str
    smarthost: str
    notifications: list[Notification] = field(default_factory=list)
    pages: list[dict[str, Any]] = field(default_factory=list)
    beats: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    beaten: list[float] = field(default_factory=list)

    def of(self, subject: str) -> list[Notification]:
        """Return the notifications whose subject has these words in it."""
        return [each for each in self.notifications if subject in each.subject]


@contextlib.contextmanager
def inbox() -> Iterator[Inbox]:
    """Run the receivers until the block is left."""
    web = _Web(("127.0.0.1", 0), _Post)
    mail_port = free_port()
    web.inbox = found = Inbox(f"http://127.0.0.1:{web.server_port}", f"127.0.0.1:{mail_port}")
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    mail = Controller(
        _Mailbox(found),
        hostname="127.0.0.1",
        port=mail_port,
        authenticator=_authenticate,
        auth_required=True,
        auth_require_tls=False,
        auth_exclude_mechanism=["LOGIN"],  # its prompts are not those that Alertmanager waits for
    )
    try:
        mail.start()
        try:
            yield found
        finally:
            mail.stop()
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


class _Web(ThreadingHTTPServer):
    inbox: Inbox


class _Post(BaseHTTPRequestHandler):
    server: _Web

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == PAGERDUTY_PATH:
            self.server.inbox.pages.append(body)
            self.server.inbox.notifications.append(_from_pagerduty(body))
            self._answer(202, b'{"status": "success"}')
        elif self.path.startswith("/slack/"):
            self.server.inbox.notifications.append(_from_slack(self.path, body))
            self._answer(200, b"ok")
        else:
            self.server.inbox.beaten.append(time.monotonic())
            self.server.inbox.beats.append((self.headers.get("Authorization", ""), body))
            self._answer(200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _from_pagerduty(event: dict[str, Any]) -> Notification:
    payload = event["payload"]
    ended = event["event_action"] == "resolve"
    assert ended is ("RESOLVED" in payload["summary"]), event
    links = [f"{link['text']}: {link['href']}" for link in event.get("links", ())]
    # Alertmanager 0.30 and later send more than text where a detail can be read as YAML: whatever it is, it was said.
    details = [value if isinstance(value, str) else json.dumps(value) for value in payload["custom_details"].values()]
    words = [payload["severity"], *details, *links]
    return Notification("pagerduty", event["routing_key"], payload["summary"], "\n".join(words), time.monotonic())


def _from_slack(path: str, message: dict[str, Any]) -> Notification:
    (attachment,) = message["attachments"]
    words = f"{message['channel']}\n{attachment['color']}\n{attachment['text']}\n{attachment['title_link']}"
    return Notification("slack", path, attachment["title"], words, time.monotonic())


@dataclass
class _Mailbox:
    inbox: Inbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        mail = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
        assert isinstance(mail, EmailMessage)
        plain = mail.get_body(("plain",))
        assert plain is not None
        sent = Notification("email", str(mail["To"]), str(mail["Subject"]), plain.get_content(), time.monotonic())
        self.inbox.notifications.append(sent)
        return "250 OK"


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    known = LoginPassword(MAIL_USER.encode(), MAIL_PASSWORD.encode())
    return AuthResult(success=data == known)

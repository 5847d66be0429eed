"""Prints the notifications that Alertmanager sends: where pages go until somebody names a receiver.

Each has to come with the token of its path, from the same secrets that Alertmanager reads.
"""

import hmac
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

PORT: Final = 9095
SECRETS: Final = Path("/run/secrets")
TOKENS: Final = {"/alerts": "ml-platform-webhook-token", "/watchdog": "watchdog-token"}


class Inbox(BaseHTTPRequestHandler):
    """Answers a notification with 200, 401 without its token, 404 elsewhere."""

    def do_POST(self) -> None:
        """Print the alerts of a notification, one a line."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path not in TOKENS:
            self.send_error(404)
            return
        token = (SECRETS / TOKENS[self.path]).read_text(encoding="utf-8").strip()
        if not hmac.compare_digest(self.headers.get("Authorization", ""), f"Bearer {token}"):
            self.send_error(401)
            return
        message = json.loads(body)
        for alert in message["alerts"]:
            labels, notes = alert["labels"], alert["annotations"]
            words = (alert["status"].upper(), labels.get("severity", "none"), labels["alertname"])
            print(message["receiver"], *words, notes.get("description", ""), flush=True)  # noqa: T201 - its purpose
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests: what is printed is what people are told."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Inbox).serve_forever()

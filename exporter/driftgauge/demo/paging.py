"""The phone of the person on call: a webhook on loopback that Alertmanager posts to, which shows each alert.

It also serves the runbooks, so that the links in alerts work while the demo runs. An alert is shown when it begins and
when it ends, not when Alertmanager repeats it. This module does not know what the alerts mean.
"""

import json
import re
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

ALERTS_PATH: Final = "/alerts"
WATCHDOG_PATH: Final = "/watchdog"
RUNBOOKS_PATH: Final = "/runbooks"
_MAX_BYTES: Final = 1024 * 1024
_WIDTH: Final = 110
# How often the server looks whether it has to stop.
_POLL_SECONDS: Final = 0.05
_SHOWN: Final = ("model", "version", "window", "metric", "feature", "instance")


class Phone:
    """Shows alerts with `say`, each once. runbooks: their folder."""

    def __init__(self, runbooks: Path, *, say: Callable[[str], None]) -> None:
        self._runbooks = runbooks
        self._say = say
        self._lock = threading.Lock()
        # Whether it fires, by alert name and fingerprint.
        self._known: dict[str, dict[str, bool]] = {}
        self._alive = False

    def fired(self, alert: str) -> bool:
        """Whether a notification said that the alert fires."""
        with self._lock:
            return alert in self._known

    def resolved(self, alert: str) -> bool:
        """Whether notifications said that the alert fired and that all of its instances ended."""
        with self._lock:
            return alert in self._known and not any(self._known[alert].values())

    def notify(self, alerts: list[Mapping[str, Any]]) -> None:
        """Handle a notification: show the alerts that began or ended since the last one."""
        with self._lock:
            for alert in alerts:
                firing = alert["status"] == "firing"
                known = self._known.setdefault(alert["labels"]["alertname"], {})
                if known.get(alert["fingerprint"], False) is not firing:
                    known[alert["fingerprint"]] = firing
                    self._say(shown(alert, self._runbooks))

    def heartbeat(self) -> None:
        """Handle a watchdog notification; the first one is shown."""
        with self._lock:
            first, self._alive = not self._alive, True
        if first:
            self._say("Alerting works: its watchdog was heard. From now on, only what would page is shown.")

    def runbook(self, name: str) -> bytes | None:
        """Return a runbook by its file name, if there is one."""
        if not re.fullmatch(r"[A-Za-z]+\.md", name):
            return None
        try:
            return (self._runbooks / name).read_bytes()
        except OSError:
            return None


def shown(alert: Mapping[str, Any], runbooks: Path) -> str:
    """Return what is shown of an alert in Alertmanager's JSON: its first line is the heading.

    The measured values are shown only when it begins; at the end they are out of date.
    """
    labels, annotations = alert["labels"], alert["annotations"]
    about = ", ".join(f"{name} {labels[name]}" for name in _SHOWN if name in labels)
    lines = [
        f"{alert['status'].upper():8}  {labels['severity'].upper()}  {labels['alertname']}: {annotations['summary']}",
        about,
    ]
    if alert["status"] == "firing":
        lines += [part for line in annotations["description"].splitlines() for part in textwrap.wrap(line, _WIDTH)]
    url = annotations["runbook_url"]
    local = runbooks / url.rpartition("/")[2]
    lines += [f"runbook    {url}"]
    if local.is_file():
        lines += [f"           {local}"]
    # The exporter answers the one; the other would need a Grafana.
    if "report_url" in annotations:
        lines += [f"report     {annotations['report_url']}"]
    else:
        lines += [f"dashboard  {annotations['dashboard_url']}"]
    return "\n".join(line for line in lines if line)


@contextmanager
def serving_phone(phone: Phone, server: "PhoneServer") -> Iterator[None]:
    """Serve the phone during the block."""
    server.phone = phone
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="demo-phone", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class PhoneServer(ThreadingHTTPServer):
    """Listens on a free port of loopback from the start; answers once it has its phone."""

    daemon_threads = True
    phone: Phone

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)

    @property
    def url(self) -> str:
        """Return its address, without a path."""
        return f"http://127.0.0.1:{self.server_port}"


class _Request(BaseHTTPRequestHandler):
    server: PhoneServer
    timeout = 30

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_BYTES:
            return self._answer(413)
        body = self.rfile.read(int(length))
        if self.path == WATCHDOG_PATH:
            self.server.phone.heartbeat()
            return self._answer(200)
        if self.path != ALERTS_PATH:
            return self._answer(404)
        try:
            self.server.phone.notify(json.loads(body)["alerts"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._answer(400)
        return self._answer(200)

    def do_GET(self) -> None:
        folder, _, name = self.path.rpartition("/")
        found = self.server.phone.runbook(name) if folder == RUNBOOKS_PATH else None
        return self._answer(404) if found is None else self._answer(200, found)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the terminal is for alerts."""

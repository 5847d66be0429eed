"""Real servers on free ports, a client that shows everything of a response, and certificates."""

import base64
import contextlib
import datetime as dt
import http.client
import ssl
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp

from driftgauge.web.answer import MEDIA_TYPES, Answer
from driftgauge.web.connections import DEADLINES, Deadlines
from driftgauge.web.listening import bind
from driftgauge.web.server import Server
from driftgauge.web.status import Status
from driftgauge.web.webconfig import WebConfigFile

NOW = dt.datetime(2026, 1, 31, 12, 0, 5, tzinfo=dt.UTC)


@dataclass
class Stub:
    """An exporter with an answer for everything."""

    pages: Mapping[tuple[bool, bool], bytes] = field(default_factory=dict)
    ready: bool = True
    mistake: str | None = None
    shown: Status = field(default_factory=lambda: Status(now=NOW, started=NOW, mlflow_uri="http://mlflow:5000"))

    def metrics(self, *, openmetrics: bool, gzip: bool, names: frozenset[str] | None) -> tuple[int, list[bytes]]:
        """Return the page prepared for this format, in pieces, or the names of the families that are wanted."""
        page = self.page(openmetrics=openmetrics, gzip=gzip) if names is None else ",".join(sorted(names)).encode()
        return len(page), [page[:3], page[3:]]

    def page(self, *, openmetrics: bool, gzip: bool) -> bytes:
        """Return the page prepared for this format."""
        return self.pages.get((openmetrics, gzip), f"openmetrics={openmetrics} gzip={gzip}".encode())

    def config_text(self) -> str:
        """Return a configuration."""
        return "mlflow:\n  tracking_uri: http://user:***@mlflow:5000\n"

    def reload(self) -> str | None:
        """Return the prepared mistake."""
        return self.mistake

    def status(self) -> Status:
        """Return the prepared status."""
        return self.shown

    def report(self, model: str, *, version: str | None, window: str | None, form: str, home: str) -> Answer:
        """Return what was asked for."""
        return Answer(200, MEDIA_TYPES[form], [repr((model, version, window, form, home)).encode()])


@dataclass(frozen=True)
class Reply:
    """A whole response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@contextlib.contextmanager
def running(
    app: ASGIApp,
    *,
    address: str = "127.0.0.1:0",
    web_config: WebConfigFile | None = None,
    deadlines: Deadlines = DEADLINES,
    unguarded: Collection[str] = frozenset(),
) -> Iterator[str]:
    """Serve `app` on a thread and yield its URL; the server has stopped when the block is left."""
    started = threading.Event()
    server = Server(
        app,
        listeners=bind(address),
        web_config=web_config,
        unguarded=unguarded,
        on_started=lambda _: started.set(),
        deadlines=deadlines,
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(10)
        yield server.urls[0]
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


def fetch(
    url: str,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """Send one request on a connection of its own, with no headers but those given."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    if tls is None:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    else:
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=10, context=tls)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def basic(name: str, password: str) -> Mapping[str, str]:
    """Return the header a client sends for these credentials."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def parse_yaml(text: str, *, filename: str) -> Mapping[str, Any]:
    """Parse a web configuration file as the command line does."""
    del filename
    content: Mapping[str, Any] = yaml.safe_load(text)
    return content


def write_certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """Write a self-signed certificate for localhost and its key, replacing older ones, and return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = directory / f"{name}.crt", directory / f"{name}.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file

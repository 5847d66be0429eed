"""TLS over real connections: certificates, client certificates, and exchanging them."""

import contextlib
import http.client
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from driftgauge.errors import ConfigError
from driftgauge.web.app import create_app
from driftgauge.web.tls import Contexts
from driftgauge.web.webconfig import WebConfig, WebConfigFile, parse_web_config

from .servers import Reply, Stub, basic, fetch, parse_yaml, running, write_certificate
from .test_access import USERS

APP = create_app(Stub, version="1")


def web_config(directory: Path, text: str) -> WebConfigFile:
    """Write a web configuration file and return it, opened."""
    path = directory / "web.yml"
    path.write_text(text, encoding="utf-8")
    return WebConfigFile(path, parse=parse_yaml)


def trusting(certificate: Path, *, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """Return a client's context that trusts one certificate and may show another."""
    context = ssl.create_default_context(cafile=str(certificate))
    if client is not None:
        context.load_cert_chain(*client)
    return context


def scrape(url: str, context: ssl.SSLContext) -> Reply:
    """Fetch the metrics under the name that the certificate is for."""
    return fetch(url.replace("127.0.0.1", "localhost"), "/metrics", tls=context)


def test_tls_and_basic_auth(tmp_path: Path) -> None:
    """A scraper that trusts the certificate and knows the password is served; without the password it is not."""
    certificate, _ = write_certificate(tmp_path, "server")
    file = web_config(
        tmp_path,
        "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
        f"basic_auth_users: {{alice: '{USERS['alice']}'}}\n",
    )
    with running(APP, web_config=file) as url:
        at = url.replace("127.0.0.1", "localhost")
        admitted = fetch(at, "/metrics", headers=basic("alice", "open sesame"), tls=trusting(certificate))
        refused = fetch(at, "/metrics", tls=trusting(certificate))
        with pytest.raises(ssl.SSLCertVerificationError):
            fetch(at, "/metrics", tls=ssl.create_default_context())

    assert url.startswith("https://127.0.0.1:")
    assert (admitted.status, refused.status) == (200, 401)


def test_client_certificates(tmp_path: Path) -> None:
    """With RequireAndVerifyClientCert only clients of the authority get an answer."""
    certificate, _ = write_certificate(tmp_path, "server")
    friend, stranger = (write_certificate(tmp_path, name) for name in ("friend", "stranger"))
    file = web_config(
        tmp_path,
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: friend.crt, "
        "client_auth_type: RequireAndVerifyClientCert}",
    )
    with running(APP, web_config=file) as url:
        assert scrape(url, trusting(certificate, client=friend)).status == 200
        for outsider in (trusting(certificate), trusting(certificate, client=stranger)):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                scrape(url, outsider)


def test_min_version(tmp_path: Path) -> None:
    """A client that speaks nothing newer than TLS 1.2 is refused where TLS13 is the least."""
    certificate, _ = write_certificate(tmp_path, "server")
    file = web_config(tmp_path, "tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS13}")
    old, new = trusting(certificate), trusting(certificate)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with running(APP, web_config=file) as url:
        assert scrape(url, new).status == 200
        with pytest.raises(ssl.SSLError):
            scrape(url, old)


def test_a_renewed_certificate_is_used_at_once(tmp_path: Path) -> None:
    """New files are taken at the next handshake, broken ones are not and leave the old certificate."""
    first = trusting(write_certificate(tmp_path, "server")[0])
    file = web_config(tmp_path, "tls_server_config: {cert_file: server.crt, key_file: server.key}")
    with running(APP, web_config=file) as url:
        assert scrape(url, first).status == 200

        second = trusting(write_certificate(tmp_path, "server")[0])
        assert scrape(url, second).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            scrape(url, first)

        (tmp_path / "server.key").write_text("not a key", encoding="utf-8")
        with capture_logs() as logs:
            assert scrape(url, second).status == 200
    assert [entry["log_level"] for entry in logs] == ["error"]


TLS = "cert_file: server.crt, key_file: server.key"
STRICT = "client_ca_file: friend.crt, client_auth_type: RequireAndVerifyClientCert"


def rewrite(directory: Path, text: str) -> None:
    """Put another web configuration in the place of the one that is served, as a tool does."""
    (directory / "new.yml").write_text(text, encoding="utf-8")
    (directory / "new.yml").rename(directory / "web.yml")


def status_on(connection: http.client.HTTPConnection) -> int:
    """Return the status of one more scrape on an open connection; raises OSError when it has been closed."""
    connection.request("GET", "/metrics")
    with connection.getresponse() as response:
        response.read()
        return response.status


def test_tightened_rules_are_in_force_at_once(tmp_path: Path) -> None:
    """Client certificates and the least version hold for the next connection, and the next request of an open one."""
    certificate, _ = write_certificate(tmp_path, "server")
    friend = write_certificate(tmp_path, "friend")
    file = web_config(tmp_path, f"tls_server_config: {{{TLS}}}")
    old = trusting(certificate, client=friend)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with running(APP, web_config=file, address="localhost:0") as url:
        parts = urlsplit(url)
        kept = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=10, context=trusting(certificate))
        with contextlib.closing(kept):
            assert [status_on(kept), status_on(kept)] == [200, 200]

            rewrite(tmp_path, f"tls_server_config: {{{TLS}, {STRICT}}}")
            with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
                status_on(kept)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            scrape(url, trusting(certificate))
        assert scrape(url, old).status == 200

        rewrite(tmp_path, f"tls_server_config: {{{TLS}, {STRICT}, min_version: TLS13}}")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            scrape(url, old)
        assert scrape(url, trusting(certificate, client=friend)).status == 200


def test_tls_comes_and_goes(tmp_path: Path) -> None:
    """A configuration without TLS is plain HTTP from the next connection on, one with it is not any more."""
    certificate, _ = write_certificate(tmp_path, "server")
    file = web_config(tmp_path, "{}")
    with running(APP, web_config=file, address="localhost:0") as url:
        assert fetch(url, "/metrics").status == 200
        rewrite(tmp_path, f"tls_server_config: {{{TLS}}}")
        assert scrape(url, trusting(certificate)).status == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            fetch(url, "/metrics")
        rewrite(tmp_path, "{}")
        assert fetch(url, "/metrics").status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_does_not_outlive_its_authority(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """When the authority is replaced, a client of the old one is out, also with a session from before."""
    certificate, _ = write_certificate(tmp_path, "server")
    friend = write_certificate(tmp_path, "friend")
    file = web_config(tmp_path, f"tls_server_config: {{{TLS}, {STRICT}}}")
    context = trusting(certificate, client=friend)
    context.minimum_version = context.maximum_version = version
    with running(APP, web_config=file, address="localhost:0") as url:
        status, session, _ = resumed(url, context, None)
        assert status == b"HTTP/1.1 200"
        write_certificate(tmp_path, "stranger")
        (tmp_path / "stranger.crt").rename(tmp_path / "friend.crt")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            resumed(url, context, session)


def resumed(
    url: str, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[bytes, ssl.SSLSession | None, bool | None]:
    """Ask once with the session of an earlier connection; return status, session, and whether it was resumed."""
    parts = urlsplit(url)
    with (
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
    ):
        tls.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = tls.recv(12)
        if not answer:
            raise ConnectionError("closed without an answer")
        return answer, tls.session, tls.session_reused


def test_a_certificate_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    """The message names the files."""
    write_certificate(tmp_path, "server")
    content = {"tls_server_config": {"cert_file": "server.crt", "key_file": "lost.key"}}
    config = parse_web_config(content, filename=str(tmp_path / "web.yml"))

    with pytest.raises(ConfigError, match=r"cannot use .*server\.crt, .*lost\.key: "):
        Contexts(lambda: config)


def test_no_tls_section_is_plain_http() -> None:
    """Without a certificate there is no context."""
    assert Contexts(WebConfig).now() is None

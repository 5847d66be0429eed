"""The web configuration file: what is accepted, what is refused with which words, and rereading."""

import textwrap
from pathlib import Path

import pytest
import yaml
from structlog.testing import capture_logs

from driftgauge.errors import ConfigError
from driftgauge.web.webconfig import WebConfigFile, parse_web_config

from .servers import parse_yaml

HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"  # from exporter-toolkit's documentation
TLS = "tls_server_config: {cert_file: a.crt, key_file: a.key, %s}"
BELONG_TOGETHER = "client_ca_file and a client_auth_type that verifies belong together: set both or none"
WRONG_FORM = "not of the right form (users need a bcrypt hash, headers one line of ASCII text)"
REFUSED = [
    ("unknown key", "tls_config: {}", "web.yml: tls_config: unknown key"),
    ("unknown key below", "http_server_config: {http2: true}", "web.yml: http_server_config.http2: unknown key"),
    (
        "no key file",
        "tls_server_config: {cert_file: a.crt}",
        "web.yml: tls_server_config.key_file: required, but missing",
    ),
    (
        "a protocol nobody should speak",
        TLS % "min_version: TLS10",
        "web.yml: tls_server_config.min_version: Input should be 'TLS12' or 'TLS13'",
    ),
    (
        "a check OpenSSL does not offer",
        TLS % "client_auth_type: RequireAnyClientCert",
        (
            "web.yml: tls_server_config.client_auth_type: Input should be 'NoClientCert', 'VerifyClientCertIfGiven' or "
            "'RequireAndVerifyClientCert'"
        ),
    ),
    (
        "client certificates, but no authority",
        TLS % "client_auth_type: RequireAndVerifyClientCert",
        f"web.yml: tls_server_config: {BELONG_TOGETHER}",
    ),
    (
        "an authority, but no check",
        TLS % "client_ca_file: ca.crt",
        f"web.yml: tls_server_config: {BELONG_TOGETHER}",
    ),
    (
        "a password instead of its hash",
        "basic_auth_users: {alice: secret}",
        f"web.yml: basic_auth_users.alice: {WRONG_FORM}",
    ),
    (
        "a header that is not for the user to set",
        "http_server_config: {headers: {Content-Length: '1'}}",
        (
            "web.yml: http_server_config.headers.Content-Length: Input should be 'Content-Security-Policy', "
            "'Strict-Transport-Security', 'X-Content-Type-Options', 'X-Frame-Options' or 'X-XSS-Protection'"
        ),
    ),
    (
        "two lines in a header",
        'http_server_config: {headers: {X-Frame-Options: "deny\\r\\nX: y"}}',
        f"web.yml: http_server_config.headers.X-Frame-Options: {WRONG_FORM}",
    ),
    (
        "two mistakes",
        "{users: {}, http_server_config: []}",
        (
            "web.yml: http_server_config: Input should be a valid dictionary or instance of HttpServerConfig\n"
            "web.yml: users: unknown key"
        ),
    ),
]


def write(path: Path, content: str) -> Path:
    """Write a file in one step, as tools that exchange configuration do."""
    draft = path.with_suffix(".draft")
    draft.write_text(textwrap.dedent(content), encoding="utf-8")
    return draft.rename(path)


def test_everything_at_once() -> None:
    """A full file is understood, and its paths are relative to it."""
    text = f"""
        tls_server_config:
          cert_file: tls/server.crt
          key_file: /etc/keys/server.key
          client_ca_file: ca.crt
          client_auth_type: RequireAndVerifyClientCert
          min_version: TLS13
        http_server_config:
          headers: {{Strict-Transport-Security: max-age=31536000}}
        basic_auth_users: {{alice: {HASH}}}
    """

    config = parse_web_config(yaml.safe_load(text), filename="/etc/driftgauge/web.yml")

    tls = config.tls_server_config
    assert tls is not None
    assert tls.files == (
        Path("/etc/driftgauge/tls/server.crt"),
        Path("/etc/keys/server.key"),
        Path("/etc/driftgauge/ca.crt"),
    )
    assert (tls.client_auth_type, tls.min_version) == ("RequireAndVerifyClientCert", "TLS13")
    assert config.basic_auth_users == {"alice": HASH}
    assert config.http_server_config.headers == {"Strict-Transport-Security": "max-age=31536000"}


def test_an_empty_file_is_open_http() -> None:
    """Nothing configured means no TLS, no users, no headers."""
    config = parse_web_config({}, filename="web.yml")

    assert (config.tls_server_config, config.basic_auth_users, config.http_server_config.headers) == (None, {}, {})


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refuses(text: str, message: str) -> None:
    """Each mistake has one line that names the file and the key."""
    with pytest.raises(ConfigError) as refusal:
        parse_web_config(yaml.safe_load(text), filename="web.yml")

    assert sorted(message.splitlines()) == sorted(str(refusal.value).splitlines())


def test_messages_keep_secrets() -> None:
    """What stands in the place of a hash is not repeated in the message."""
    with pytest.raises(ConfigError) as refusal:
        parse_web_config({"basic_auth_users": {"alice": "hunter2"}}, filename="web.yml")

    assert "hunter2" not in str(refusal.value)


def test_rereads_when_the_file_changes(tmp_path: Path) -> None:
    """A new version counts from the next look on."""
    path = write(tmp_path / "web.yml", "{}")
    file = WebConfigFile(path, parse=parse_yaml)
    before = file.current()
    assert file.current() is before

    write(path, f"basic_auth_users: {{bob: {HASH}}}")

    assert dict(file.current().basic_auth_users) == {"bob": HASH}


@pytest.mark.parametrize("broken", ["basic_auth_users: {bob: secret}", None], ids=["invalid", "gone"])
def test_keeps_the_last_good_one(tmp_path: Path, broken: str | None) -> None:
    """A file that broke or went leaves the rules as they were, and is reported once."""
    path = write(tmp_path / "web.yml", f"basic_auth_users: {{alice: {HASH}}}")
    file = WebConfigFile(path, parse=parse_yaml)
    if broken is None:
        path.unlink()
    else:
        write(path, broken)

    with capture_logs() as logs:
        users = [dict(file.current().basic_auth_users) for _ in range(3)]

    assert users == [{"alice": HASH}] * 3
    assert [entry["log_level"] for entry in logs] == ["error"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "not UTF-8"])
def test_an_unreadable_file_is_refused_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    """Without a first good version there is nothing to serve by."""
    path = tmp_path / "web.yml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"web\.yml: cannot be read"):
        WebConfigFile(path, parse=parse_yaml)

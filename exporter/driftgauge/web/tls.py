"""TLS as the web configuration says, with certificates that can be exchanged while the server runs.

Certificates expire, and a tool puts new ones in their place. Each handshake therefore looks whether the files changed,
and takes the new ones if they can be used. What OpenSSL fixes before a handshake stays as it was at the start: whether
there is TLS at all, `min_version` and `client_auth_type`.
"""

import ssl
from collections.abc import Callable
from typing import Final

import structlog

from driftgauge.errors import ConfigError
from driftgauge.web.webconfig import TlsConfig, WebConfig, stamp

_log = structlog.get_logger()

_TLS_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_CERTIFICATES: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


def server_context(current: Callable[[], WebConfig]) -> ssl.SSLContext | None:
    """Return a context whose handshakes use the certificates as they are then, or None for plain HTTP.

    Raise ConfigError when the first ones cannot be used.
    """
    first = current().tls_server_config
    if first is None:
        return None
    context = _build_context(first)
    newest = (stamp(first.files), first, context)

    def refresh(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        nonlocal newest
        tls = current().tls_server_config or first
        found = stamp(tls.files)
        if (found, tls) != newest[:2]:
            newest = (found, tls, _rebuilt(tls, fallback=newest[2]))
        connection.context = newest[2]

    context.sni_callback = refresh
    return context


def _rebuilt(tls: TlsConfig, *, fallback: ssl.SSLContext) -> ssl.SSLContext:
    try:
        return _build_context(tls)
    except ConfigError as error:
        _log.error("the new certificate cannot be used, the last good one stays in use", error=str(error))
        return fallback


def _build_context(tls: TlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _TLS_VERSIONS[tls.min_version]
    context.verify_mode = _CLIENT_CERTIFICATES[tls.client_auth_type]
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file)
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)
    except OSError as error:
        names = ", ".join(str(path) for path in tls.files)
        raise ConfigError(f"tls_server_config: cannot use {names}: {error}") from error
    return context

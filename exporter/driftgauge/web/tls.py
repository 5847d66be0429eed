"""TLS as the web configuration says, with certificates and rules that can be exchanged while the server runs.

Certificates expire, and a tool puts new ones in their place; authorities and the least version are tightened. Each
connection therefore gets a context of the configuration and the files as they are when it comes, and one that was
accepted under other rules is closed at its next request. Sessions are not resumed: a ticket would let in again whom
new rules shut out, and a certificate that has expired meanwhile.
"""

import ssl
from collections.abc import Callable
from typing import Final

import structlog

from driftgauge.errors import ConfigError
from driftgauge.web.webconfig import TlsConfig, WebConfig, stamp

_log = structlog.get_logger("driftgauge.web")

_TLS_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_CERTIFICATES: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class Contexts:
    """The TLS context of each moment. Raises ConfigError when the first certificates cannot be used."""

    def __init__(self, current: Callable[[], WebConfig]) -> None:
        self._current = current
        self._rules = self._found()
        self._context = _build_context(self._rules[0])

    def now(self) -> ssl.SSLContext | None:
        """Return the context for a connection that comes now, the same one until something changes; None for HTTP."""
        found = self._found()
        if found != self._rules:
            self._rules = found
            try:
                self._context = _build_context(found[0])
            except ConfigError as error:
                _log.error("the new TLS configuration cannot be used, the last good one stays in use", error=str(error))
        return self._context

    def _found(self) -> tuple[TlsConfig | None, object]:
        tls = self._current().tls_server_config
        return tls, None if tls is None else stamp(tls.files)


def _build_context(tls: TlsConfig | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
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

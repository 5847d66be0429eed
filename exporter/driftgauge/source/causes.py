"""Why a server could not be asked: the cause as a `reason` label, in words, and what to do about it. Pure.

MLflow raises one class for nearly everything, and servers on the way answer in words of their own, so a cause is
recognised by the text of an exception or by the status and the text of an answer.
"""

import re
from dataclasses import dataclass
from typing import Final

UNAUTHORIZED: Final = "unauthorized"
FORBIDDEN: Final = "forbidden"
NOT_FOUND: Final = "not_found"
NOT_MLFLOW: Final = "not_mlflow"
REDIRECTED: Final = "redirected"
TLS: Final = "tls"
PROXY: Final = "proxy"
UNREACHABLE: Final = "unreachable"
TIMED_OUT: Final = "timed_out"
BROKEN_OFF: Final = "broken_off"
RATE_LIMITED: Final = "rate_limited"
SERVER_ERROR: Final = "server_error"
# Whatever is none of the others.
OTHER: Final = "mlflow_unavailable"

# All values of `reason` that a failure of MLflow can have in driftgauge_refresh_failures_total.
REASONS: Final = (
    UNAUTHORIZED, FORBIDDEN, NOT_FOUND, NOT_MLFLOW, REDIRECTED, TLS, PROXY, UNREACHABLE, TIMED_OUT, BROKEN_OFF,
    RATE_LIMITED, SERVER_ERROR, OTHER,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cause:
    """The `reason`, what happened, and what to do."""

    reason: str
    happened: str
    remedy: str

    @property
    def words(self) -> str:
        """What happened and the remedy, as one text."""
        return f"{self.happened}; {self.remedy}"


_CREDENTIALS: Final = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_ADDRESS: Final = "start the server or correct mlflow.tracking_uri"
_WAIT: Final = "look at the server's log; it is asked again later"
_IN_BETWEEN: Final = "look at the proxies on the way and at the server's log; it is asked again later"
_PROXIES: Final = "correct http_proxy and https_proxy, or name the server in no_proxy"
_CERTIFICATE: Final = "set MLFLOW_TRACKING_CLIENT_CERT_PATH to a certificate and key that the server trusts"

LOGIN_PAGE: Final = Cause(
    NOT_MLFLOW,
    "its answer is not MLflow's",
    "check that mlflow.tracking_uri leads to MLflow, not to a login page or another service",
)
WRONG_PREFIX: Final = Cause(
    NOT_FOUND,
    "it answers 404 (not found)",
    "check that mlflow.tracking_uri is an MLflow server's root, with its path prefix if it has one",
)
LIMITED: Final = Cause(
    RATE_LIMITED,
    "too many requests (429)",
    "it is asked more slowly, and what is left comes with the next refreshes; to have it sooner, raise the limit of "
    "requests for driftgauge at the gateway",
)

# What servers and proxies write into an answer, whatever its status.
_ANSWERS: Final[tuple[tuple[str, Cause], ...]] = (
    (
        r"Invalid Host header",
        Cause(
            FORBIDDEN,
            "access is denied (403): it is not to be asked by this host name",
            "start it with --allowed-hosts and this name, or write a name that it allows as mlflow.tracking_uri",
        ),
    ),
    (r"[Nn]o required SSL certificate", Cause(TLS, "it wants a client certificate", _CERTIFICATE)),
    (r"SSL certificate error", Cause(TLS, "it does not trust the client certificate", _CERTIFICATE)),
    (
        r"plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server|speaking plain HTTP to an SSL",
        Cause(TLS, "it wants TLS there", "write https:// in mlflow.tracking_uri"),
    ),
    (
        r"Workspace '.*' not found|Workspace.*does not exist",
        Cause(NOT_FOUND, "the workspace does not exist there", "correct MLFLOW_WORKSPACE"),
    ),
    (
        r"workspaces are not enabled|does not support workspaces|supports workspaces",
        Cause(
            NOT_FOUND,
            "it has no workspaces",
            "unset MLFLOW_WORKSPACE, or start the server with --enable-workspaces",
        ),
    ),
)

# How MLflow, urllib3 and this package word an HTTP status.
_STATUS: Final = "(?:HTTP|code|many)"
_SYMPTOMS: Final[tuple[tuple[str, Cause], ...]] = (
    (r"valid JSON format|JSONDecodeError|ParseError", LOGIN_PAGE),
    # Proxies before what they say of the server behind them.
    (
        r"(?:failed: |HTTP |code )407|Proxy Authentication",
        Cause(PROXY, "a proxy on the way wants credentials (407)", f"write them into the proxy's URL: {_PROXIES}"),
    ),
    (r"ProxyError|proxy server|SOCKS", Cause(PROXY, "the proxy on the way does not answer", _PROXIES)),
    (
        rf"UNAUTHENTICATED|CUSTOMER_UNAUTHORIZED|{_STATUS} 401",
        Cause(UNAUTHORIZED, "it refuses the credentials (401)", _CREDENTIALS),
    ),
    (
        r"password authentication failed|Access denied for user",
        Cause(UNAUTHORIZED, "the database refuses the credentials", "correct them in mlflow.tracking_uri"),
    ),
    (
        rf"PERMISSION_DENIED|AccessDenied|{_STATUS} 403",
        Cause(FORBIDDEN, "access is denied (403)", f"ask for read access, or {_CREDENTIALS}"),
    ),
    (rf"REQUEST_LIMIT_EXCEEDED|RESOURCE_EXHAUSTED|{_STATUS} 429", LIMITED),
    (
        rf"ENDPOINT_NOT_FOUND|{_STATUS} (?:404|501)",
        Cause(
            NOT_FOUND,
            "it does not know what it is asked (404)",
            "its MLflow is too old for that, or a gateway on the way does not pass it on",
        ),
    ),
    (
        rf"{_STATUS} (?:30[1278]|405)|Exceeded \d+ redirects",
        Cause(
            REDIRECTED,
            "it redirects, and on the way a POST becomes a GET (301, 405)",
            "write the address that it redirects to, such as https://…, as mlflow.tracking_uri",
        ),
    ),
    (r"certificate has expired|CERT.*EXPIRED", Cause(TLS, "its TLS certificate has expired", "renew it at the server")),
    (
        r"[Hh]ostname mismatch|IP address mismatch|doesn't match",
        Cause(
            TLS,
            "its TLS certificate is for another name",
            "write the name in the certificate as mlflow.tracking_uri, or have one made for this name",
        ),
    ),
    (
        r"certificate file.*invalid path|CA certificate bundle, invalid|TLS (?:certificate|key) file",
        Cause(
            TLS,
            "a file with certificates is not there",
            "correct MLFLOW_TRACKING_SERVER_CERT_PATH, MLFLOW_TRACKING_CLIENT_CERT_PATH or REQUESTS_CA_BUNDLE",
        ),
    ),
    (
        r"(?i)wrong.version.number|record.layer.failure|packet.length.too.long",
        Cause(TLS, "it does not speak TLS there", "write http:// or the port for https in mlflow.tracking_uri"),
    ),
    (r"(?i)alert.(?:certificate.required|handshake)", Cause(TLS, "it wants a client certificate", _CERTIFICATE)),
    (
        r"(?i)alert.(?:unknown.ca|bad.cert|cert)|PEM lib|NO_START_LINE|KEY_VALUES_MISMATCH|SSL\] PEM",
        Cause(TLS, "the client certificate cannot be used or is not trusted", _CERTIFICATE),
    ),
    (
        r"CERTIFICATE_VERIFY|SSLError|ssl\.SSL|SSL:",
        Cause(
            TLS,
            "TLS verification failed",
            "set MLFLOW_TRACKING_SERVER_CERT_PATH to the certificate of who signed the server's",
        ),
    ),
    (r"Connection ?[Rr]efused", Cause(UNREACHABLE, "connection refused", _ADDRESS)),
    (
        r"NameResolution|Name or service not known|getaddrinfo|name resolution",
        Cause(UNREACHABLE, "its host name does not resolve", _ADDRESS),
    ),
    (
        r"No route to host|Network is unreachable|InvalidURL|Invalid url|Invalid URL|InvalidSchema",
        Cause(UNREACHABLE, "there is no way to it", _ADDRESS),
    ),
    (r"ConnectTimeout|connect timeout", Cause(TIMED_OUT, "it did not answer in time", _ADDRESS)),
    (rf"[Tt]imed ?[Oo]ut|[Tt]imeout|{_STATUS} 408", Cause(TIMED_OUT, "it did not answer in time", _WAIT)),
    (
        r"IncompleteRead|InvalidChunkLength|Connection (?:broken|aborted)|[Rr]eset",
        Cause(BROKEN_OFF, "its answer broke off", _IN_BETWEEN),
    ),
    (
        rf"{_STATUS} (?P<status>50[24])",
        Cause(SERVER_ERROR, "a proxy on the way gets no answer from it ({status})", _IN_BETWEEN),
    ),
    (
        rf"{_STATUS} (?P<status>503)",
        Cause(SERVER_ERROR, "it is out of service, or limits requests ({status})", _IN_BETWEEN),
    ),
    (rf"{_STATUS} (?P<status>5[0-9][0-9])", Cause(SERVER_ERROR, "the server fails ({status})", _WAIT)),
    (r"TEMPORARILY_UNAVAILABLE", Cause(SERVER_ERROR, "the server fails (5xx)", _WAIT)),
)
_TABLE: Final = tuple((re.compile(pattern), cause) for pattern, cause in _SYMPTOMS)
_ANSWERS_TABLE: Final = tuple((re.compile(pattern, re.DOTALL), cause) for pattern, cause in _ANSWERS)


def cause_of(detail: str, *, answer: str = "") -> Cause | None:
    """Return the cause that a text shows, None when it shows none; the first match counts.

    detail: of an exception, or "HTTP 503". answer: what a server wrote, in which only its own phrases are looked for.
    """
    for pattern, cause in _ANSWERS_TABLE:
        if pattern.search(answer) or pattern.search(detail):
            return cause
    for pattern, cause in _TABLE:
        if found := pattern.search(detail):
            return Cause(cause.reason, cause.happened.format(**found.groupdict()), cause.remedy)
    return None

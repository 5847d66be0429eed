"""MLflow's failures as driftgauge's errors: the request, what happened, what to do, and no secret.

MLflow raises one class for nearly everything, and artifact stores are plug-ins with exception trees of their own, so a
failure is recognised by its error code, else by its text.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from driftgauge.errors import DriftgaugeError, SourceError, SourceMissing, SourceUnavailable

_MISSING_CODES: Final = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE"})
_CREDENTIALS: Final = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_ADDRESS: Final = "start the server or correct mlflow.tracking_uri"
_WAIT: Final = "look at the server's log; it is asked again later"
_IN_BETWEEN: Final = "look at the proxies on the way and at the server's log; it is asked again later"
_NOT_MLFLOW: Final = "its answer is not MLflow's"
_CHECK_ADDRESS: Final = "check that mlflow.tracking_uri leads to MLflow, not to a login page or another service"

# How MLflow, requests and this module word an HTTP status.
_STATUS: Final = "(?:HTTP|code|many)"

# Text or error code -> (what happened, what to do). The first match counts.
_SYMPTOMS: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = tuple(
    (re.compile(pattern), happened, remedy)
    for pattern, happened, remedy in (
        (r"valid JSON format|JSONDecodeError|ParseError", _NOT_MLFLOW, _CHECK_ADDRESS),
        (rf"UNAUTHENTICATED|CUSTOMER_UNAUTHORIZED|{_STATUS} 401", "it refuses the credentials (401)", _CREDENTIALS),
        (rf"PERMISSION_DENIED|{_STATUS} 403", "access is denied (403)", f"ask for read access, or {_CREDENTIALS}"),
        (rf"REQUEST_LIMIT_EXCEEDED|{_STATUS} 429", "too many requests (429)", "raise refresh_interval"),
        (r"ENDPOINT_NOT_FOUND", "it answers 404", "check that mlflow.tracking_uri is an MLflow server's root"),
        (r"Connection ?[Rr]efused", "connection refused", _ADDRESS),
        (r"NameResolution|Name or service not known|getaddrinfo", "its host name does not resolve", _ADDRESS),
        (r"CERTIFICATE_VERIFY|SSLError", "TLS verification failed", "set MLFLOW_TRACKING_SERVER_CERT_PATH"),
        (r"ConnectTimeout|connect timeout", "it did not answer in time", _ADDRESS),
        (r"[Tt]imed ?[Oo]ut|[Tt]imeout", "it did not answer in time", _WAIT),
        (
            r"IncompleteRead|InvalidChunkLength|Connection (broken|aborted)|[Rr]eset",
            "its answer broke off",
            _IN_BETWEEN,
        ),
        (rf"{_STATUS} 5[0-9][0-9]|TEMPORARILY_UNAVAILABLE", "the server fails (5xx)", _WAIT),
    )
)
_USERINFO: Final = re.compile(r"(?<=://)[^/\s]*@")
_QUERY: Final = re.compile(r"(://[^\s?'\"]*)\?[^\s'\"]*")
_SECRET_VARIABLES: Final = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_LONGEST_DETAIL: Final = 300
# MLflow appends the answer it got, which may contain anything.
_BODY: Final = "Response body:"


def redacted(text: str) -> str:
    """Return `text` without the user info and query of its URLs and without MLflow's secrets from the environment."""
    text = _QUERY.sub(r"\1", _USERINFO.sub("", text))
    for secret in filter(None, map(os.environ.get, _SECRET_VARIABLES)):
        text = text.replace(secret, "***")
    return text


@contextmanager
def translated_errors(server: str) -> Iterator[None]:
    """Raise MLflow's failures as SourceMissing or SourceUnavailable, with `server` in the message."""
    try:
        yield
    except DriftgaugeError:
        raise
    except Exception as error:  # noqa: BLE001 - the file store raises Exception itself, boto3 and others their own trees
        # Not chained: a traceback would show the original text, credentials and all.
        raise _translated(error, server) from None


def status_failure(status: int, *, server: str, wanted: str) -> SourceError:
    """Return the failure that the HTTP `status` (>= 400) means for a request for `wanted` to `server`."""
    if status == 404:
        return SourceMissing(f"{wanted} does not exist on {server}")
    return _unavailable(f"HTTP {status}", server)


def not_mlflow(server: str) -> SourceUnavailable:
    """Return the failure for an answer that is not MLflow's, such as a proxy's login page."""
    return SourceUnavailable(f"{server}: {_NOT_MLFLOW}; {_CHECK_ADDRESS}")


def json_object(response: Any, *, server: str) -> dict[str, Any]:
    """Return the JSON object in an HTTP response; raise SourceUnavailable when it is anything else."""
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise not_mlflow(server)
    return found


def _translated(error: Exception, server: str) -> SourceError:
    detail = redacted(str(error).partition(_BODY)[0]).strip()
    code = str(getattr(error, "error_code", ""))
    if code in _MISSING_CODES:
        return SourceMissing(f"{server}: {detail[:_LONGEST_DETAIL]}")
    return _unavailable(f"{code} {type(error).__name__}: {detail}".strip(), server)


def _unavailable(detail: str, server: str) -> SourceUnavailable:
    for pattern, happened, remedy in _SYMPTOMS:
        if pattern.search(detail):
            return SourceUnavailable(f"{server}: {happened}; {remedy}")
    return SourceUnavailable(f"{server} cannot be asked: {detail[:_LONGEST_DETAIL]}")

"""MLflow's failures as driftgauge's errors: the request, what happened, what to do, and no secret.

MLflow raises one class for nearly everything, and artifact stores are plug-ins with exception trees of their own, so a
failure is recognised by its error code, else by its text (`causes`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from driftgauge.errors import DriftgaugeError, SourceError, SourceMissing, SourceUnavailable
from driftgauge.hiding import hidden
from driftgauge.source.causes import LOGIN_PAGE, OTHER, SERVER_ERROR, Cause, cause_of

_MISSING_CODES: Final = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE"})
_LONGEST_DETAIL: Final = 300
# MLflow appends the answer it got, which may contain anything.
_BODY: Final = "Response body:"


@contextmanager
def translated_errors(server: str) -> Iterator[None]:
    """Raise MLflow's failures as SourceMissing or SourceUnavailable, with `server` in the message."""
    try:
        yield
    except DriftgaugeError:
        raise
    except Exception as error:  # noqa: BLE001 - the file store raises Exception itself, boto3 and others their own trees
        # MLflow wraps what is raised within.
        if isinstance(error.__context__, DriftgaugeError):
            raise error.__context__ from None
        # Not chained: a traceback would show the original text, credentials and all.
        raise _translated(error, server) from None


def status_failure(status: int, *, server: str, wanted: str, answer: str = "") -> SourceError:
    """Return the failure that the HTTP `status` (>= 400) means for a request for `wanted` to `server`.

    answer: what the server wrote, which shows causes and is not shown itself.
    """
    if status == 404 and not answer:
        return SourceMissing(f"{wanted} does not exist on {server}")
    return _unavailable(f"HTTP {status}", server, answer=answer)


def failure(cause: Cause, server: str) -> SourceUnavailable:
    """Return the failure of a server for a cause."""
    return SourceUnavailable(f"{server}: {cause.words}", reason=cause.reason)


def not_mlflow(server: str) -> SourceUnavailable:
    """Return the failure for an answer that is not MLflow's, such as a proxy's login page."""
    return failure(LOGIN_PAGE, server)


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
    text, _, answer = str(error).partition(_BODY)
    detail = hidden(text).strip()
    code = str(getattr(error, "error_code", ""))
    # What MLflow says itself is no stranger's page.
    cause = cause_of("", answer=f"{detail} {answer}")
    if code in _MISSING_CODES and cause is None:
        return SourceMissing(f"{server}: {detail[:_LONGEST_DETAIL]}")
    return _unavailable(f"{code} {type(error).__name__}: {detail}".strip(), server, answer=answer)


def _unavailable(detail: str, server: str, *, answer: str = "") -> SourceUnavailable:
    if cause := cause_of(detail, answer=answer):
        return failure(cause, server)
    reason = SERVER_ERROR if detail.startswith("INTERNAL_ERROR RestException") else OTHER
    return SourceUnavailable(f"{server} cannot be asked: {detail[:_LONGEST_DETAIL]}", reason=reason)

"""The first question to a tracking server, the list of its experiments, and what its answer shows.

A load balancer that redirects, a login page, a wrong prefix or another service answer it as well, so it is judged by
more than its status. MLflow's client follows a redirect, and with 301, 302 and 303 a later POST becomes a GET: that
shows in this answer before it fails there.
"""

import re
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from driftgauge.errors import SourceError
from driftgauge.hiding import hidden
from driftgauge.source.causes import LOGIN_PAGE, NOT_FOUND, NOT_MLFLOW, REDIRECTED, WRONG_PREFIX, Cause, cause_of
from driftgauge.source.failures import failure, json_object, not_mlflow, status_failure

ENDPOINT: Final = "/api/2.0/mlflow/experiments/search"
VERSION_ENDPOINT: Final = "/version"
# The first that answers `ENDPOINT`.
_OLDEST: Final = "2.0"
_VERSION: Final = re.compile(r"\d+\.\d+[\w.]{0,20}")
# With these a client asks again with GET.
_GET_AGAIN: Final = (301, 302, 303)
_REFUSED: Final = (401, 403)
_LONGEST_ANSWER: Final = 4_096
_ALONE: Final = frozenset({"next_page_token"})


def check_answer(response: Any, *, server: str) -> None:
    """Raise SourceUnavailable, with what to do, unless the answer to a GET of `ENDPOINT` is a tracking server's.

    response: as `requests` gives it, redirects followed.
    """
    if moved := _moved(response):
        raise failure(moved, server)
    if response.status_code >= 400:
        raise _refusal(response, server)
    found = json_object(response, server=server)
    # Where there is no experiment that it may show on this page, a server leaves the list out.
    if not isinstance(found.get("experiments", []), list) or ("experiments" not in found and found.keys() - _ALONE):
        raise not_mlflow(server)


def too_old(version: str) -> Cause | None:
    """Return the cause that the answer to a GET of `VERSION_ENDPOINT` shows of a server without `ENDPOINT`, if any."""
    if not _VERSION.fullmatch(version.strip()):
        return None
    return Cause(NOT_FOUND, f"it is MLflow {version.strip()}", f"driftgauge needs MLflow {_OLDEST} or later there")


def _refusal(response: Any, server: str) -> SourceError:
    answer = str(response.text[:_LONGEST_ANSWER])
    if response.status_code != 404:
        return status_failure(response.status_code, server=server, wanted="", answer=answer)
    return failure(cause_of("", answer=answer) or WRONG_PREFIX, server)


def _moved(response: Any) -> Cause | None:
    """Return what is wrong with an answer that came by redirects; None when there were none that do harm."""
    steps = [*response.history, *([response] if response.is_redirect else [])]
    if not steps:
        return None
    target = urljoin(response.url, response.headers.get("Location", "")) if response.is_redirect else response.url
    place, code = urlsplit(target), steps[0].status_code
    shown = hidden(target.partition("?")[0].partition("#")[0])
    if not place.path.endswith(ENDPOINT):
        happened = f"it redirects ({code}) to {shown}, which is not MLflow's but perhaps a login page"
        return Cause(NOT_MLFLOW, happened, LOGIN_PAGE.remedy)
    loses_post = any(step.status_code in _GET_AGAIN for step in steps)
    # Credentials are not sent on to another host.
    loses_credentials = response.status_code in _REFUSED
    if not (loses_post or loses_credentials or response.is_redirect):
        return None
    lost = "credentials are lost" if loses_credentials and not loses_post else "a POST becomes a GET"
    address = shown.removesuffix(ENDPOINT)
    happened = f"it redirects ({code}) to {address}, and on the way {lost}"
    return Cause(REDIRECTED, happened, f"write {address} as mlflow.tracking_uri")

"""Many small requests to one server, each as MLflow would send it, at less than half of its cost.

For every request MLflow asks its plug-ins for headers, of which one searches for Databricks' modules, and reads proxies
from the environment; that takes longer than reading a small file. Here MLflow sends the first request to a server, and
its headers, credentials, TLS and proxy settings are reused for the next few seconds. MLflow sends all requests that
have to be signed one by one. Only the tracking server's own origin is asked like this; see `transport`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import requests
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.util import Retry

from driftgauge.errors import DriftgaugeError
from driftgauge.source.bodies import filled
from driftgauge.source.deadline import Deadline
from driftgauge.source.origins import Borders
from driftgauge.source.pacing import pace_of
from driftgauge.source.transport import Abroad, leave_refusals

# Listings and downloads of the models that are refreshed in parallel.
_CONNECTIONS: Final = 48
_RETRIED: Final = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class _RequestSettings:
    """Headers of a request, and TLS and proxy settings as `requests` takes them; until: in time.monotonic seconds."""

    headers: CaseInsensitiveDict[str | bytes]
    settings: Mapping[str, Any]
    until: float


class Http:
    """GET requests over kept connections; safe to share between threads.

    The caller bounds a whole request with `deadline`. borders: which server gets credentials. MLflow's settings are
    reused for `good_for` seconds, not longer, because a plug-in may change its token at any time.
    """

    def __init__(self, deadline: Deadline, borders: Borders, *, good_for: float = 10.0) -> None:
        self.deadline = deadline
        self.borders = borders
        self._good_for = good_for
        self._known: dict[str, _RequestSettings] = {}
        retry = Retry(
            total=MLFLOW_HTTP_REQUEST_MAX_RETRIES.get(),
            status_forcelist=_RETRIED,
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER.get(),
        )
        self._adapter = HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=retry)
        leave_refusals(self._adapter)
        self._abroad = Abroad(pool_maxsize=_CONNECTIONS, max_retries=retry)

    def get(
        self, url: str, endpoint: str, *, params: Mapping[str, str] | None = None, stream: bool = False
    ) -> requests.Response:
        """Return the answer to a GET of `url` + `endpoint`, whatever its status; `stream`: its body is read later.

        Raises BatchError "forbidden_address".
        """
        if not self.borders.is_home(url):
            timeout, verify = self.deadline.connect_and_read, get_default_host_creds(url).verify
            place = f"{url.rstrip('/')}{endpoint}"
            found = self._abroad.read(place, verify=verify, params=params, stream=True, timeout=timeout)
            return found if stream else filled(found, seconds=self.deadline.seconds)
        server = urlsplit(url).netloc
        known = self._known.get(server)
        if known is None or time.monotonic() >= known.until:
            return self._through_mlflow(server, url, endpoint, params=params, stream=stream)
        query = f"?{urlencode(params)}" if params else ""
        response = self._send(f"{url.rstrip('/')}{endpoint}{query}", known)
        if response.status_code >= 300:
            self._known.pop(server, None)
        if response.is_redirect:
            response.close()
            return self._through_mlflow(server, url, endpoint, params=params, stream=stream)
        # Read here, so that the connection can be reused.
        return response if stream else filled(response, seconds=self.deadline.seconds)

    def _send(self, url: str, known: _RequestSettings) -> requests.Response:
        """Send with known settings; a session of `requests` would double the cost by working them out again."""
        request = requests.PreparedRequest()
        request.method, request.url, request.headers = "GET", url, known.headers
        timeout = self.deadline.connect_and_read
        ask = partial(self._adapter.send, request, stream=True, timeout=timeout, **known.settings)
        pace = pace_of(url)
        response: requests.Response = pace.send(ask) if pace else ask()
        return response

    def _through_mlflow(self, server: str, url: str, endpoint: str, **options: Any) -> requests.Response:
        credentials = get_default_host_creds(url)
        timeout = self.deadline.connect_and_read
        try:
            response: requests.Response = http_request(
                credentials, endpoint, "GET", timeout=timeout, raise_on_status=False, **options
            )
        except Exception as error:
            # MLflow wraps what is raised within.
            if isinstance(error.__context__, DriftgaugeError):
                raise error.__context__ from None
            raise
        if response.ok and not response.history and not credentials.auth and not credentials.aws_sigv4:
            self._known[server] = _request_settings(
                url, response.request.headers, credentials, until=time.monotonic() + self._good_for
            )
        return response


def _request_settings(
    url: str, headers: CaseInsensitiveDict[str | bytes], credentials: Any, *, until: float
) -> _RequestSettings:
    with requests.Session() as session:
        settings = session.merge_environment_settings(url, {}, None, credentials.verify, credentials.client_cert_path)
    del settings["stream"]
    return _RequestSettings(headers, settings, until)

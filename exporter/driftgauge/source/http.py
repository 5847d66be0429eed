"""Many small requests to one server, each as MLflow would send it, at less than half of its cost.

For every request MLflow asks its plug-ins for headers, which for one looks in vain for Databricks' modules, and reads
proxies from the environment; that takes longer than a small file does. Here MLflow sends the first request to a server,
and what it decided on (headers, credentials, TLS, proxies) is good for the next few seconds. Requests that have to be
signed one by one are all left to MLflow.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from driftgauge.source.deadline import Deadline

# Short, for a plug-in may exchange its token at any time.
_GOOD_FOR_SECONDS: Final = 10.0
# Listings and downloads of the models that are refreshed side by side.
_CONNECTIONS: Final = 48
_RETRIED: Final = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class _Manner:
    """How to ask a server: headers, and TLS and proxy settings as `requests` takes them; until: by time.monotonic."""

    headers: Mapping[str, str | bytes]
    settings: Mapping[str, Any]
    until: float


class Http:
    """GET requests over connections that are kept; safe to share between threads.

    Requests are not bounded as a whole; whoever sends them does so within `deadline`.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self._manners: dict[str, _Manner] = {}
        self._session = requests.Session()
        # What the environment says is in the manner.
        self._session.trust_env = False
        retry = Retry(
            total=MLFLOW_HTTP_REQUEST_MAX_RETRIES.get(),
            status_forcelist=_RETRIED,
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER.get(),
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=retry))

    def get(self, url: str, endpoint: str, **options: Any) -> requests.Response:
        """Return the answer to a GET of `url` + `endpoint`, whatever its status; `options` as `requests` takes them."""
        server = urlsplit(url).netloc
        manner = self._manners.get(server)
        if manner is None or time.monotonic() >= manner.until:
            return self._through_mlflow(server, url, endpoint, options)
        response = self._session.get(
            f"{url.rstrip('/')}{endpoint}",
            headers=manner.headers,
            timeout=self.deadline.connect_and_read,
            allow_redirects=False,
            **manner.settings,
            **options,
        )
        if response.status_code >= 300:
            self._manners.pop(server, None)
        if response.is_redirect:
            response.close()
            return self._through_mlflow(server, url, endpoint, options)
        return response

    def _through_mlflow(self, server: str, url: str, endpoint: str, options: dict[str, Any]) -> requests.Response:
        credentials = get_default_host_creds(url)
        timeout = self.deadline.connect_and_read
        response: requests.Response = http_request(
            credentials, endpoint, "GET", timeout=timeout, raise_on_status=False, **options
        )
        if response.ok and not response.history and not credentials.auth and not credentials.aws_sigv4:
            self._manners[server] = _manner(url, response.request.headers, credentials)
        return response


def _manner(url: str, headers: Mapping[str, str | bytes], credentials: Any) -> _Manner:
    with requests.Session() as asking:
        settings = asking.merge_environment_settings(url, {}, None, credentials.verify, credentials.client_cert_path)
    del settings["stream"]
    return _Manner(headers, settings, time.monotonic() + _GOOD_FOR_SECONDS)

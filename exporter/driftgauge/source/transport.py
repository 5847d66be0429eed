"""How HTTP requests are sent, so that credentials stay at home.

Home is what the user configured: the tracking server, asked by MLflow's client. Abroad is everything else that a server
names or redirects to: it gets no credentials, cookies, client certificates or headers of plug-ins, and is not asked at
all at a link-local or metadata address, whatever its name resolves to.
"""

import socket
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import requests
from mlflow.utils import request_utils
from requests.adapters import HTTPAdapter
from requests.utils import get_auth_from_url
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from driftgauge.source.bodies import dropped, filled, read_seconds
from driftgauge.source.origins import forbidden, is_forbidden
from driftgauge.source.pacing import REFUSED, pace_of

# Headers that say how to answer. All others may hold what is nobody else's business.
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "user-agent"}
)


class _Bounded(requests.Session):
    """A session that reads no body of an answer that redirects: `requests` would, without a bound."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where an answer redirects to, if it does."""
        if resp.is_redirect:
            dropped(resp)
        return super().get_redirect_target(resp)


class Abroad(_Bounded):
    """Requests without anything of ours: safe to share between threads."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        # What .netrc has for a host may be meant for another port of it.
        self.auth = _as_it_is
        for prefix in ("http://", "https://"):
            self.mount(prefix, _WaryAdapter(**options))

    def read(self, url: str, *, verify: bool | str, **options: Any) -> requests.Response:
        """Return the answer to a GET, redirects followed; user and password are those of the URL, if it has any."""
        user = get_auth_from_url(url)
        return self.get(url, auth=user if any(user) else _as_it_is, verify=verify, **options)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request, and what its answers redirect to."""
        self.cookies.clear()
        return super().send(request, **options)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Leave credentials behind when the host changes."""
        if self.should_strip_auth(str(response.request.url), str(prepared_request.url)):
            prepared_request.headers.pop("Authorization", None)


class Home(_Bounded):
    """MLflow's session: keeps the server's pace, bounds answers, and leaves credentials behind when redirected."""

    def __init__(self, session: requests.Session) -> None:
        super().__init__()
        self.adapters, self.cookies = session.adapters, session.cookies
        for adapter in session.adapters.values():
            leave_refusals(adapter)
        self._abroad = Abroad()

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request, and what its answers redirect to."""
        follow, stream = options.pop("allow_redirects", True), options.get("stream", False)
        options["stream"] = True
        response = self._sent(request, **options)
        history: list[requests.Response] = []
        while follow and response.next is not None:
            if len(history) == self.max_redirects:
                raise requests.TooManyRedirects(f"more than {self.max_redirects} redirects", response=response)
            history.append(response)
            following = response.next
            response.close()
            if self.should_strip_auth(str(request.url), str(following.url)):
                for name in [name for name in following.headers if name.lower() not in _HARMLESS]:
                    del following.headers[name]
                abroad = {**options, "cert": None, "proxies": self.rebuild_proxies(following, options.get("proxies"))}
                response = self._abroad.send(following, **abroad)
                break
            response = self._sent(following, **options)
        response.history = [*history, *response.history]
        return response if stream else filled(response, seconds=read_seconds(options.get("timeout")))

    def _sent(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request, and nothing that its answer redirects to, when it is its turn."""
        ask = partial(super().send, request, allow_redirects=False, **options)
        pace = pace_of(str(request.url))
        found: requests.Response = pace.send(ask) if pace else ask()
        return found


def leave_refusals(adapter: Any) -> None:
    """Have an adapter return refusals instead of sending the request again at once: see `Pace`."""
    retry = adapter.max_retries
    adapter.max_retries = retry.new(status_forcelist=set(retry.status_forcelist or ()) - set(REFUSED))


def guard_mlflow() -> None:
    """Have MLflow send its requests by `Home`; more often than once does nothing."""
    # A private function, for MLflow has no way to give it a session.
    usual = request_utils._get_request_session  # noqa: SLF001
    if getattr(usual, "is_guarded", False):
        return
    homes: WeakKeyDictionary[requests.Session, Home] = WeakKeyDictionary()

    def guarded(*args: Any, **options: Any) -> requests.Session:
        session = usual(*args, **options)
        home = homes.get(session)
        if home is None:
            home = homes[session] = Home(session)
        return home

    guarded.is_guarded = True  # type: ignore[attr-defined]
    request_utils._get_request_session = guarded  # noqa: SLF001


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _WaryAdapter(HTTPAdapter):
    """Asks no forbidden address: neither one that is written or that a name resolves to, nor one that is connected."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        url = str(request.url)
        host = urlsplit(url).hostname or ""
        if is_forbidden(host) or any(map(is_forbidden, _resolved(host))):
            raise forbidden(url)
        return super().send(request, *args, **options)


def _resolved(host: str) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        # Then it cannot be connected either, unless a proxy knows it.
        return []


class _Checked:
    """A connection of which the other end is looked at before anything is sent: a name may resolve anew each time."""

    def _new_conn(self) -> socket.socket:
        found: socket.socket = super()._new_conn()  # type: ignore[misc]
        if is_forbidden(str(found.getpeername()[0])):
            found.close()
            raise forbidden(f"//{self.host}")  # type: ignore[attr-defined]
        return found


class _Connection(_Checked, HTTPConnection):
    pass


class _TlsConnection(_Checked, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection

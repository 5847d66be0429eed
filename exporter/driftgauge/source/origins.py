"""Which places a tracking server may name for artifacts, and which of them get its credentials.

A run, a model version or a logged model says where its files are, and whoever may write those can write anything there.
A place is taken for what every reader takes it for, or it is refused.
"""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from driftgauge.errors import BatchError
from driftgauge.hiding import hidden
from driftgauge.source.entries import PROXIED, scheme_of

# Of a run or a logged model, as MLflow's own file stores and servers without an artifact proxy lay them out.
_RUN_FOLDER: Final = re.compile(r"/(?:m-)?[0-9a-f]{32}/artifacts/?$")
_PORTS: Final = {"http": 80, "https": 443}
_LOCAL: Final = frozenset({"", "file"})
# What looks like a host in these is a bucket.
_BUCKETS: Final = frozenset({"s3", "gs"})
# Tracking URIs behind which is a server rather than a database or folder of this installation.
_SERVERS: Final = ("http:", "https:", "databricks", "uc")
# Link-local addresses, and those at which clouds give a machine its credentials: Amazon's, Google's, Alibaba's,
# Oracle's and Azure's.
_FORBIDDEN: Final = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128", "100.100.100.200/32", "192.0.0.192/32",
            "168.63.129.16/32",
        ),
    )
)  # fmt: skip
_FORBIDDEN_NAMES: Final = frozenset({"metadata", "metadata.google.internal", "instance-data"})
# IPv4 within IPv6: translated (RFC 6052), compatible (RFC 4291).
_WRAPPED: Final = tuple(map(ip_network, ("64:ff9b::/96", "::/96")))
# Schemes of which the URI names the host that gets our token; of these domains the cloud's owner is the only one.
_CLOUDS: Final = {
    "abfss": re.compile(r"\.dfs\.(core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)|fabric\.microsoft\.com)$"),
    "wasbs": re.compile(r"\.blob\.core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)$"),
    "r2": re.compile(r"\.r2\.cloudflarestorage\.com$"),
    "b2": re.compile(r"\.backblazeb2\.com$"),
}
_CLOUDS["abfs"] = _CLOUDS["abfss"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a request is sent to."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin | None:
    """Return whom an http(s) URL asks; None where two readers of it might not agree, or where it is another URL."""
    if not url.isprintable() or "\\" in url or " " in url:
        return None
    try:
        ours, theirs = urlsplit(url), parse_url(url)
        host, port = _ascii(ours.hostname or ""), ours.port
    except (ValueError, LocationParseError):
        return None
    if ours.scheme not in _PORTS or not host or (host, port) != (_ascii((theirs.host or "").strip("[]")), theirs.port):
        return None
    return Origin(ours.scheme, host, port or _PORTS[ours.scheme])


def is_forbidden(host: str) -> bool:
    """Return whether a host is, in any spelling, an address that is never asked; other names are not looked up."""
    plain = _ascii(host).strip("[]").rstrip(".").partition("%")[0]
    address = _address(plain)
    return plain in _FORBIDDEN_NAMES or (address is not None and any(address in network for network in _FORBIDDEN))


def forbidden(url: str) -> BatchError:
    """Return the failure for a place at such an address."""
    return BatchError(
        "forbidden_address",
        f"{hidden(url)} is at a link-local or metadata address, which is never read: correct the artifact location",
    )


@dataclass(frozen=True, slots=True)
class Borders:
    """What a tracking server may name.

    artifact_hosts: those of the configuration, host[:port], that files may be read from without its credentials.
    """

    tracking_uri: str
    artifact_hosts: tuple[str, ...] = ()

    @property
    def home(self) -> Origin | None:
        """The only origin that gets the tracking server's credentials."""
        return origin_of(self.tracking_uri)

    def is_home(self, url: str) -> bool:
        """Return whether a URL asks the tracking server itself."""
        return self.home is not None and origin_of(url) == self.home

    def url_of(self, root: str) -> str:
        """Return the http(s) URL that an http(s) or mlflow-artifacts URI means; its user is ours where that is home."""
        url = root
        if root.lower().startswith("mlflow-artifacts:"):
            url = MlflowArtifactsRepository.resolve_uri(root, self.tracking_uri)
        if self.is_home(url):
            url = urlunsplit(urlsplit(url)._replace(netloc=urlsplit(self.tracking_uri).netloc))
        return url

    def refuse(self, root: str) -> None:
        """Raise BatchError when the tracking server may not name the artifact root `root`.

        Its reasons: "local_path", "foreign_host", "forbidden_address", "unusable_root".
        """
        if not root.isprintable() or root != root.strip() or "\\" in root:
            raise BatchError("unusable_root", f"the artifact root {root!a} is no address: correct it")
        scheme = scheme_of(root)
        if scheme in _LOCAL:
            self._refuse_local(root)
        elif is_forbidden(_host(root)) and scheme not in _BUCKETS:
            raise forbidden(root)
        elif scheme in PROXIED:
            if scheme not in _PORTS and self.home is None:
                raise BatchError(
                    "unusable_root",
                    f'"{hidden(root)}" is served by a tracking server: write its http address as mlflow.tracking_uri',
                )
            self._refuse_host(self.url_of(root), root)
        else:
            self._refuse_store(scheme, root)

    def _refuse_local(self, root: str) -> None:
        if self.tracking_uri.startswith(_SERVERS) and not self._is_run_of_this_machine(root):
            raise BatchError(
                "local_path",
                f'{hidden(self.tracking_uri)} names the folder "{hidden(root)}", which would be one of this '
                "machine: have the server serve its artifacts (mlflow server --artifacts-destination), or read the "
                "folder by models[].predictions.files",
            )

    def _is_run_of_this_machine(self, root: str) -> bool:
        """Return whether a folder is one that MLflow makes for a run, named by a server on this machine."""
        host = self.home.host if self.home else ""
        address = _address(host)
        is_here = host in {"localhost", "::1"} or (address is not None and address.is_loopback)
        return is_here and bool(_RUN_FOLDER.search(root)) and ".." not in root.split("/")

    def _refuse_host(self, url: str, root: str) -> None:
        origin = origin_of(url)
        if origin is not None and origin == self.home:
            return
        if origin is None or ("@" in urlsplit(url).netloc):
            raise BatchError("foreign_host", f'"{hidden(root)}" does not say clearly which host it means: correct it')
        if not self._is_allowed(origin):
            raise self._foreign(f"{origin.host}:{origin.port}", root)

    def _refuse_store(self, scheme: str, root: str) -> None:
        host, own = _ascii(_host(root)), _CLOUDS.get(scheme)
        if own and not own.search(host) and not self._is_allowed(Origin("https", host, _PORTS["https"])):
            raise self._foreign(host, root)

    def _is_allowed(self, origin: Origin) -> bool:
        return any(allowed_host(text, origin.scheme) == (origin.host, origin.port) for text in self.artifact_hosts)

    def _foreign(self, host: str, root: str) -> BatchError:
        return BatchError(
            "foreign_host",
            f'"{hidden(root)}" is on another host than the tracking server: if files may be read there, write '
            f"mlflow.artifact_hosts: [{host}]; it gets no credentials of the tracking server",
        )


def _host(root: str) -> str:
    """Return the host that an artifact root names, "" for none; raises BatchError "unusable_root"."""
    try:
        return urlsplit(root).hostname or ""
    except ValueError:
        raise BatchError("unusable_root", f'"{hidden(root)}" is no address: correct it') from None


def allowed_host(text: str, scheme: str) -> tuple[str, int] | None:
    """Return host and port of an entry of `mlflow.artifact_hosts`, without one the port of the scheme."""
    found = origin_of(f"{scheme}://{text}")
    return (found.host, found.port) if found else None


def _ascii(host: str) -> str:
    """Return a host name as it is looked up: lower case, other alphabets encoded."""
    if host.isascii():
        return host.lower()
    try:
        return host.encode("idna").decode().lower()
    except UnicodeError:
        return ""


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is, also one that is written as one number, in octal or in hexadecimal."""
    try:
        found = ip_address(host)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    if isinstance(found, IPv4Address):
        return found
    within = found.ipv4_mapped or found.sixtofour
    if within is None and any(found in network for network in _WRAPPED):
        within = IPv4Address(int(found) & 0xFFFFFFFF)
    return within or found

"""Where the pages are: the paths that are answered, and the links by which people reach them.

As in Prometheus and its exporters, `--web.route-prefix` is what paths begin with here, and `--web.external-url` where
people find the landing page, through a proxy as well. One of them is enough where a proxy passes paths on as they are.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from driftgauge.errors import ConfigError
from driftgauge.redaction import without_secrets

# What needs no escaping in a URL and means nothing to the router.
_PATH: Final = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._~-]+)*")
# Beside the landing page and what is below /-/.
_TAKEN: Final = ("/config", "/models")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """prefix: what the paths that are answered begin with. outside: the same for links. telemetry: after either."""

    prefix: str = ""
    outside: str = ""
    telemetry: str = "/metrics"

    def path(self, page: str) -> str:
        """Return the path at which a page is answered; `page` begins with a slash."""
        return self.prefix + page

    def link(self, page: str) -> str:
        """Return the path at which people find a page."""
        return self.outside + page


def site_of(*, telemetry_path: str = "/metrics", route_prefix: str | None = None, external_url: str = "") -> Site:
    """Return what the flags mean; the prefix is by default the path of the external URL. Raises ConfigError."""
    outside = _external_path(external_url)
    prefix = outside if route_prefix is None else f"/{route_prefix.strip('/')}".rstrip("/")
    if not _PATH.fullmatch(prefix):
        raise ConfigError(
            f'--web.route-prefix: "{route_prefix}" is no path such as /driftgauge: letters, digits and . _ ~ - between '
            "slashes"
        )
    if not telemetry_path or not _PATH.fullmatch(telemetry_path):
        raise ConfigError(
            f'--web.telemetry-path: "{telemetry_path}" is no path such as /metrics: it begins with a slash and has '
            "letters, digits and . _ ~ - between slashes"
        )
    if telemetry_path in _TAKEN or telemetry_path.startswith(("/-/", "/models/")):
        raise ConfigError(
            f'--web.telemetry-path: "{telemetry_path}" is another page of driftgauge; choose another path'
        )
    return Site(prefix=prefix, outside=outside if external_url else prefix, telemetry=telemetry_path)


def _external_path(url: str) -> str:
    """Return the path of the external URL without a slash at its end."""
    if not url:
        return ""
    mistake = (
        f'--web.external-url: "{without_secrets(url)}" is no URL such as https://monitoring.example.com/driftgauge/'
    )
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ConfigError(mistake) from error
    if not known or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigError(f"{mistake}: scheme, host and path, and neither user, query nor fragment")
    path = parts.path.rstrip("/")
    if not _PATH.fullmatch(path):
        raise ConfigError(f"{mistake}: its path has letters, digits and . _ ~ - between slashes")
    return path

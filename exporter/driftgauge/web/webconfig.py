"""The web configuration file of Prometheus' exporter-toolkit: TLS, users and response headers.

The format is https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md. As there, the file
is looked at again for each request and connection, so that certificates and passwords can be changed without a restart;
a file that was broken meanwhile leaves the last good one in use. Keys that this server could not honour (HTTP/2, cipher
lists, rate limits) are rejected rather than ignored. The caller that builds a `WebConfigFile` parses the YAML.
"""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Protocol, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from driftgauge.errors import ConfigError

_log = structlog.get_logger()

BcryptHash = Annotated[str, StringConstraints(pattern=r"^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$")]
# The headers exporter-toolkit lets its users set; a value is one line of visible ASCII.
HeaderName = Literal[
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[ -~]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TlsConfig(_Section):
    """Certificate, key and, when clients have to show one too, the authority that signs theirs."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    client_auth_type: Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] = "NoClientCert"
    min_version: Literal["TLS12", "TLS13"] = "TLS12"

    @model_validator(mode="after")
    def _client_certificates_need_both(self) -> Self:
        if (self.client_ca_file is None) != (self.client_auth_type == "NoClientCert"):
            raise ValueError("client_ca_file and a client_auth_type that verifies belong together: set both or none")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file the configuration names."""
        named = (self.cert_file, self.key_file, self.client_ca_file)
        return tuple(path for path in named if path is not None)


class HttpServerConfig(_Section):
    """What is added to every response, over the headers driftgauge sets itself."""

    headers: Mapping[HeaderName, HeaderValue] = Field(default_factory=dict)


class WebConfig(_Section):
    """A valid web configuration. Without `tls_server_config` it is HTTP, without users it is open."""

    tls_server_config: TlsConfig | None = None
    http_server_config: HttpServerConfig = Field(default_factory=HttpServerConfig)
    basic_auth_users: Mapping[str, BcryptHash] = Field(default_factory=dict)


class ParseMapping(Protocol):
    """Turns YAML text into a mapping, or raises ConfigError."""

    def __call__(self, text: str, *, filename: str) -> Mapping[str, object]:
        """Parse `text`, which came from `filename`."""


def parse_web_config(content: Mapping[str, object], *, filename: str) -> WebConfig:
    """Check the content of a web configuration file. Paths in it are relative to the file.

    Raise ConfigError with one line per mistake; no line repeats a password hash.
    """
    try:
        config = WebConfig.model_validate(content)
    except ValidationError as error:
        lines = (f"{filename}: {line}" for line in map(_describe, error.errors()))
        raise ConfigError("\n".join(lines)) from None
    tls = config.tls_server_config
    if tls is None:
        return config
    base = Path(filename).parent
    return config.model_copy(update={"tls_server_config": tls.model_copy(update=dict(_resolved(tls, base)))})


def _resolved(tls: TlsConfig, base: Path) -> Iterator[tuple[str, Path]]:
    for key in ("cert_file", "key_file", "client_ca_file"):
        path = getattr(tls, key)
        if path is not None:
            yield key, base / path


_MESSAGES: Final[Mapping[str, str]] = {
    "extra_forbidden": "unknown key",
    "missing": "required, but missing",
    "string_pattern_mismatch": "not of the right form (users need a bcrypt hash, headers one line of ASCII text)",
}


def _describe(mistake: ErrorDetails) -> str:
    place = ".".join(str(part) for part in mistake["loc"] if part != "[key]")
    text = _MESSAGES.get(mistake["type"], mistake["msg"].removeprefix("Value error, "))
    return f"{place}: {text}"


class WebConfigFile:
    """The file at `path`, read again when it changed."""

    def __init__(self, path: Path, *, parse: ParseMapping) -> None:
        """Read the file. Raise ConfigError when it is missing or wrong."""
        self._path = path
        self._parse = parse
        self._lock = threading.Lock()
        self._stamp = stamp((path,))
        self._config = self._read()

    def current(self) -> WebConfig:
        """Return the configuration of the newest valid file."""
        with self._lock:
            now = stamp((self._path,))
            if now != self._stamp:
                self._stamp = now
                self._reread()
            return self._config

    def _reread(self) -> None:
        try:
            self._config = self._read()
        except ConfigError as error:
            _log.error("the web configuration is wrong, the last good one stays in use", error=str(error))
        else:
            _log.info("reread the web configuration", file=str(self._path))

    def _read(self) -> WebConfig:
        name = str(self._path)
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}: cannot be read: {error}") from error
        return parse_web_config(self._parse(text, filename=name), filename=name)


def stamp(paths: tuple[Path, ...]) -> tuple[tuple[int, ...] | None, ...]:
    """Return a value that changes with the files; None for a file that does not exist."""
    return tuple(map(_stamp, paths))


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size

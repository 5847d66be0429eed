"""What is never shown: texts that are secret, and the user, password, query and fragment of every URI. Pure.

Secret are the values of environment variables whose name says so, and what URIs carry besides the place. They are
found wherever they turn up, as they are or as URLs, HTML, JSON and Python write them. A value of fewer than `SHORTEST`
characters, or one as common as "password", would hide half of every text: it is hidden within URIs only.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

# What is shown in the place of a secret.
SECRET: Final = "<secret>"  # noqa: S105
SHORTEST: Final = 6

_NAME: Final = re.compile(
    r"passw|passphrase|_pwd|_pass(?![a-z])|secret|token|credential|(?<![a-z])auth(?!or)|key(?![a-z])|signature|_sas(?![a-z])"
    r"|connection_?string|_dsn(?![a-z])",
    re.IGNORECASE,
)
# Named like a secret, but the name of something else: a file, a socket, a plug-in, Kubernetes' service of that name.
_NO_SECRET: Final = re.compile(
    r"_(file|path|dir|sock|socket|url|host|port|timeout)$|_service_port|_port_\d+_|^MLFLOW_TRACKING_AUTH$",
    re.IGNORECASE,
)
_COMMON: Final = frozenset(
    {
        "123456", "12345678", "changeme", "default", "disabled", "driftgauge", "enabled", "grafana", "localhost",
        "minioadmin", "mlflow", "monitoring", "password", "postgres", "prometheus", "public", "secret", "tracking",
    }
)  # fmt: skip
# Of a text that may be a URI as a whole. The second form of a user catches a password with an unescaped "/" in it, the
# third is one without a scheme before it.
_USER: Final = re.compile(r"(?<=//)(?:[^/?#]*|[^/?#:]*:(?!\d+/).*)@")
_BARE_USER: Final = re.compile(r"^(?![A-Za-z][\w+.-]*:/)[^\s/:@]+:(?!/)[^@]*@(?=.)")
# Signed URLs and OAuth redirects carry secrets under names nobody can list, so all of query and fragment goes.
_QUERY: Final = re.compile(r"(?<=:/)([^?#]*)([?#]).*")
# The same within other text, where a URI ends at a blank or a quotation mark. Bounded, for servers write such texts.
_END: Final = r"\s\"'<>`"
# What is hidden already ends none.
_REST: Final = rf"[^{_END}]*(?:{SECRET}[^{_END}]*)*"
_PLACE: Final = rf"[^?#{_END}]{{0,500}}+(?:{SECRET}[^?#{_END}]{{0,500}}+){{0,8}}+"
_FIELD: Final = rf"[^=#{_END}]{{0,200}}+(?:{SECRET}[^=#{_END}]{{0,200}}+){{0,8}}+"
_USER_WITHIN: Final = re.compile(
    rf"(?<=://)(?:[^/?#{_END}]{{0,500}}|[^/?#:{_END}]{{0,200}}:(?!\d+/)[^{_END}]{{0,500}})@"
)
_BARE_USER_WITHIN: Final = re.compile(rf"(?<![\w/:.@+%-])[^\W\d][\w.+%-]*:[^/:@{_END}]+@(?=[\w\[])")
_QUERY_WITHIN: Final = re.compile(rf"(:/{_PLACE}\?)(?:{SECRET}|[^{_END}]){_REST}|(\?)[^?{_END}]*={_REST}")
_FRAGMENT_WITHIN: Final = re.compile(rf"(:/{_PLACE}#){_FIELD}={_REST}")
_HEADER: Final = re.compile(r"(?i)((?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?)(?:[a-z0-9-]+\s+)?[^\s'\",]+")


def is_secret_name(name: str) -> bool:
    """Return whether a variable of this name holds a secret."""
    return _NAME.search(name) is not None and _NO_SECRET.search(name) is None


def without_secrets(text: str) -> str:
    """Return a value with user, query and fragment replaced, where it is a URI or an address with a user."""
    shown = _BARE_USER.sub(f"{SECRET}@", _USER.sub(f"{SECRET}@", text))
    return _QUERY.sub(rf"\1\2{SECRET}", shown)


def secrets_of(text: str) -> Iterator[str]:
    """Yield the passwords, tokens and signatures of a value, where it is a URI or a connection string."""
    if bare := _BARE_USER.match(text):
        yield bare[0].rstrip("@").partition(":")[2]
    if user := _USER.search(text):
        name, colon, password = user[0].rstrip("@").partition(":")
        yield password if colon else name
        yield unquote(password if colon else name)
    if "://" in text:
        yield from _of_query(text)
    for part in text.split(";"):
        key, equals, value = part.partition("=")
        if equals and is_secret_name(key.replace("Shared", "_").replace("Account", "_")):
            yield value


def _of_query(text: str) -> Iterator[str]:
    try:
        parts = urlsplit(text)
    except ValueError:
        return
    for field in re.split("[&;]", f"{parts.query}&{parts.fragment}"):
        value = field.partition("=")[2] or field
        yield value
        yield unquote(value)


def secrets_in(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets of an environment: values under a secret's name, and what URIs in other values carry."""
    for name, value in environ.items():
        if is_secret_name(name):
            yield value
            # A key of many lines is shown a line at a time.
            yield from re.split(r"\n|\\n", value)
        if "://" in value or ";" in value:
            yield from secrets_of(value)
    user, password = environ.get("MLFLOW_TRACKING_USERNAME"), environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        yield base64.b64encode(f"{user}:{password}".encode()).decode()


class Secrets:
    """Texts that are not shown; immutable. texts: those that are too short or too common to be told are left out."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        told = dict.fromkeys(text.strip() for text in texts)
        numbers: dict[str, int] = {}
        for number, text in enumerate([text for text in told if _can_be_told(text)], start=1):
            for spelling in _spellings(text):
                numbers.setdefault(spelling, number)
        self._numbers = numbers
        longest_first = sorted(numbers, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if numbers else None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self._known is not None

    def hide_known(self, text: str) -> str:
        """Return text without these secrets."""
        return self._known.sub(SECRET, text) if self._known else text

    def label(self, text: str) -> str:
        """Return text without these secrets, in which two of them stay two."""
        return self._known.sub(lambda found: f"<secret {self._numbers[found[0]]}>", text) if self._known else text

    def hide(self, text: str) -> str:
        """Return a message without these secrets, and without user, query and fragment of the URIs in it."""
        # A user whose password is known is one as well, and no longer recognised once that is hidden.
        text = self.hide_known(_USER_WITHIN.sub(f"{SECRET}@", text))
        text = _USER_WITHIN.sub(f"{SECRET}@", text)
        text = _BARE_USER_WITHIN.sub(f"{SECRET}@", text)
        text = _QUERY_WITHIN.sub(lambda found: f"{found[1] or found[2]}{SECRET}", text)
        return _HEADER.sub(rf"\1{SECRET}", _FRAGMENT_WITHIN.sub(rf"\1{SECRET}", text))


def _can_be_told(text: str) -> bool:
    return len(text) >= SHORTEST and text.lower() not in _COMMON


def _spellings(text: str) -> set[str]:
    """Return a text as it is and as others write it."""
    escaped = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]
    return {text, quote(text), quote(text, safe=""), quote_plus(text), html.escape(text), *escaped}

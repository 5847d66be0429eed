"""Which representation a client wants, from its Accept and Accept-Encoding headers (RFC 9110, section 12).

Two formats and two encodings are on offer. Text has two versions, which differ only in how names other than
`[a-zA-Z_:][a-zA-Z0-9_:]*` are written, and so does a client's `escaping`. There are no such names: a page is the same
in each, and the answer says what was asked for. Headers that make no sense count as absent: a scrape that could be
answered is never refused.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

# As prometheus_client writes them; a test holds the two together.
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


_TEXT_1: Final = "text/plain; version=1.0.0; charset=utf-8"
_ESCAPINGS: Final = frozenset({"allow-utf-8", "underscores", "dots", "values"})


class _Choice(NamedTuple):
    value: str
    parameters: dict[str, str]
    quality: float

    @property
    def version(self) -> str:
        return self.parameters.get("version", "")


class Exposition(NamedTuple):
    """openmetrics: whether it is that, and no text. content_type: how the answer is labelled."""

    openmetrics: bool
    content_type: str


def exposition(accept: str) -> Exposition:
    """Return the format that is wanted most: OpenMetrics 1.0 if no less than plain text; wildcards mean text 0.0.4."""
    choices = _choices(accept)
    openmetrics = _best(choices, "application/openmetrics-text", {"1.0.0": OPENMETRICS, "": OPENMETRICS})
    text = _best(choices, "text/plain", {"0.0.4": TEXT, "": TEXT, "1.0.0": _TEXT_1})
    if openmetrics is not None and openmetrics.quality >= (text.quality if text else 0):
        return Exposition(openmetrics=True, content_type=openmetrics.value)
    return Exposition(openmetrics=False, content_type=text.value if text else TEXT)


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether gzip may be sent; a quality of 0 forbids it, also against a wildcard."""
    qualities = {choice.value: choice.quality for choice in _choices(accept_encoding)}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _best(choices: Iterable[_Choice], value: str, versions: Mapping[str, str]) -> _Choice | None:
    """Return the choice of this type and one of these versions that is wanted most, as the answer is to be labelled."""
    found = [each for each in choices if each.value == value and each.quality and each.version in versions]
    if not found:
        return None
    best = max(found, key=lambda each: each.quality)
    escaping = best.parameters.get("escaping", "")
    # Version 0.0.4 has none.
    said = f"; escaping={escaping}" if escaping in _ESCAPINGS and best.version == "1.0.0" else ""
    return best._replace(value=versions[best.version] + said)


def _choices(header: str) -> list[_Choice]:
    found = []
    for item in header.split(","):
        value, *rest = (part.strip() for part in item.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}
        found.append(_Choice(value.lower(), parameters, _quality(parameters.get("q", "1"))))
    return found


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0

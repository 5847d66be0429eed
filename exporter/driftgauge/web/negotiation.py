"""Which representation a client wants, from its Accept and Accept-Encoding headers (RFC 9110, section 12).

Two formats and two encodings are on offer, so each question has a yes or no answer. Headers that make no sense count
as absent: a scrape that could be answered is never refused.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

# As prometheus_client writes them; a test holds the two together.
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class _Choice(NamedTuple):
    value: str
    parameters: dict[str, str]
    quality: float


def prefers_openmetrics(accept: str) -> bool:
    """Return whether OpenMetrics 1.0 is asked for and no less wanted than plain text; wildcards mean text."""
    choices = list(_choices(accept))
    openmetrics = _best(
        choice
        for choice in choices
        if choice.value == "application/openmetrics-text" and choice.parameters.get("version", "1.0.0") == "1.0.0"
    )
    text = _best(choice for choice in choices if choice.value == "text/plain")
    return openmetrics > 0 and openmetrics >= text


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether gzip may be sent; a quality of 0 forbids it, also against a wildcard."""
    qualities = {choice.value: choice.quality for choice in _choices(accept_encoding)}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _best(choices: Iterator[_Choice]) -> float:
    return max((choice.quality for choice in choices), default=0.0)


def _choices(header: str) -> Iterator[_Choice]:
    for item in header.split(","):
        value, *rest = (part.strip() for part in item.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}
        yield _Choice(value.lower(), parameters, _quality(parameters.get("q", "1")))


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0

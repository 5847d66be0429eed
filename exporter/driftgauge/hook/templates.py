"""Text with placeholders such as `{{ model }}`, filled in from an alert.

Values of alerts are data wherever they are put: in a body they stay within their JSON text, in a URL they are
percent-encoded, and in a command each argument stays one argument.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from driftgauge.errors import DriftgaugeError

MAX_CHARACTERS: Final = 2**16


class TemplateFailed(DriftgaugeError):
    """A placeholder could not be filled in."""


def _environment(finalize: Callable[[Any], Any] | None = None) -> SandboxedEnvironment:
    # The results are JSON, URLs and arguments, never HTML.
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, finalize=finalize)


_PLAIN: Final = _environment()
_IN_URL: Final = _environment(lambda value: quote(str(value), safe=""))


def filled(value: Any, context: Mapping[str, Any]) -> Any:
    """Return JSON values in which every text is filled in; keys are left as they are. Raises TemplateFailed."""
    match value:
        case str():
            return _rendered(_PLAIN, value, context)
        case dict():
            return {key: filled(below, context) for key, below in value.items()}
        case list() | tuple():
            return [filled(below, context) for below in value]
    return value


def filled_url(text: str, context: Mapping[str, Any]) -> str:
    """Return a URL in which values are percent-encoded, slashes among them. Raises TemplateFailed."""
    return _rendered(_IN_URL, text, context)


def _rendered(environment: SandboxedEnvironment, text: str, context: Mapping[str, Any]) -> str:
    try:
        found = environment.from_string(text).render(context)
    except (
        TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        raise TemplateFailed(f"{text[:100]!r} cannot be filled in: {error}") from error
    if len(found) > MAX_CHARACTERS:
        raise TemplateFailed(f"{text[:100]!r} is longer than {MAX_CHARACTERS} characters when filled in")
    return found

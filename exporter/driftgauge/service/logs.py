"""Log lines to stderr, the same in both processes."""

import sys
from collections.abc import MutableMapping
from typing import Any, Final, NamedTuple

from driftgauge.hiding import hidden

# What is not a message, at each line.
_OWN: Final = frozenset({"timestamp", "level"})


class Logs(NamedTuple):
    """The least level that is logged, and how: logfmt or json."""

    level: str = "info"
    style: str = "logfmt"


def printable(text: str) -> str:
    """Return text that stays on its line and changes nothing else in a terminal: control characters as escapes.

    Parts of messages come from servers and files.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def configure_logging(logs: Logs) -> None:
    """Send log lines of at least this level to stderr."""
    import logging  # noqa: PLC0415 - the command line says how to log before it imports what takes long

    import structlog  # noqa: PLC0415 - as above

    renderer: Any = structlog.processors.JSONRenderer()
    escaping: list[Any] = []
    if logs.style == "logfmt":
        escaping = [_escape]
        renderer = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _hide,
            *escaping,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, logs.level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _hide(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what is secret; before it is written in another way."""
    for name, value in event.items():
        if name not in _OWN:
            event[name] = _shown(value)
    return event


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, list | tuple | set | dict):
        return [_shown(each) for each in value] if not isinstance(value, dict) else hidden(repr(value))
    return value if isinstance(value, int | float | None) else hidden(str(value))


def _escape(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters, but for the line ends, which the renderer of logfmt escapes."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = "\n".join(map(printable, value.split("\n")))
    return event

"""Log lines to stderr, the same in both processes."""

import sys
from typing import Any, NamedTuple


class Logs(NamedTuple):
    """The least level that is logged, and how: logfmt or json."""

    level: str = "info"
    style: str = "logfmt"


def configure_logging(logs: Logs) -> None:
    """Send log lines of at least this level to stderr."""
    import logging  # noqa: PLC0415 - the command line says how to log before it imports what takes long

    import structlog  # noqa: PLC0415 - as above

    renderer: Any = structlog.processors.JSONRenderer()
    if logs.style == "logfmt":
        renderer = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, logs.level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

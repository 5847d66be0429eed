"""What the commands of the command line have in common: options, the files that they name, and how they give up.

Only what a command needs is imported, when it runs.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from driftgauge.errors import ConfigError, DriftgaugeError, StateDamaged, StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftgauge.service.config_file import ConfigFile
    from driftgauge.web.webconfig import WebConfigFile

EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 2

config_file = click.option(
    "--config.file",
    "config_path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration.",
)
log_level = click.option(
    "--log.level", "level", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"])
)
log_format = click.option(
    "--log.format", "style", default="logfmt", show_default=True, type=click.Choice(["logfmt", "json"])
)


def read_web_config(path: Path) -> "WebConfigFile":
    """Return the web configuration, which is read again when it changes; raises ConfigError."""
    from driftgauge.config import load_mapping
    from driftgauge.web.webconfig import WebConfigFile

    return WebConfigFile(path, parse=load_mapping)


def reader(path: Path) -> "Callable[[], ConfigFile]":
    """Return a function that reads the configuration file as it is then; what it says is not checked."""

    def read() -> "ConfigFile":
        from driftgauge.service.config_file import ConfigFile

        return ConfigFile(str(path), read_text(path))

    return read


def read_text(path: Path) -> str:
    """Return a file's text. Raises ConfigError, for it is one that the user named."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text: {error}") from error


def parse_time(text: str) -> float:
    """Return an ISO 8601 time as seconds since 1970; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--at: {text!r} is no ISO 8601 time such as 2026-01-31T00:00:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def give_up(error: Exception) -> NoReturn:
    """Print why nothing can be done, and exit: 2 when somebody has to do something first, 1 otherwise.

    That is a mistake in the configuration, or a damaged state.
    """
    click.echo(
        str(error)
        if isinstance(error, DriftgaugeError) and not isinstance(error, StateError)
        else f"driftgauge: {error}",
        err=True,
    )
    sys.exit(EXIT_CONFIG if isinstance(error, ConfigError | StateDamaged) else EXIT_FAILED)

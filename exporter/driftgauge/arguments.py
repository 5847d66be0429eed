"""What the commands of the command line have in common: options, the files that they name, and how they give up.

Only what a command needs is imported, when it runs.
"""

import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from driftgauge.errors import ConfigError, DriftgaugeError, StateDamaged, StateError
from driftgauge.hiding import hidden
from driftgauge.sharding import Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftgauge.service.config_file import ConfigFile
    from driftgauge.web.webconfig import WebConfigFile

F = TypeVar("F", bound="Callable[..., Any]")

EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 2


class Commands(click.Group):
    """A group of commands that says in one line what is wrong with a command line."""

    def main(  # type: ignore[override] # it always exits
        self, args: "Sequence[str] | None" = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run a command and exit; see click."""
        try:
            status = super().main(args, prog_name, **(extra | {"standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(EXIT_CONFIG)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "driftgauge"
            text = " ".join(error.format_message().split()).removesuffix(".")
            click.echo(f"{path}: {text}; see {path} --help", err=True)
            sys.exit(EXIT_CONFIG)
        except click.Abort:
            sys.exit(EXIT_FAILED)
        sys.exit(status if isinstance(status, int) else 0)


def flag(name: str, parameter: str, **options: Any) -> "Callable[[F], F]":
    """Return an option that may also be given by the environment: --web.max-requests as DRIFTGAUGE_WEB_MAX_REQUESTS."""
    words = name.partition("/")[0].removeprefix("--").upper()
    variable = "DRIFTGAUGE_" + words.replace(".", "_").replace("-", "_")
    return click.option(name, parameter, envvar=variable, show_envvar=True, **options)


config_file = flag(
    "--config.file",
    "config_path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration.",
)
shard_flag = flag(
    "--shard",
    "shard",
    default="",
    metavar="I/N",
    help="Take the models of shard I of N only, counted from 0. auto: the number that the pod's name ends with, of "
    "DRIFTGAUGE_TOTAL_SHARDS, as in a StatefulSet.",
)
log_level = flag(
    "--log.level",
    "level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least level that is logged.",
)
log_format = flag(
    "--log.format",
    "style",
    default="logfmt",
    show_default=True,
    type=click.Choice(["logfmt", "json"]),
    help="Of the log.",
)


def read_web_config(path: Path) -> "WebConfigFile":
    """Return the web configuration, which is read again when it changes; raises ConfigError."""
    from driftgauge.config import load_mapping
    from driftgauge.web.webconfig import WebConfigFile

    return WebConfigFile(path, parse=load_mapping)


def reader(path: Path, *, shard: str = "") -> "Callable[[], ConfigFile]":
    """Return a function that reads the configuration file as it is then; what it says is not checked.

    shard: as `--shard` has it. Raises ConfigError when there is no such shard.
    """
    chosen = Shard.chosen(shard, environ=os.environ, hostname=socket.gethostname())

    def read() -> "ConfigFile":
        from driftgauge.config import named_thresholds
        from driftgauge.service.config_file import ConfigFile

        text = read_text(path)
        named = named_thresholds(text, filename=str(path), environ=os.environ)
        return ConfigFile(str(path), text, chosen, _named_text(path, Path(named)) if named else None)

    return read


def _named_text(path: Path, named: Path) -> str:
    try:
        return read_text(named)
    except ConfigError as error:
        raise ConfigError(
            f"{path}: thresholds: {error}; write the path of a thresholds.yml, or leave it out"
        ) from error


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
    is_complete = isinstance(error, DriftgaugeError) and not isinstance(error, StateError)
    click.echo(hidden(str(error) if is_complete else f"driftgauge: {error}"), err=True)
    sys.exit(EXIT_CONFIG if isinstance(error, ConfigError | StateDamaged) else EXIT_FAILED)

"""The command `driftgauge hook`."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from driftgauge.arguments import flag, give_up, log_format, log_level, read_text, read_web_config
from driftgauge.errors import DriftgaugeError
from driftgauge.service.logs import Logs, configure_logging

if TYPE_CHECKING:
    from driftgauge.hook.settings import Settings

ADDRESS: Final = "127.0.0.1:10211"


@click.command()
@flag(
    "--hook.file",
    "hook_path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Which alerts start what.",
)
@click.option("--hook.check", "check", is_flag=True, help="Check the file, say whether it is valid, exit.")
@flag(
    "--web.listen-address",
    "addresses",
    multiple=True,
    default=(ADDRESS,),
    show_default=True,
    metavar="HOST:PORT",
    help="Where Alertmanager posts to. May be given several times; in the variable, with spaces between.",
)
@flag(
    "--web.config.file",
    "web_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TLS, client certificates, users and headers, in the format of Prometheus' exporter-toolkit.",
)
@log_level
@log_format
def hook(hook_path: Path, *, check: bool, level: str, style: str, **web: Any) -> None:
    """Receive Alertmanager's notifications at /alerts and start actions such as retraining, each once per incident.

    SIGTERM ends it; actions that run go on, and their outcome is on record at the next start. Exit status 2 when a
    flag or the file is wrong, 1 when another process uses its state.
    """
    from driftgauge.hook.settings import parse_settings

    configure_logging(Logs(level, style))
    os.umask(0o077)
    try:
        settings = parse_settings(read_text(hook_path), filename=str(hook_path), environ=os.environ)
        if not check:
            _serve(settings, **web)
    except DriftgaugeError as error:
        give_up(error)
    if check:
        count = len(settings.actions)
        click.echo(f"{hook_path}: valid, {count} {'action' if count == 1 else 'actions'}")


def _serve(settings: "Settings", *, addresses: tuple[str, ...], web_path: Path | None) -> None:
    import structlog

    from driftgauge.hook.dispatching import Dispatcher
    from driftgauge.hook.intake import Intake
    from driftgauge.hook.journal import only_one, opened
    from driftgauge.hook.receiver import create_app
    from driftgauge.web.listening import bind
    from driftgauge.web.server import Server

    with opened(settings.state_dir), only_one(settings.state_dir):
        dispatcher = Dispatcher(settings)
        intake = Intake(settings, on_received=dispatcher.wake)
        server = Server(
            create_app(
                receive=intake.receive,
                refused=intake.refused,
                metrics=intake.page,
                ready=lambda: dispatcher.alive,
                token_file=settings.bearer_token_file,
            ),
            listeners=bind(*addresses),
            web_config=read_web_config(web_path) if web_path else None,
            unguarded=frozenset({"/-/healthy"}),
            on_started=lambda urls: structlog.get_logger("driftgauge.hook").info("listening", url=" ".join(urls)),
        )
        # There is nothing to read again while it runs: a restart forgets nothing.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        dispatcher.start()
        try:
            server.run()
        finally:
            dispatcher.stop()

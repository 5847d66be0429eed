"""The command `serve`: its flags, which are those of Prometheus' exporters, and the life of the process.

Before requests are answered only what that needs is imported: `/-/healthy` is there within a third of a second.
"""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from driftgauge import __version__
from driftgauge.arguments import config_file, flag, give_up, log_format, log_level, read_web_config, reader, shard_flag
from driftgauge.errors import DriftgaugeError
from driftgauge.service.logs import Logs, configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftgauge.service.config_file import ConfigFile
    from driftgauge.service.front import Front
    from driftgauge.service.starting import Starting
    from driftgauge.web.listening import Listener
    from driftgauge.web.server import Server
    from driftgauge.web.site import Site

ADDRESS: Final = "127.0.0.1:10210"
MAX_REQUESTS: Final = 40


class Web(NamedTuple):
    """The flags that begin with --web, as they are described below."""

    listen_address: tuple[str, ...] = (ADDRESS,)
    systemd_socket: bool = False
    config_file: Path | None = None
    telemetry_path: str = "/metrics"
    route_prefix: str | None = None
    external_url: str = ""
    max_requests: int = MAX_REQUESTS
    health_without_auth: bool | None = None

    def site(self) -> "Site":
        """Return where pages are; raises ConfigError."""
        from driftgauge.web.site import site_of

        return site_of(
            telemetry_path=self.telemetry_path, route_prefix=self.route_prefix, external_url=self.external_url
        )

    def listeners(self) -> "list[Listener]":
        """Return what to listen on; raises ConfigError."""
        from driftgauge.web.listening import bind, passed

        return passed(os.environ) if self.systemd_socket else bind(*self.listen_address)

    def unguarded(self, site: "Site") -> frozenset[str]:
        """Return the paths that need no credentials."""
        pages = {None: ("/-/healthy",), True: ("/-/healthy", "/-/ready"), False: ()}[self.health_without_auth]
        return frozenset(map(site.path, pages))


_FLAGS: Final = (
    flag(
        "--web.listen-address",
        "listen_address",
        multiple=True,
        default=(ADDRESS,),
        show_default=True,
        metavar="HOST:PORT",
        help="Where to serve: host:port, [IPv6]:port, or :port for every interface. May be given several times; in "
        "the variable, with spaces between.",
    ),
    flag(
        "--web.systemd-socket",
        "systemd_socket",
        is_flag=True,
        help="Serve on the sockets that a systemd .socket unit passes, in place of --web.listen-address.",
    ),
    flag(
        "--web.config.file",
        "config_file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="TLS, users and headers, in the format of Prometheus' exporter-toolkit; read again when it changes.",
    ),
    flag(
        "--web.telemetry-path",
        "telemetry_path",
        default="/metrics",
        show_default=True,
        metavar="PATH",
        help="Where the metrics are, below the route prefix.",
    ),
    flag(
        "--web.route-prefix",
        "route_prefix",
        metavar="PATH",
        help="What all paths begin with; default the path of --web.external-url. / where a proxy takes the prefix off.",
    ),
    flag(
        "--web.external-url",
        "external_url",
        default="",
        metavar="URL",
        help="Where people reach the landing page, as through a proxy; links and redirects lead there.",
    ),
    flag(
        "--web.max-requests",
        "max_requests",
        default=MAX_REQUESTS,
        show_default=True,
        type=click.IntRange(min=0),
        metavar="N",
        help="How many scrapes are answered at a time; 0 for any number.",
    ),
    flag(
        "--web.health-without-auth/--no-web.health-without-auth",
        "health_without_auth",
        default=None,
        help="Which probes need no credentials where the web configuration has users: /-/healthy and /-/ready, or "
        "none. By default /-/healthy alone.",
    ),
)


def web_flags(command: "Callable[..., None]") -> "Callable[..., None]":
    """Give a command the flags of `Web`."""
    for each in reversed(_FLAGS):
        command = each(command)
    return command


@click.command()
@config_file
@flag("--config.check", "check", is_flag=True, help="Check configuration and flags, say whether they are valid, exit.")
@web_flags
@shard_flag
@log_level
@log_format
def serve(config_path: Path, *, check: bool, shard: str, level: str, style: str, **web: Any) -> None:
    """Refresh in the background and serve /metrics until stopped.

    Each flag may also be given as the environment variable that is named with it; the flag comes first. SIGHUP and
    POST /-/reload read the configuration again; SIGTERM ends it. Exit status 2 when a flag, a file or
    the state directory is wrong, 1 when another process uses the state.
    """
    flags = Web(**web)
    try:
        read_config = reader(config_path, shard=shard)
    except DriftgaugeError as error:
        give_up(error)
    if check:
        check_flags(read_config, flags)
    else:
        run_service(read_config, web=flags, logs=Logs(level, style))


def check_flags(read_config: "Callable[[], ConfigFile]", web: Web) -> None:
    """Say whether all that `serve` is given is valid; give up if not. Nothing is listened on."""
    from driftgauge.web.listening import parse_address

    try:
        web.site()
        for address in web.listen_address:
            parse_address(address)
        if web.config_file is not None:
            from driftgauge.web.tls import Contexts

            Contexts(read_web_config(web.config_file).current)
        file = read_config()
        count = len(file.parsed().models)
    except DriftgaugeError as error:
        give_up(error)
    click.echo(f"{file.name}: valid, {count} {'model' if count == 1 else 'models'}")


def run_service(
    read_config: "Callable[[], ConfigFile]",
    *,
    web: Web,
    logs: Logs,
    on_started: "Callable[[str], None]" = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads. Exits 2 on a bad configuration or state, 1 when that is in use.

    on_started: gets the URL once requests are answered.
    """
    import signal

    from driftgauge.service.notify import Notifier
    from driftgauge.service.starting import Starting

    def make(urls: "Sequence[str]", on_refused: "Callable[[str], None]") -> "Front":
        front = make_front(read_config, urls=urls, on_refused=on_refused, logs=logs)
        on_started(urls[0])
        return front

    notifier = Notifier.from_environment(os.environ)
    starting = Starting(make, notifier=notifier)
    # Before all that takes long: until it is set, the signal would be lost.
    signal.signal(signal.SIGHUP, lambda *_: starting.reload_soon())
    try:
        site = web.site()
        server = make_server(web, site, starting, on_stopping=notifier.stopping)
    except DriftgaugeError as error:
        give_up(error)
    starting.on_failed = server.stop
    starting.answers = partial(server.answers, site.path("/-/healthy"))
    server.run()
    in_order = starting.stop()
    if starting.error is not None:
        give_up(starting.error)
    say_stopped(in_order=in_order)


def make_server(web: Web, site: "Site", starting: "Starting", *, on_stopping: "Callable[[], None]") -> "Server":
    """Return the server that answers for the front that is being started. Raises ConfigError."""
    from driftgauge.web.app import create_app
    from driftgauge.web.server import Server

    return Server(
        create_app(lambda: starting.front, version=__version__, site=site, max_scrapes=web.max_requests),
        web_config=read_web_config(web.config_file) if web.config_file else None,
        listeners=web.listeners(),
        unguarded=web.unguarded(site),
        on_started=starting.start,
        on_stopping=on_stopping,
    )


def make_front(
    read_config: "Callable[[], ConfigFile]", *, urls: "Sequence[str]", on_refused: "Callable[[str], None]", logs: Logs
) -> "Front":
    """Return a front that runs refreshers in processes. Raises ConfigError."""
    import structlog

    from driftgauge.service.front import Front
    from driftgauge.service.process import Process

    configure_logging(logs)
    front = Front(read_config, spawn=Process, on_refused=on_refused, logs=logs)
    structlog.get_logger("driftgauge").info("listening", url=" ".join(urls), version=__version__)
    return front


def say_stopped(*, in_order: bool) -> None:
    """Log the end."""
    import structlog

    log = structlog.get_logger("driftgauge")
    if in_order:
        log.info("stopped")
    else:
        log.warning("stopped in the middle of a refresh: it will be done again after the next start")

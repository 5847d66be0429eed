"""The command line. Options are named as Prometheus names them.

Only what a command needs is imported, when it runs: `--version` and mistakes on the command line answer at once.
"""

import os
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftgauge import __version__
from driftgauge.arguments import (
    EXIT_FAILED,
    Commands,
    config_file,
    give_up,
    log_format,
    log_level,
    parse_time,
    read_text,
    reader,
    shard_flag,
)
from driftgauge.errors import ConfigError, DriftgaugeError, StateError, StateInUse
from driftgauge.hook.commands import hook
from driftgauge.inspection.commands import check_config, inspect
from driftgauge.service.logs import Logs, configure_logging, printable
from driftgauge.serving import ADDRESS, Web, run_service, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="driftgauge %(version)s")
def main() -> None:
    """Prometheus exporter for the health of models in MLflow."""


main.add_command(serve)
main.add_command(inspect)
main.add_command(check_config)
main.add_command(hook)


@main.command()
@config_file
@click.option(
    "--at", "at", metavar="TIME", help="Evaluate as of this ISO 8601 time (UTC unless it has a zone); default now."
)
@click.option(
    "--writeback", is_flag=True, help="Write results to MLflow as well, of models that say writeback; default: nothing."
)
@shard_flag
@log_level
@log_format
def once(config_path: Path, at: str | None, shard: str, level: str, style: str, *, writeback: bool) -> None:
    """Refresh once and print the metrics. Exit status 1 when a model could not be refreshed or written."""
    configure_logging(Logs(level, style))
    from driftgauge.service.health import RefreshHealth
    from driftgauge.service.placing import refuse_unusable
    from driftgauge.service.refreshing import nobody, refresh_once
    from driftgauge.service.writing_back import WritingBack

    # What is in the state is nobody else's business.
    os.umask(0o077)
    try:
        now = time.time() if at is None else parse_time(at)
        config = reader(config_path, shard=shard)().parsed()
        refuse_unusable(config)
        writing = WritingBack(config, RefreshHealth())
        page, failures = refresh_once(config, now=now, found=writing.offer if writeback else nobody)
        unwritten = writing.finish()
    except DriftgaugeError as error:
        give_up(error)
    click.echo(page, nl=False)
    for model, message in failures.items():
        click.echo(f"driftgauge: {model}: {printable(message)}", err=True)
    for model, message in unwritten.items():
        click.echo(f"driftgauge: {model}: results not written to MLflow: {printable(message)}", err=True)
    sys.exit(EXIT_FAILED if failures or unwritten else 0)


@main.command()
@config_file
@click.option("--model", help="Its name in the configuration; not needed where there is only one.")
@click.option("--version", "version", help="Of the model; by default that of the newest prediction.")
@click.option("--window", "window", help="One of the configured windows; by default that of the alerts on drift.")
@click.option(
    "--at", "at", metavar="TIME", help="Report as of this ISO 8601 time (UTC unless it has a zone); default now."
)
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write: .html, .md or .json.",
)
@shard_flag
@log_level
@log_format
def report(  # noqa: PLR0913 - an option each
    *,
    config_path: Path,
    model: str | None,
    version: str | None,
    window: str | None,
    at: str | None,
    output: Path,
    shard: str,
    level: str,
    style: str,
) -> None:
    """Refresh one model and write a report on it. Exit status 1 when it could not be refreshed.

    Where an exporter runs on the same state, it has the same report at /models/NAME.
    """
    configure_logging(Logs(level, style))
    from driftgauge.generator.write import write
    from driftgauge.service.placing import refuse_unusable
    from driftgauge.service.reporting import FORMS, report_once, written

    # What is in the state is nobody else's business; the report is the user's.
    before = os.umask(0o077)
    try:
        form = output.suffix.removeprefix(".").lower()
        if form not in FORMS:
            raise ConfigError(f"--output: {output} ends in no form of a report; there are .{', .'.join(FORMS)}")
        now = time.time() if at is None else parse_time(at)
        config = reader(config_path, shard=shard)().parsed()
        refuse_unusable(config)
        found, failure = report_once(config, model=model, version=version, window=window, now=now)
        os.umask(before)
        write({output.name: written(found, form)}, output.parent)
    except StateInUse as error:
        remedy = f"its own page has the same report, /models/{model or 'NAME'}; or stop it for as long as this takes"
        give_up(StateError(f"{error}. If that is an exporter, {remedy}"))
    except DriftgaugeError as error:
        give_up(error)
    click.echo(f"{output}: {found['verdict']['sentence']}")
    if failure:
        click.echo(f"driftgauge: {found['model']}: {printable(failure[1])}", err=True)
    sys.exit(EXIT_FAILED if failure else 0)


@main.command()
@config_file
@click.option("--model", required=True, help="Its name in the configuration.")
@click.option("--evidence", "evidence", is_flag=True, help="Have its evidence begin anew, and read nothing again.")
@click.option("--version", "version", default="", help="The same, of this version only.")
@click.option("--signal", "signal", default="", help="The same, of this `signal` of model_evidence_log10 only.")
def reset(config_path: Path, model: str, version: str, signal: str, *, evidence: bool) -> None:
    """Have a model read again at the next start, with counters that go on and evidence that begins anew.

    Stop a running exporter before.
    """
    from driftgauge.store import Store, reset_evidence

    try:
        config = reader(config_path)().parsed()
        names = [each.name for each in config.models]
        if model not in names:
            raise ConfigError(f"--model: {config_path} has no model {model!r}; it has {', '.join(names)}")
        with closing(Store.open(config.state_dir)) as store:
            said = _said_of_evidence(reset_evidence(store, model, version=version, signal=signal))
            if not (evidence or version or signal):
                said = "will be read again at the next start" if store.readings(model) else "nothing was read of it yet"
                store.reset(model)
    except StateInUse as error:
        remedy = "stop it, reset the model, and start it. After a change of the configuration SIGHUP is enough"
        give_up(StateError(f"{error}. If that is an exporter: {remedy}"))
    except DriftgaugeError as error:
        give_up(error)
    click.echo(f"{model}: {said}")


def _said_of_evidence(gone: "Mapping[str, Sequence[str]]") -> str:
    found = [f"version {version}: {', '.join(signals)}" for version, signals in gone.items()]
    return f"evidence begins anew of {'; '.join(found)}" if found else "there is no such evidence"


@main.command()
@click.option(
    "--thresholds",
    "thresholds_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What differs from the thresholds that ship with driftgauge; default nothing.",
)
@click.option(
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that gets alerting-rules/ and dashboards/.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 when a file would change.")
@click.option(
    "--config.file",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The exporter's configuration: windows, models and metrics of the thresholds have to be there.",
)
def generate(thresholds_path: Path | None, output: Path, config_path: Path | None, *, check: bool) -> None:
    """Render alerting rules, Alertmanager's configuration, runbooks and dashboards from one file of thresholds."""
    from driftgauge.generator.matching import blind_spots, mismatches
    from driftgauge.generator.outputs import outputs
    from driftgauge.generator.placeholders import next_steps
    from driftgauge.generator.thresholds import FILE, SHIPPED, parse, shipped_text
    from driftgauge.generator.write import differing, write

    try:
        text = read_text(thresholds_path) if thresholds_path else shipped_text()
        thresholds = parse(text, filename=str(thresholds_path or SHIPPED))
        config = reader(config_path)().parsed() if config_path else None
        if config and (wrong := mismatches(thresholds, config)):
            raise ConfigError("\n".join(f"{thresholds_path or SHIPPED}: {line}" for line in wrong))
        texts = outputs(thresholds)
        if not (output / FILE).exists():
            texts[FILE] = text  # to change, and to render from again
        found = differing(texts, output) if check else write(texts, output)
    except DriftgaugeError as error:
        give_up(error)
    for path in found:
        click.echo(f"{path} {'is not what would be written' if check else 'written'}")
    click.echo(f"{output}: {len(texts) - len(found)} of {len(texts)} files are up to date", err=True)
    if not check:
        for line in (*(blind_spots(thresholds, config) if config else ()), *next_steps(thresholds)):
            click.echo(line, err=True)
    sys.exit(EXIT_FAILED if check and found else 0)


@main.command()
@click.option("--web.listen-address", "address", default=ADDRESS, show_default=True, help="Where to serve /metrics.")
@click.option(
    "--directory",
    default="driftgauge-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the demo keeps its MLflow store; emptied at every start.",
)
@click.option(
    "--batch-interval",
    default=0.8,
    show_default=True,
    type=click.FloatRange(min=0.1, max=60),
    help="Seconds until the next hour of flights; windows and waiting times follow.",
)
def demo(address: str, directory: Path, batch_interval: float) -> None:
    """Train a model on real flights, replay them as if they happened now, and serve its metrics.

    With Prometheus and Alertmanager installed it runs them as well, and shows alerts firing and resolving.
    """
    import signal

    logs = Logs("warning")
    configure_logging(logs)
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    def say(text: str) -> None:
        # Where C calls Python, as while a model is trained, an exception that comes from outside is lost.
        if interrupted:
            raise KeyboardInterrupt
        click.echo(text)

    # Until the server takes over.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        url = url_of_free(address)
        from driftgauge.demo import find_programs, own_data, run_demo

        def serve_demo(config: Path, started: "Callable[[str], None]") -> None:
            run_service(reader(config), web=Web((address,)), logs=logs, on_started=started)

        run_demo(directory, serve=serve_demo, programs=find_programs(), batch_interval=batch_interval, url=url, say=say)
    except DriftgaugeError as error:
        give_up(error)
    except KeyboardInterrupt:
        click.echo("Stopped.")
    else:
        click.echo(f"\n{own_data()}", nl=False)
    # All is closed; taking the interpreter and MLflow's libraries apart would only add seconds to the stop.
    sys.stdout.flush()
    os._exit(0)


def url_of_free(address: str) -> str:
    """Return where the address will be reached, "" if its port is not known yet.

    Raise ConfigError when it is wrong or something answers there: better before long preparations.
    """
    import socket

    from driftgauge.web.listening import parse_address

    wanted = parse_address(address)
    with suppress(OSError), socket.create_connection((wanted.host or "localhost", wanted.port), timeout=1):
        raise ConfigError(f"--web.listen-address: {address} is taken; is another driftgauge running? Give a free one")
    return wanted.url

"""The commands that look before anything is served; what they need is imported when they run."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftgauge.arguments import EXIT_FAILED, give_up, reader
from driftgauge.errors import ConfigError, DriftgaugeError, SourceMissing
from driftgauge.hiding import hidden
from driftgauge.service.logs import Logs, configure_logging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftgauge.config import Config, ModelConfig
    from driftgauge.schema import Task


@click.command()
@click.argument("target", metavar="[FILE|RUN]", required=False)
@click.option("--config.file", "config_path", type=click.Path(dir_okay=False, path_type=Path), help="Configuration.")
@click.option("--model", help="Which model of the configuration; default all.")
@click.option(
    "--task", type=click.Choice(["binary", "multiclass", "regression"]), help="Default: judged by the values."
)
@click.option("--reference", metavar="FILE", help="What to compare features with: a path or URI.")
@click.option("--labels", metavar="FILE", help="The labels of these predictions.")
@click.option("--format", "style", default="text", show_default=True, type=click.Choice(["text", "json"]))
def inspect(
    target: str | None,
    config_path: Path | None,
    model: str | None,
    task: "Task | None",
    reference: str | None,
    labels: str | None,
    style: str,
) -> None:
    """Say what a file, a folder, a run in MLflow, or the newest files of a configuration are taken for.

    What each column is and why, which rows would be rejected, how labels and reference fit, what would be published;
    of a file or run also the configuration to paste. Nothing is kept.
    """
    configure_logging(Logs("warning"))
    from driftgauge.inspection.starting import Wanted, of_configuration, of_target
    from driftgauge.inspection.text import as_json, render

    try:
        if (target is None) == (config_path is None):
            raise ConfigError("inspect needs one of the two: a file or run, or --config.file=…")
        if config_path is None:
            found = [of_target(target or "", Wanted(task, labels, reference), os.environ)]
        elif task or reference or labels:
            raise ConfigError(
                "--task, --reference and --labels go with a file or run; here the configuration says them"
            )
        else:
            config = reader(config_path)().parsed()
            found = [of_configuration(config, each) for each in chosen_models(config, model)]
    except SourceMissing as error:
        give_up(ConfigError(str(error)))
    except DriftgaugeError as error:
        give_up(error)
    click.echo(hidden(as_json(found) if style == "json" else "\n".join(map(render, found))), nl=False)


def chosen_models(config: "Config", name: str | None) -> "Sequence[ModelConfig]":
    """Return the models that are meant; raises ConfigError when there is none of that name."""
    found = [model for model in config.models if name in (None, model.name)]
    if not found:
        raise ConfigError(f"--model: there is no {name!r}; there are {', '.join(each.name for each in config.models)}")
    return found


@click.command("check-config")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--online", is_flag=True, help="Ask MLflow, read the newest files, and see whether all fits together.")
def check_config(file: Path, *, online: bool) -> None:
    """Check a configuration file and say what is wrong with it, line by line.

    With --online, exit status 1 when something that it names is missing or does not fit.
    """
    try:
        config = reader(file)().parsed()
    except ConfigError as error:
        give_up(error)
    click.echo(f"{file}: valid, {len(config.models)} {'model' if len(config.models) == 1 else 'models'}")
    if not online:
        return
    configure_logging(Logs("error"))
    from driftgauge.inspection.online import check_online

    wrong = 0
    try:
        for check in check_online(config):
            wrong += not check.right
            click.echo(f"{check.model}: {check.what}: {'ok' if check.right else 'WRONG'}: {hidden(check.text)}")
    except DriftgaugeError as error:
        give_up(error)
    sys.exit(EXIT_FAILED if wrong else 0)

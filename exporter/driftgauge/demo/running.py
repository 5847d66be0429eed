"""The demo in order, from an empty directory to an exporter with flights that keep coming."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import pandas as pd

from driftgauge.demo.directory import claimed
from driftgauge.demo.feeding import Feeder
from driftgauge.demo.flights import load_flights, new_york_time
from driftgauge.demo.guide import CONFIG_FILE, config_text
from driftgauge.demo.journal import Journal
from driftgauge.demo.names import LABELS, PREDICTIONS
from driftgauge.demo.replay import HOUR_SECONDS, Passage, Replay, hours
from driftgauge.demo.training import Training, train
from driftgauge.source import environment

Say = Callable[[str], None]

# The moment of 2013 that becomes the present: a busy hour in a hot July, far from the winter of the training data.
PRESENT: Final = new_york_time(2013, 7, 15, 18)

_END: Final = new_york_time(2014, 1, 1)
_DAY_SECONDS: Final = 24 * HOUR_SECONDS
_MLFLOW_TIMEOUT: Final = 20.0
_HOURS_PER_LINE: Final = 48


def run_demo(
    directory: Path,
    *,
    serve: Callable[[Path], None],
    days: int = 14,
    batch_interval: float = 10.0,
    say: Say = click.echo,
) -> None:
    """Prepare everything in `directory`, then call `serve` with the configuration and feed flights until it returns.

    days: how much past there is; after it comes one more hour of 2013 every `batch_interval` seconds. say: shows
    a line of progress. Raises DriftgaugeError when the directory or the data cannot be used.
    Once per process and directory: MLflow keeps the database open that the next start deletes.
    """
    # Before the first import of MLflow.
    environment.prepare(timeout=_MLFLOW_TIMEOUT)
    with claimed(directory) as path:
        began = time.perf_counter()
        say(f"Preparing the demo in {path}")
        with _step(say, "reading the flights of 2013") as done:
            flights = load_flights()
            done(f"{len(flights):,} departures, with weather and planes")
        with _step(say, "training on January to March") as done:
            training = train(flights)
            metrics = ", ".join(f"{name} {value:.3f}" for name, value in training.metrics.items())
            done(f"{training.rows:,} flights, {len(training.reference):,} more held out as the reference: {metrics}")
        start = PRESENT - days * _DAY_SECONDS
        flights = flights[flights["departed"] >= start]
        with _step(say, "logging model and reference to MLflow") as done:
            replay = _registered(training, path)
            done(f"version {replay.version}")
        _replay_past(replay, flights, start, say)
        config = path / CONFIG_FILE
        config.write_text(config_text(path), encoding="utf-8")
        say(f"Ready after {time.perf_counter() - began:.0f} s.")
        feeder = Feeder(replay.feed, hours(flights, start=PRESENT, end=_END), interval=batch_interval, say=say)
        feeder.start()
        try:
            serve(config)
        finally:
            feeder.stop()


def _registered(training: Training, path: Path) -> Replay:
    from driftgauge.demo.registry import create_experiment, register  # noqa: PLC0415 - brings MLflow

    client, version = register(training, path)
    predictions = Journal(client, create_experiment(client, PREDICTIONS, path), kind="predictions")
    labels = Journal(client, create_experiment(client, LABELS, path), kind="labels")
    return Replay(training.model, version, predictions, labels)


def _replay_past(replay: Replay, flights: pd.DataFrame, start: float, say: Say) -> None:
    """Feed the hours from `start` to `PRESENT` as if they ended now."""
    now = time.time()
    passage = Passage(start, PRESENT, now - (PRESENT - start), now)
    past = list(hours(flights, start=start, end=PRESENT))
    with _step(say, f"replaying {len(past)} hours from July, moved in time so that they end now") as done:
        for number, hour in enumerate(past, start=1):
            replay.feed(hour, passage)
            if number % _HOURS_PER_LINE == 0:
                say(f"    {number} of {len(past)}")
        predictions, labels = sum(len(hour.departures) for hour in past), sum(len(hour.landings) for hour in past)
        done(f"{predictions:,} predictions and {labels:,} labels")


@contextmanager
def _step(say: Say, what: str) -> Iterator[Say]:
    """Announce a step; the function lent says what came of it, and how long it took."""
    began = time.perf_counter()
    say(f"  {what} …")
    yield lambda result: say(f"    {result} ({time.perf_counter() - began:.1f} s)")

"""The demo in order, from an empty directory to an exporter with new flights, and alerts in the terminal."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import click
import pandas as pd

from driftgauge.demo.alerting import Alerting, alerting
from driftgauge.demo.directory import claimed
from driftgauge.demo.feeding import Feeder
from driftgauge.demo.flights import load_flights, new_york_time
from driftgauge.demo.guide import CONFIG_FILE, config_text, target_of, what_to_open
from driftgauge.demo.journal import Journal
from driftgauge.demo.names import LABELS, PREDICTIONS
from driftgauge.demo.pace import Pace
from driftgauge.demo.programs import Programs
from driftgauge.demo.replay import HOUR_SECONDS, Hour, Replay, TimeShift, hours
from driftgauge.demo.story import play
from driftgauge.demo.training import Training, train
from driftgauge.errors import DriftgaugeError
from driftgauge.generator.thresholds import FILE
from driftgauge.source import environment

Say = Callable[[str], None]
# Serves a configuration until stopped, and calls the second argument with the URL once requests are answered.
Serve = Callable[[Path, Callable[[str], None]], None]

# The moment of 2013 that becomes the present: a busy hour in a month much like those of the training data.
PRESENT: Final = new_york_time(2013, 3, 15, 18)

_END: Final = new_york_time(2014, 1, 1)
_DAY_SECONDS: Final = 24 * HOUR_SECONDS
_MLFLOW_TIMEOUT: Final = 20.0
_HOURS_PER_LINE: Final = 48
_NO_PROGRAMS: Final = "  no alerts: for them, apt-get install prometheus prometheus-alertmanager, and start again"


@dataclass(frozen=True, slots=True)
class Past:
    """How much has happened when the demo begins to serve.

    days: at their real distance. recent_days: after these, compressed into the window that holds a week of flights.
    """

    days: int = 3
    recent_days: int = 7


def run_demo(
    directory: Path,
    *,
    serve: Serve,
    programs: Programs | None = None,
    past: Past = Past(),
    batch_interval: float = 0.8,
    url: str = "",
    say: Say = click.echo,
) -> None:
    """Prepare everything in `directory`, then call `serve` with the configuration and feed flights until it returns.

    programs: run next to it for alerts; without them only the exporter runs. batch_interval: seconds between hours of
    2013. url: where `serve` will answer, and alerts lead; "" if that is not known. say: shows lines. Raises
    DriftgaugeError when the directory or the data cannot be used. Once per process and directory: MLflow keeps open the
    database that the next start deletes.
    """
    # Before the first import of MLflow.
    environment.prepare(timeout=_MLFLOW_TIMEOUT)
    pace = Pace(batch_interval)
    with claimed(directory) as path:
        began = time.perf_counter()
        say(f"Preparing the demo in {path}")
        flights, replay = _prepared(path, past, say)
        _replay_past(replay, flights, past, pace, say)
        config = path / CONFIG_FILE
        with _servers(programs, path / "alerting", pace, url, say) as servers:
            text = config_text(path, pace, thresholds=servers.folder / FILE if servers else None)
            config.write_text(text, encoding="utf-8")
            say(f"Ready after {time.perf_counter() - began:.0f} s.")

            coming = _story(flights, replay, servers, path, say)
            feeder = Feeder(replay.feed, coming, interval=batch_interval, say=say)

            def started(found: str) -> None:
                say(what_to_open(found, config, pace=pace, servers=servers).rstrip())
                if servers:
                    servers.scrape(target_of(found))
                feeder.start()

            try:
                serve(config, started)
            finally:
                feeder.stop()


def _story(flights: pd.DataFrame, replay: Replay, servers: Alerting | None, path: Path, say: Say) -> Iterator[Hour]:
    """Return the hours to come as they arrive at the model."""
    return play(
        hours(flights, start=PRESENT, end=_END),
        on_call=servers.phone if servers else None,
        retraining=_Retraining(replay, servers, path),
        say=_at_the_clock(say),
    )


@dataclass(frozen=True, slots=True)
class _Retraining:
    """The next version of the model: from the hook, or without Alertmanager from the same command, begun here."""

    replay: Replay
    servers: Alerting | None
    path: Path

    def begin(self) -> None:
        if self.servers:
            self.servers.turn_on_retraining()
        else:
            subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "driftgauge.demo.retrain", str(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def version(self) -> str:
        return self.replay.version

    def compared(self) -> str:
        found = self.replay.comparison
        before, now = (f"{right / max(found.flights, 1):.1%}" for right in found.right)
        return (
            f"Of the {found.flights:,} flights that version {self.version()} answered and that have landed, it was "
            f"right about {now};\nthe version before it would have been about {before}."
        )


def _prepared(path: Path, past: Past, say: Say) -> tuple[pd.DataFrame, Replay]:
    """Train and register the model; return the flights since the beginning of the past, and their replay."""
    with _step(say, "reading the flights of 2013") as done:
        flights = load_flights()
        done(f"{len(flights):,} departures, with weather and planes")
    with _step(say, "training on January and February") as done:
        training = train(flights)
        metrics = ", ".join(f"{name} {value:.3f}" for name, value in training.metrics.items())
        done(f"{training.rows:,} flights, {len(training.reference):,} more held out as the reference: {metrics}")
    with _step(say, "logging model and reference to MLflow") as done:
        replay = _registered(training, path)
        done(f"version {replay.version}")
    start = PRESENT - (past.days + past.recent_days) * _DAY_SECONDS
    return flights[flights["departed"] >= start], replay


def _registered(training: Training, path: Path) -> Replay:
    from driftgauge.demo.registry import create_experiment, newer, register  # noqa: PLC0415 - brings MLflow

    client, version = register(training, path)
    predictions = Journal(client, create_experiment(client, PREDICTIONS, path), kind="predictions")
    labels = Journal(client, create_experiment(client, LABELS, path), kind="labels")
    return Replay(training.model, version, predictions, labels, newer=partial(newer, client))


def _replay_past(replay: Replay, flights: pd.DataFrame, past: Past, pace: Pace, say: Say) -> None:
    """Feed the hours until `PRESENT` as if they ended now, the recent days compressed like those to come."""
    now = time.time()
    recent, recent_now = PRESENT - past.recent_days * _DAY_SECONDS, now - pace.window
    start = recent - past.days * _DAY_SECONDS
    shifts = (
        TimeShift(start, recent, recent_now - (recent - start), recent_now),
        TimeShift(recent, PRESENT, recent_now, now),
    )
    coming = [
        (hour, each)
        for each in shifts
        if each.start < each.end
        for hour in hours(flights, start=each.start, end=each.end)
    ]
    with _step(say, f"replaying {len(coming)} hours of March, moved in time so that they end now") as done:
        for number, (hour, shift) in enumerate(coming, start=1):
            replay.feed(hour, shift)
            if number % _HOURS_PER_LINE == 0:
                say(f"    {number} of {len(coming)}")
        predictions = sum(len(hour.departures) for hour, _ in coming)
        labels = sum(len(hour.landings) for hour, _ in coming)
        done(f"{predictions:,} predictions and {labels:,} labels")


@contextmanager
def _servers(programs: Programs | None, folder: Path, pace: Pace, url: str, say: Say) -> Iterator[Alerting | None]:
    """Run the alerting; without the programs, or when they do not start, say so and go on."""
    if programs is None:
        say(_NO_PROGRAMS)
        yield None
        return
    with ExitStack() as stack:
        found: Alerting | None = None
        with _step(say, "starting Prometheus, Alertmanager and driftgauge hook") as done:
            try:
                found = stack.enter_context(alerting(programs, folder, pace=pace, reports=url, say=_at_the_clock(say)))
                done(f"{found.prometheus} and {found.alertmanager}")
            except DriftgaugeError as error:
                done(f"no alerts: {error}")
        yield found


@contextmanager
def _step(say: Say, what: str) -> Iterator[Say]:
    """Announce a step; the yielded function shows its result and how long it took."""
    began = time.perf_counter()
    say(f"  {what} …")
    yield lambda result: say(f"    {result} ({time.perf_counter() - began:.1f} s)")


def _at_the_clock(say: Say) -> Say:
    """Return a function that shows a text with the time before its first line."""

    def shown(text: str) -> None:
        first, *others = text.splitlines()
        say("\n".join([f"\n{time.strftime('%H:%M:%S')}  {first}", *(f"          {line}" for line in others)]))

    return shown

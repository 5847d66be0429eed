"""One refresh, from a configuration to what is published of it: everything here that needs the pipeline."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Final

import structlog

from driftgauge.collector import render, validate, within_limit, written
from driftgauge.config import Config
from driftgauge.hiding import hidden_values
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.memory import UNFINISHED, Failure, Memory
from driftgauge.pipeline.processes import Processes
from driftgauge.pipeline.refresh import Pipeline, Report
from driftgauge.samples import Sample, Samples
from driftgauge.service import placing
from driftgauge.service.config_hash import ConfigHash
from driftgauge.service.figures import figures
from driftgauge.service.health import RefreshHealth, build_info, reloaded, sharded
from driftgauge.service.judging import recommended
from driftgauge.service.publication import Publication
from driftgauge.snapshot import model_samples
from driftgauge.store import Store, forget
from driftgauge.windows import MICROSECONDS

_MOST_WORKERS: Final = 4
# How long one file may take (s). A third of the deadline at most: a file that hangs must be set aside before the
# deadline is over, also when it was tried first together with others.
_LONGEST_FILE: Final = 600.0
_FILES_IN_DEADLINE: Final = 3
# After such a failure there are rows all the same.
IN_PART: Final = ("reference", UNFINISHED)
_log = structlog.get_logger("driftgauge.service")


# Is told what a refresh as of a time (µs) has found of a model, and why it failed if it did; returns at once.
OnFound = Callable[[Memory, Samples, Failure | None, int], None]


def nobody(memory: Memory, samples: Samples, failure: Failure | None, now: int) -> None:
    """Tell nobody."""


@contextmanager
def refreshing(config: Config) -> Iterator[Pipeline]:
    """Have a pipeline over the state of a configuration, for one refresh: of all that there is, and then it is closed.

    Raises StateError when the state cannot be opened.
    """
    known = placing.prepare(config)
    store, workers = Store.open(config.state_dir), workers_for(config)
    try:
        placing.settle(config, known, forget=partial(forget, store), now=time.time())
        yield pipeline_for(config, store, workers, clock=time.time, relist=True)
    finally:
        workers.close()
        store.close()


def refresh_once(config: Config, *, now: float, found: OnFound = nobody) -> tuple[str, Mapping[str, str]]:
    """Refresh all models once as of `now` (s since 1970); return the page and, by model, why it was not refreshed.

    found: is told of each model, in threads. Raises StateError when the state cannot be opened.
    """
    with refreshing(config) as pipeline:
        started = time.time()
        report, models = refresh_models(config, pipeline, {}, now=int(now * MICROSECONDS), found=found)
        ended, pending, labels = time.time(), pipeline.pending, pipeline.pending_labels
        config_hash = ConfigHash(config).of(pipeline.monitored)
        refreshed = {name: now for name in models if name not in report.failures}
    samples, dropped = within_limit([*models.values(), ages(refreshed)], max_series=config.limits.max_series)
    health = RefreshHealth(last_success=None if report.failures else ended)
    health = health.after(report.failures, tried=models, started=started, seconds=ended - started)
    health = replace(health, mlflow_up=report.mlflow_up, series=count(samples), dropped=dropped)
    health = replace(health, pending=pending, pending_labels=labels, config_hash=config_hash)
    every = {**samples, **build_info(), **sharded(config.shard), **reloaded(ended), **health.samples()}
    validate(every)
    return written(every, openmetrics=False).decode(), health.messages


def pipeline_for(
    config: Config,
    store: Store,
    workers: Executor,
    *,
    clock: Callable[[], float],
    relist: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[], None] = lambda: None,
    slack: Callable[[], float] = lambda: 0.0,
) -> Pipeline:
    """Return the pipeline of a configuration.

    relist: every run of MLflow is listed at each refresh. stopping, slack: see `Pipeline`. progress: is called whenever
    MLflow has answered something.
    """
    feeds = Feeds(config, clock=clock, relist=relist, on_answer=progress)
    patience = inf if relist else config.refresh_interval
    return Pipeline(config, feeds, store, executor=workers, stopping=stopping, patience=patience, slack=slack)


def workers_for(config: Config) -> Processes:
    """Return as many workers as there is work for processors, none of them started but for what they have in common."""
    return Processes(
        min(os.cpu_count() or 1, _MOST_WORKERS),
        max_bytes=config.limits.max_artifact_bytes,
        folder=Path(config.state_dir) / "shared",
        longest=min(_LONGEST_FILE, config.refresh_deadline / _FILES_IN_DEADLINE),
    )


def refresh_models(
    config: Config,
    pipeline: Pipeline,
    before: Mapping[str, Samples],
    *,
    now: int,
    found: OnFound = nobody,
) -> tuple[Report, dict[str, Samples]]:
    """Refresh every model and return how that went and all samples at `now` (µs); see `samples_of`."""

    def then(memory: Memory, at: int, failure: Failure | None) -> tuple[Samples, Failure | None]:
        samples, failure = samples_of(memory, config, before.get(memory.state.config.name), failure, now=at)
        found(memory, samples, failure, at)
        return samples, failure

    outcomes = pipeline.each(now, then)
    failures = {name: failure for name, (_, failure) in outcomes.items()}
    return pipeline.report(failures), {name: samples for name, (samples, _) in outcomes.items()}


def samples_of(
    memory: Memory, config: Config, before: Samples | None, failure: Failure | None, *, now: int
) -> tuple[Samples, Failure | None]:
    """Return the samples at `now` (µs) of a model that was refreshed, and why that failed if it did.

    One that could not be refreshed, or whose samples cannot be computed, keeps those it had; without a reference, rows
    are read all the same.
    """
    about = about_monitoring(memory)
    if before is not None and failure and failure[0] not in IN_PART:
        return {**before, **about}, failure
    try:
        samples = model_samples(memory.shown, windows=memory.windows, limits=config.limits, now=now, cache=memory.cache)
        samples = {**samples, **recommended(memory, config, samples, now=now)}
    except Exception as error:  # noqa: BLE001 - the comment below
        # A mistake of ours in one model must not take the others' figures down with it.
        _log.exception("model not computed: this is a bug in driftgauge", model=memory.state.config.name)
        return before or {}, ("internal", repr(error))
    return {**samples, **about}, failure


def about_monitoring(memory: Memory) -> Samples:
    """Return the families that say which monitoring configuration is in force of a model, none of one without."""
    model, monitored = memory.state.config, memory.monitored
    if model.monitoring is None:
        return {}
    found: dict[str, list[Sample]] = {}
    if monitored.found:
        found["model_monitoring_info"] = [Sample((model.name, monitored.source, monitored.found.hash), 1.0)]
    is_current = bool(monitored.identity) and not monitored.problem
    found["driftgauge_monitoring_config_last_reload_successful"] = [Sample((model.name,), float(is_current))]
    return found


def ages(refreshed: Mapping[str, float]) -> Samples:
    """Return the family that says when (s) models were last refreshed in full."""
    found = [Sample((name,), at) for name, at in refreshed.items()]
    return {"model_last_refresh_timestamp_seconds": found} if found else {}


def publish(
    models: Mapping[str, Samples],
    config: Config,
    health: RefreshHealth,
    *,
    refreshed: Mapping[str, float],
    shown: Mapping[str, Mapping[str, Any]],
    ready: bool,
) -> Publication:
    """Render the samples of all models, within `limits.max_series`, with health and landing page.

    refreshed: by name, when models were last refreshed in full (s). shown: by name, what is shown of them.
    """
    kept, dropped = within_limit([*models.values(), ages(refreshed)], max_series=config.limits.max_series)
    health = replace(health, series=count(kept), dropped=health.dropped + dropped)
    return Publication.of(render(kept), health, figures=shown, ready=ready)


def shown_of(memory: Memory, config: Config, samples: Samples, *, now: int) -> dict[str, Any]:
    """Return what the landing page shows at `now` (µs) of a model that was refreshed."""
    model = memory.state.config
    try:
        shown: dict[str, Any] = hidden_values(figures(model, config, samples, memory.journal, now=now))
    except Exception:  # noqa: BLE001 - the comment below
        # A mistake of ours on the landing page must not take the metrics down with it.
        _log.exception("model not shown: this is a bug in driftgauge", model=model.name)
        shown = {}
    if memory.monitored.identity:
        shown["monitoring"] = memory.monitored.source
        if problem := memory.monitored.problem:
            shown["not_taken"] = f"{problem}; until that is put right, the last good one is in force"
    if memory.progress:
        done, files = memory.progress
        shown["again"] = f"being read again, {done} of {files} files so far: until then it shows what it had"
    return shown


def count(samples: Samples) -> int:
    """Return how many series there are."""
    return sum(sample.series for found in samples.values() for sample in found)

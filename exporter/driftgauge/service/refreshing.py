"""One refresh, from a configuration to what is published of it: everything here that needs the pipeline."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, Final

import structlog

from driftgauge.collector import render, validate, within_limit, written
from driftgauge.config import Config, ModelConfig
from driftgauge.hiding import hidden_values
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.journal import Journal
from driftgauge.pipeline.processes import Processes
from driftgauge.pipeline.refresh import Pipeline, Report
from driftgauge.samples import Samples
from driftgauge.service.figures import figures
from driftgauge.service.health import RefreshHealth, build_info, reloaded
from driftgauge.service.publication import Publication
from driftgauge.snapshot import model_samples
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS

_MOST_WORKERS: Final = 4
# How long one file may take (s). A third of the deadline at most: a file that hangs must be set aside before the
# deadline is over, also when it was tried first together with others.
_LONGEST_FILE: Final = 600.0
_FILES_IN_DEADLINE: Final = 3
_log = structlog.get_logger("driftgauge.service")


def refresh_once(config: Config, *, now: float) -> tuple[str, Mapping[str, str]]:
    """Refresh all models once as of `now` (s since 1970); return the page and, by model, why it was not refreshed.

    Raises StateError when the state cannot be opened.
    """
    store, workers = Store.open(config.state_dir), workers_for(config)
    try:
        started, at = time.time(), int(now * MICROSECONDS)
        pipeline = pipeline_for(config, store, workers, clock=time.time, relist=True)
        report, models = refresh_models(config, pipeline, {}, now=at)
        ended, pending, labels = time.time(), pipeline.pending, pipeline.pending_labels
    finally:
        workers.close()
        store.close()
    samples, dropped = within_limit(list(models.values()), max_series=config.limits.max_series)
    health = RefreshHealth().after(report.failures, started=started, ended=ended)
    health = replace(health, mlflow_up=report.mlflow_up, series=count(samples), dropped=dropped)
    health = replace(health, pending=pending, pending_labels=labels)
    every = {**samples, **build_info(), **reloaded(ended), **health.samples()}
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
) -> Pipeline:
    """Return the pipeline of a configuration.

    relist: every run of MLflow is listed at each refresh. stopping: see `Pipeline`. progress: is called whenever MLflow
    has answered something.
    """
    feeds = Feeds(config, clock=clock, relist=relist, on_answer=progress)
    patience = inf if relist else config.refresh_interval
    return Pipeline(config, feeds, store, executor=workers, stopping=stopping, patience=patience)


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
) -> tuple[Report, dict[str, Samples]]:
    """Refresh every model and return how that went and all samples at `now` (µs).

    One that could not be refreshed, or whose samples cannot be computed, keeps those it had; without a reference, rows
    are read all the same.
    """
    report = pipeline.refresh(now)
    failures, samples, caches = dict(report.failures), {}, pipeline.caches
    for state in pipeline.states:
        pipeline.give_up_if_stopping()
        name = state.config.name
        if name in before and failures.get(name, ("reference", ""))[0] != "reference":
            samples[name] = before[name]
            continue
        try:
            samples[name] = model_samples(
                state, windows=pipeline.windows[name], limits=config.limits, now=now, cache=caches[name]
            )
        except Exception as error:  # noqa: BLE001 - the comment below
            # A mistake of ours in one model must not take the others' figures down with it.
            _log.exception("model not computed: this is a bug in driftgauge", model=name)
            failures[name] = "internal", repr(error)
            samples[name] = before.get(name, {})
    return replace(report, failures=failures), samples


def publish(
    models: Mapping[str, Samples],
    config: Config,
    health: RefreshHealth,
    *,
    journals: Mapping[str, Journal],
    now: int,
    ready: bool,
    again: Mapping[str, tuple[int, int]],
) -> Publication:
    """Render the samples of all models at `now` (µs), within `limits.max_series`, with health and landing page.

    again: of models that are read again, how many files were, and of how many.
    """
    kept, dropped = within_limit(list(models.values()), max_series=config.limits.max_series)
    health = replace(health, series=count(kept), dropped=health.dropped + dropped)
    shown = {
        model.name: _shown(model, config, models.get(model.name, {}), journals.get(model.name, Journal()), now=now)
        for model in config.models
    }
    for name, (done, files) in again.items():
        shown[name]["again"] = f"being read again, {done} of {files} files so far: until then it shows what it had"
    return Publication.of(render(kept), health, figures=shown, ready=ready)


def _shown(model: ModelConfig, config: Config, samples: Samples, journal: Journal, *, now: int) -> dict[str, Any]:
    try:
        shown: dict[str, Any] = hidden_values(figures(model, config, samples, journal, now=now))
    except Exception:  # noqa: BLE001 - the comment below
        # A mistake of ours on the landing page must not take the metrics down with it.
        _log.exception("model not shown: this is a bug in driftgauge", model=model.name)
        return {}
    return shown


def count(samples: Samples) -> int:
    """Return how many series there are."""
    return sum(len(found) for found in samples.values())

"""A model's monitoring configuration is looked up with each refresh, and taken when the registry names another one.

Alias, run or file may mean something else now. What cannot be read or used leaves the last good one in force, which is
said; without one the model is not read, for nobody knows what its rows mean.
"""

from dataclasses import replace
from typing import Final

import structlog

from driftgauge.config import Config, ModelConfig
from driftgauge.config.versioned import MOST_CHARACTERS
from driftgauge.errors import BatchError, ConfigError, DriftgaugeError, SourceMissing, SourceUnavailable
from driftgauge.hiding import hidden
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.memory import Memory
from driftgauge.pipeline.monitored import Monitored, in_force, keep, kept
from driftgauge.pipeline.restoring import restore
from driftgauge.snapshot import SnapshotCache
from driftgauge.source import Source
from driftgauge.store import Store

_KEY: Final = "models[].monitoring"
_log = structlog.get_logger("driftgauge.pipeline")


def restored(store: Store, model: ModelConfig, config: Config) -> Memory:
    """Return what the store has of a model, as its last good monitoring configuration has it."""
    monitored = kept(config.state_dir, model)
    effective = monitored.found.model if monitored.found else model
    memory = restore(store, effective, windows=config.windows, limits=config.limits)
    memory.monitored = monitored
    return memory


def renew_monitoring(
    memory: Memory, model: ModelConfig, source: Source, store: Store, config: Config, *, executor: Executor
) -> None:
    """Take the monitoring configuration that `model`, as the exporter's own file has it, names now, if it is another.

    Raises ConfigError while there is none that can be used, and SourceError while none can be asked for.
    """
    if model.monitoring is None:
        return
    try:
        identity = source.reference_identity(model.monitoring)
        if identity != memory.monitored.identity:
            text = source.text(model.monitoring, limit=MOST_CHARACTERS)
            found = in_force(model, text, identity=identity)
            keep(config.state_dir, model, text, identity=identity)
            _take(memory, found, store, config, executor)
        _say(memory, model.name, "")
    except (SourceMissing, BatchError, ConfigError) as error:
        _say(memory, model.name, _words(error))
    except SourceUnavailable as error:
        _say(memory, model.name, _words(error))
        if not memory.monitored.identity:
            raise
    if not memory.monitored.identity:
        raise ConfigError(memory.monitored.problem)


def look_up(model: ModelConfig, source: Source) -> Monitored:
    """Return what the file that a model names now makes of it, or why it cannot be used. Raises SourceUnavailable."""
    try:
        identity = source.reference_identity(model.monitoring or "")
        return in_force(model, source.text(model.monitoring or "", limit=MOST_CHARACTERS), identity=identity)
    except (SourceMissing, BatchError, ConfigError) as error:
        return Monitored(problem=_words(error))


def _take(memory: Memory, found: Monitored, store: Store, config: Config, executor: Executor) -> None:
    """Go on with another configuration: what the store has is shown by it, and read again where that is needed."""
    if found.found is None:
        return
    if memory.shared is not None:
        executor.release(memory.shared)
    memory.become(restore(store, found.found.model, windows=config.windows, limits=config.limits))
    # What was computed of windows was computed by the other one.
    memory.cache, memory.monitored = SnapshotCache(), replace(found, problem=memory.monitored.problem)
    name = memory.state.config.name
    _log.info("monitoring configuration taken", model=name, source=found.source, hash=found.found.hash)


def _say(memory: Memory, model: str, problem: str) -> None:
    """Remember why what the registry names now is not in force, "" if it is; log it when that changes."""
    before = memory.monitored
    memory.monitored = replace(before, problem=problem)
    if problem and problem != before.problem:
        _log.error("monitoring configuration not taken", model=model, error=problem, kept=bool(before.identity))
    elif before.problem and not problem:
        _log.info("monitoring configuration is in force again", model=model)


def _words(error: DriftgaugeError) -> str:
    """Return what a failure says, of this file: what looks for references looks for it."""
    text = hidden(str(error)).removeprefix("reference ").replace("models[].reference.uri", _KEY)
    remedy = f"; log it there or correct {_KEY}" if isinstance(error, SourceMissing) and _KEY not in text else ""
    return f"monitoring configuration: {text}{remedy}"

"""Versions with references of their own: found in the registry when their first rows are read.

Where a model's reference follows an alias, each version is compared with the file of its own number, if the registry
has one. So promoting a version changes nothing for the others.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog

from driftgauge.aggregates.totals import Totals
from driftgauge.config import Limits, ModelConfig
from driftgauge.errors import BatchError, ReferenceUnusable, SourceMissing, SourceUnavailable
from driftgauge.pipeline import baseline
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.memory import Memory
from driftgauge.pipeline.saying import say_looked_up, say_not_looked_up
from driftgauge.schema import UNKNOWN_VERSION
from driftgauge.segments import Segments
from driftgauge.snapshot import Identity
from driftgauge.source import Source, own_uri, registered_name
from driftgauge.store import Store
from driftgauge.store.panes import delete_own_references, write_own_reference
from driftgauge.windows import MICROSECONDS

_log = structlog.get_logger("driftgauge.pipeline")
# How long after it had none, or could not be asked for one, a version is asked for its reference again.
_NONE_AGAIN: Final = 3600 * MICROSECONDS
_AWAY_AGAIN: Final = 300 * MICROSECONDS
_NEVER: Final = 2**62


class Versions:
    """The references of single versions of all models; of each model of a few times `limits.max_versions` at most."""

    def __init__(self, source: Source, store: Store, limits: Limits, *, executor: Executor) -> None:
        self._source = source
        self._store = store
        self._limits = limits
        self._executor = executor

    def unknown(self, memory: Memory, totals: Totals, now: int) -> list[str]:
        """Return the versions in `totals` to be asked for at `now`, if they are of those with the newest predictions.

        totals: of rows that are not among the model's yet, or these.
        """
        model = memory.state.config
        uri, registered = model.reference.uri if model.reference else "", _registered(model)
        found = [
            name
            for name in totals.versions
            if now >= memory.ask_at.get(name, 0)
            and (own_uri(uri, name) or (registered and _is_name(name) and name not in memory.names))
        ]
        if not found:
            return []
        newest = memory.newest(self._limits, after=totals)
        return [name for name in found if name in newest]

    def find(self, memory: Memory, versions: Iterable[str], now: int) -> None:
        """Look for the references of versions, and compare with those that are found from now on."""
        for version in versions:
            if _is_name(version):
                self._resolve(memory, version, now)
            else:
                self._find(memory, version, now)

    def renew_names(self, memory: Memory) -> None:
        """Look up again what the names mean that versions in rows have; while nobody answers, what they meant stays."""
        registered = _registered(memory.state.config)
        if memory.names and registered:
            with suppress(SourceUnavailable):
                found = self._source.version_names(registered)
                memory.names = {name: found.get(name, number) for name, number in memory.names.items()}

    def forget(self, memory: Memory) -> None:
        """Forget the references of versions that have no rows in windows any more, and of too many others."""
        # While a model is read again, it is not known yet which versions are the newest.
        if memory.served is not None or not memory.state.own:
            return
        live = {key.version for key in memory.state.predictions} & set(memory.newest(self._limits))
        if gone := memory.state.own.keys() - live:
            self._release(memory)
            memory.drop_own(gone, limits=self._limits)
            with self._store.transaction(memory.state.config.name, memory.state.config.task) as tx:
                delete_own_references(tx, gone)

    def _resolve(self, memory: Memory, name: str, now: int) -> None:
        """Look up which number a name means, which rows from now on have as their version."""
        model = memory.state.config
        try:
            found = self._source.version_names(_registered(model) or "")
        except SourceUnavailable as error:
            memory.ask_at[name] = now + _AWAY_AGAIN
            self._say(memory, name, "what it means cannot be looked up now", error)
            return
        memory.ask_at[name] = now + _NONE_AGAIN
        if name not in found:
            return
        memory.names[name] = found[name]
        _log.info("version is a name in the registry", model=model.name, version=name, means=found[name])
        if any(key.version == name for key in memory.state.predictions):
            memory.stale = f"version {name} is known to mean {found[name]} now"

    def _find(self, memory: Memory, version: str, now: int) -> None:
        model = memory.state.config
        uri = own_uri(model.reference.uri, version) if model.reference else None
        if uri is None:
            return
        try:
            segments = Segments.of(model, self._limits, memory.state.reference).kept
            identity = baseline.identity(self._source, model, uri, self._limits, segments)
            memory.ask_at[version] = _NEVER
            if memory.own_identities.get(version) == identity:
                return
            found = baseline.load(self._source, model, uri, self._limits, executor=self._executor, segments=segments)
        except SourceUnavailable as error:
            memory.ask_at[version] = now + _AWAY_AGAIN
            self._say(memory, version, "it cannot be looked up now", error)
            return
        except (SourceMissing, BatchError, ReferenceUnusable) as error:
            memory.ask_at[version] = now + _NONE_AGAIN
            self._say(memory, version, "it has none", error)
            return
        self._release(memory)
        if not memory.adopt_own(version, found, identity, limits=self._limits):
            # Of its rows some were compared with another: what takes the place of that begins with this one.
            memory.stale = f"version {version} has a reference of its own"
            memory.ask_at[version] = now + _NONE_AGAIN
            return
        with self._store.transaction(model.name, model.task, again=memory.served is not None) as tx:
            write_own_reference(tx, version, found, identity)
        _log.info("reference of a version compiled", model=model.name, version=version, uri=uri)

    def _say(self, memory: Memory, version: str, why: str, error: Exception) -> None:
        """Log once what a version is compared with instead."""
        key = ("own reference", version, why)
        if key not in memory.said:
            memory.said.add(key)
            kept = "the one it had" if version in memory.state.own else "that of the alias"
            _log.warning(
                "version without a reference of its own", model=memory.state.config.name, version=version, because=why,
                compared_with=kept, error=str(error),
            )  # fmt: skip

    def _release(self, memory: Memory) -> None:
        if memory.shared is not None:
            self._executor.release(memory.shared)
            memory.shared = None


def identify(memory: Memory, feeds: Feeds, now: int) -> None:
    """Find out where versions live in MLflow: their training run if registered, else where they were logged.

    While the registry refuses or does not answer, what is known stays and the rest is not known, which is said once.
    """
    model, found, failure = memory.state.config, {}, None
    for version, totals in memory.shown.totals.versions.items():
        try:
            registered = feeds.registered(model, version)
        except SourceUnavailable as error:
            failure = error
            if version in memory.state.identities:
                found[version] = memory.state.identities[version]
            continue
        if registered is None:
            found[version] = Identity(*(totals.origin or ("", "")), "")
        else:
            run_id, experiment_id = registered.run_id or "", registered.experiment_id or ""
            found[version] = Identity(run_id, experiment_id, registered.model_uri)
    if failure is None:
        say_looked_up(memory, "model_info")
    else:
        lost = "no model_info of some versions, all else goes on: the model registry could not be asked"
        say_not_looked_up(memory, "model_info", lost, failure, now)
    memory.state = replace(memory.state, identities=found)
    if memory.served is not None:
        memory.served = replace(memory.served, identities=found)


def _registered(model: ModelConfig) -> str | None:
    """Return the name under which it may be registered: that in its reference, else its own if it is in MLflow."""
    named = registered_name(model.reference.uri) if model.reference else None
    return named or (model.name if model.predictions.experiment else None)


def _is_name(version: str) -> bool:
    return not version.isdigit() and version != UNKNOWN_VERSION

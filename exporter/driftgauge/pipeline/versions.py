"""Versions with references of their own: found in the registry when their first rows are read.

Where a model's reference follows an alias, each version is compared with the file of its own number, if the registry
has one. So promoting a version changes nothing for the others.
"""

from collections.abc import Iterable
from typing import Final

import structlog

from driftgauge.aggregates.totals import Totals
from driftgauge.config import Limits
from driftgauge.errors import BatchError, ReferenceUnusable, SourceMissing, SourceUnavailable
from driftgauge.pipeline import baseline
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.memory import Memory
from driftgauge.source import Source, own_uri
from driftgauge.store import Store
from driftgauge.store.panes import delete_own_references, write_own_reference
from driftgauge.windows import MICROSECONDS

_log = structlog.get_logger("driftgauge.pipeline")
# How long after it had none, or could not be asked for one, a version is asked for its reference again.
_NONE_AGAIN: Final = 3600 * MICROSECONDS
_AWAY_AGAIN: Final = 300 * MICROSECONDS
_NEVER: Final = 2**62


class Versions:
    """The references of single versions of all models. Not more per model than `limits.max_versions`."""

    def __init__(self, source: Source, store: Store, limits: Limits, *, executor: Executor) -> None:
        self._source = source
        self._store = store
        self._limits = limits
        self._executor = executor

    def unknown(self, memory: Memory, totals: Totals, now: int) -> list[str]:
        """Return the versions to be asked for at `now`: of those with the newest predictions, after `totals` more."""
        reference = memory.state.config.reference
        if reference is None:
            return []
        newest = Totals.combine([memory.state.totals, totals]).newest(self._limits.max_versions)
        return [name for name in newest if own_uri(reference.uri, name) and now >= memory.ask_at.get(name, 0)]

    def find(self, memory: Memory, versions: Iterable[str], now: int) -> None:
        """Look for the references of versions, and compare with those that are found from now on."""
        for version in versions:
            self._find(memory, version, now)

    def forget(self, memory: Memory) -> None:
        """Forget the references of versions that are not published any more."""
        # While a model is read again, it is not known yet which versions are the newest.
        if gone := memory.state.own.keys() - set(memory.state.totals.newest(self._limits.max_versions)):
            if memory.served is not None:
                return
            self._release(memory)
            memory.drop_own(gone, limits=self._limits)
            with self._store.transaction(memory.state.config.name, memory.state.config.task) as tx:
                delete_own_references(tx, gone)

    def _find(self, memory: Memory, version: str, now: int) -> None:
        model = memory.state.config
        uri = own_uri(model.reference.uri, version) if model.reference else None
        if uri is None:
            return
        try:
            identity = baseline.identity(self._source, model, uri, self._limits)
            memory.ask_at[version] = _NEVER
            if memory.own_identities.get(version) == identity:
                return
            found = baseline.load(self._source, model, uri, self._limits, executor=self._executor)
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

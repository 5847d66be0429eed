"""When results are written: in a thread of its own, which waits for MLflow while refreshes go on.

Of each model the newest result waits, and no other; so however long MLflow is away, nothing piles up. What fails is
counted, said, and tried again after a minute, then after twice as long each time, up to an hour; a server that does not
answer rests for all models. What this process has written it remembers, and what others have is in the run's tags.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from threading import Condition, Thread
from typing import Final, Generic, Protocol, TypeVar

import structlog

from driftgauge.config import ON_CHANGE, ModelConfig
from driftgauge.errors import ConfigError, DriftgaugeError, SourceMissing, StateError
from driftgauge.hiding import hidden
from driftgauge.source import FORBIDDEN, Result, as_of
from driftgauge.source.causes import REASONS
from driftgauge.writeback.content import FINDINGS_TAG
from driftgauge.writeback.standing import Standing, Waiting

_FIRST_PAUSE: Final = 60.0
_LONGEST_PAUSE: Final = 3600.0
_MICROSECONDS: Final = 1_000_000
_MILLISECONDS: Final = 1_000
# The `reason` label of driftgauge_writeback_failures_total by what a write raised; others bring their own.
_REASONS: Final[Mapping[type[DriftgaugeError], str]] = {
    ConfigError: "configuration",
    SourceMissing: "missing",
    StateError: "state",
}
# Failures of the server, after which no other model is tried either.
_OF_ALL: Final = frozenset(REASONS) - {FORBIDDEN}
# Stands for all models; a name is never empty.
_SERVER: Final = ""
# Why results wait that nothing has failed of: after so many seconds that is worth a word, for many models take turns.
_SLOW: Final = "slow"
_LATE: Final = 600.0
_LOOK: Final = (
    "writing takes longer than ten minutes: look how fast the tracking server and its artifact store are, or raise "
    "writeback.every"
)
# Of models that wait for a server that failed.
_NOT_TRIED: Final = "not tried, for the server failed before"

T = TypeVar("T")
Failure = tuple[str, str]


class Writes(Protocol):
    """What writes results; see `source.Results`."""

    def write(self, result: Result, *, is_written: Callable[[Mapping[str, str]], bool]) -> None:
        """Write one, unless what is there is as good; raises DriftgaugeError."""


@dataclass(frozen=True, slots=True)
class _Offer(Generic[T]):
    """What was found of a model at `now` (µs)."""

    model: ModelConfig
    known: T
    now: int


@dataclass(slots=True)
class _Pause:
    """How many writes failed in a row, and until when (s of the clock) none is tried."""

    failures: int = 0
    until: float = 0.0

    def longer(self, now: float) -> None:
        """Rest, after one more failure."""
        self.until = now + min(_FIRST_PAUSE * 2.0 ** min(self.failures, 16), _LONGEST_PAUSE)
        self.failures += 1


class Writeback(Generic[T]):
    """Writes what is offered of models, from `start` until `close`.

    results: what is written, of what is known of a model. clock: s, of any origin. standing: to count on from.
    """

    def __init__(
        self,
        writes: Writes,
        results: Callable[[T], Iterable[Result]],
        *,
        standing: Standing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writes = writes
        self._results = results
        self._clock = clock
        self._log = structlog.get_logger("driftgauge.writeback")
        self._changed = Condition()
        self._closed = False
        self._pending: dict[str, _Offer[T]] = {}
        self._pauses: dict[str, _Pause] = {}
        # By model, the stretch of time that was written last, and by key of a run the findings in it.
        self._stretches: dict[str, float] = {}
        self._findings: dict[str, dict[str, str]] = {}
        # By model, as of when (s since 1970) its oldest unwritten result is, and what its last write failed of.
        self._since = {name: each.since for name, each in standing.waiting.items()}
        self._failed: dict[str, Failure] = {name: (each.reason, each.text) for name, each in standing.waiting.items()}
        self._standing = standing

    @property
    def standing(self) -> Standing:
        """How writing stands now."""
        with self._changed:
            return replace(self._standing, waiting=dict(self._waiting()))

    def start(self) -> None:
        """Write in the background from now on."""
        Thread(target=self._run, name="writeback", daemon=True).start()

    def close(self) -> None:
        """Begin no more; what is under way ends by its deadlines or with the process."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def offer(self, model: ModelConfig, known: T, now: int) -> None:
        """Have what is known of a model at `now` (µs) written if it is time for that; takes no time itself."""
        with self._changed:
            if model.writeback and self._stretches.get(model.name) != _stretch(model, now):
                self._pending[model.name] = _Offer(model, known, now)
                self._since.setdefault(model.name, now / _MICROSECONDS)
                self._changed.notify_all()

    def retry(self) -> None:
        """Ask the server again at once if it rests: it is known to answer."""
        with self._changed:
            self._pause(_SERVER).until = self._clock()
            self._changed.notify_all()

    def step(self) -> float | None:
        """Write what is due of one model; return how long (s) to wait for the next, None while nothing waits."""
        with self._changed:
            due = {name: max(self._pause(name).until, self._pause(_SERVER).until) for name in self._pending}
            name = min(due, key=due.__getitem__, default=None)
            if name is None or (wait := due[name] - self._clock()) > 0:
                return None if name is None else wait
            offer = self._pending.pop(name)
        failure = self._write(offer)
        with self._changed:
            self._conclude(offer, failure)
        return 0.0

    def _run(self) -> None:
        while not self._closed:
            wait = self.step()
            with self._changed:
                if not self._closed and (wait or not self._pending):
                    self._changed.wait(wait)

    def _pause(self, name: str) -> _Pause:
        return self._pauses.setdefault(name, _Pause())

    def _write(self, offer: _Offer[T]) -> Failure | None:
        """Write all versions of a model; return why that failed, if it did."""
        known, findings, failure = self._findings.get(offer.model.name, {}), {}, None
        try:
            for result in self._results(offer.known):
                found = result.tags[FINDINGS_TAG]
                if known.get(result.key) != found or not _is_on_change(offer.model):
                    failure = self._write_one(offer.model, result) or failure
                if failure is None:
                    findings[result.key] = found
                elif failure[0] in _OF_ALL:
                    break
        except Exception as error:  # noqa: BLE001 - the comment below
            # A mistake of ours must not end the thread, and with it the results of all other models.
            self._log.exception("results not written: this is a bug in driftgauge", model=offer.model.name)
            failure = "internal", hidden(repr(error))
        self._findings[offer.model.name] = findings
        return failure

    def _write_one(self, model: ModelConfig, result: Result) -> Failure | None:
        try:
            self._writes.write(result, is_written=lambda tags: _is_written(model, result, tags))
        except DriftgaugeError as error:
            reason = _REASONS.get(type(error)) or str(getattr(error, "reason", "other"))
            return reason, hidden(str(error))
        return None

    def _conclude(self, offer: _Offer[T], failure: Failure | None) -> None:
        """Remember how a write went, and when the next is due."""
        name, standing = offer.model.name, self._standing
        before = self._failed.pop(name, None)
        if failure is None:
            for each in (name, _SERVER):
                self._pauses.pop(each, None)
            self._failed.pop(_SERVER, None)
            self._stretches[name] = _stretch(offer.model, offer.now)
            self._settle(name)
            self._standing = replace(standing, written={**standing.written, name: offer.now / _MICROSECONDS})
            if before:
                self._log.info("results written again", model=name)
            return
        reason, text = failure
        concerned = _SERVER if reason in _OF_ALL else name
        self._failed |= {name: failure, concerned: failure}
        self._pending.setdefault(name, offer)
        self._pause(concerned).longer(self._clock())
        failures = {**standing.failures, reason: standing.failures.get(reason, 0) + 1}
        self._standing = replace(standing, failures=failures)
        if failure != before:
            self._log.error("results not written to MLflow", model=name, reason=reason, error=text)

    def _settle(self, name: str) -> None:
        """Leave waiting what is not of the stretch that was just written, and nothing of before."""
        del self._since[name]
        waiting = self._pending.get(name)
        if waiting and _stretch(waiting.model, waiting.now) == self._stretches[name]:
            del self._pending[name]
        elif waiting:
            self._since[name] = waiting.now / _MICROSECONDS

    def _waiting(self) -> Iterator[tuple[str, Waiting]]:
        """Yield what waits, by model: after a failure, behind a server that failed, or for too long."""
        server = self._failed.get(_SERVER)
        for name, since in self._since.items():
            newest = self._pending.get(name)
            if failure := self._failed.get(name):
                yield name, Waiting(failure[0], since, failure[1])
            elif server:
                yield name, Waiting(server[0], since, f"{_NOT_TRIED}: {server[1]}")
            elif newest and newest.now / _MICROSECONDS - since > _LATE:
                yield name, Waiting(_SLOW, since, _LOOK)


def _is_on_change(model: ModelConfig) -> bool:
    return model.writeback is not None and model.writeback.every == ON_CHANGE


def _stretch(model: ModelConfig, now: int) -> float:
    """Return the stretch of time that `now` (µs) is in, of which one result is written.

    Where changes are written, each time is one.
    """
    every = model.writeback.every if model.writeback else ON_CHANGE
    return now if isinstance(every, str) else now / _MICROSECONDS // every


def _is_written(model: ModelConfig, result: Result, tags: Mapping[str, str]) -> bool:
    """Return whether a run with these tags has a newer result, or one of the same stretch of time or findings."""
    written = as_of(tags)
    if written < 0:
        return False
    if _is_on_change(model):
        return written >= result.at or tags.get(FINDINGS_TAG) == result.tags[FINDINGS_TAG]
    at, before = (_stretch(model, each * _MILLISECONDS) for each in (result.at, written))
    return before >= at

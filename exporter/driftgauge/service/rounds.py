"""The models of a pipeline, refreshed side by side: a round begins those that are idle, and takes each when it is done.

A round waits for what it has begun, but not for long: who takes longer goes on while the next rounds begin the others,
and shows until then what it had. So one slow model costs nobody else anything.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any, Final

from driftgauge.config import Config
from driftgauge.pipeline.memory import Failure, Memory
from driftgauge.pipeline.refresh import MODELS_BEGUN, Pipeline
from driftgauge.pipeline.turns import Turn
from driftgauge.samples import Samples
from driftgauge.service.refreshing import OnFound, nobody, samples_of, shown_of
from driftgauge.service.reporting import Captured, captured
from driftgauge.snapshot import SnapshotCache
from driftgauge.windows import MICROSECONDS

# Why a model counts as failed that takes longer than `refresh_deadline`.
SLOW: Final = "slow"
_LATE: Final = (
    "that is longer than refresh_deadline: look at its servers and for large files, or raise refresh_deadline"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of refreshing a model.

    refreshed: as of when (s) it was refreshed in full, None if never yet. seconds: how long it took. known: what its
    samples were computed of, for reports.
    """

    samples: Samples = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    refreshed: float | None = None
    seconds: float = 0.0
    known: Captured | None = None


@dataclass(slots=True)
class Progress:
    """Where the models stand. begun: those under way, with the time at which they were begun (s of the clock).

    outcomes: the last of each model. fresh: models whose last outcome came since `taken`.
    """

    begun: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)

    def taken(self) -> set[str]:
        """Return the models with new outcomes, and begin to collect anew."""
        fresh, self.fresh = self.fresh, set()
        return fresh


class Rounds:
    """Refreshes the models of one pipeline; one thread calls it. outcomes: what is shown of models from before.

    found: is told of each refresh, in the thread of its model.
    """

    def __init__(
        self,
        config: Config,
        pipeline: Pipeline,
        *,
        outcomes: Mapping[str, Outcome],
        found: OnFound = nobody,
    ) -> None:
        self._config = config
        self._pipeline = pipeline
        self._found = found
        self._threads = ThreadPoolExecutor(MODELS_BEGUN, thread_name_prefix="model")
        self._wanted: SimpleQueue[str | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[str, Outcome | BaseException] | None] = SimpleQueue()
        self._now = 0
        self.progress: Final = Progress(outcomes=dict(outcomes))
        # As they were restored: the models' own are changed while they are refreshed.
        restored = {model.name: pipeline.memory(model.name) for model in config.models if model.name not in outcomes}
        self._restored = {
            name: replace(memory, cache=SnapshotCache())
            for name, memory in restored.items()
            if memory.shown.totals.versions
        }
        threading.Thread(target=self._begin_in_turn, name="turns", daemon=True).start()

    def begin(self, models: Iterable[str], now: float) -> list[str]:
        """Begin those of the models that are idle, as of `now` (s); return them."""
        self._now = int(now * MICROSECONDS)
        idle = [name for name in models if name not in self.progress.begun]
        for name in idle:
            self.progress.begun[name] = time.monotonic()
            self._wanted.put(name)
        return idle

    def wait(self, models: Iterable[str], seconds: float) -> None:
        """Take what is done until these models are, or `seconds` are over, or `wake`. Raises what broke a refresh."""
        waited, end = set(models), time.monotonic() + seconds
        while waited & self.progress.begun.keys() and self.take(end - time.monotonic()):
            pass

    def take(self, seconds: float) -> bool:
        """Take one outcome if there is one within so many seconds; return whether there was. Raises as `wait`."""
        try:
            done = self._done.get(timeout=max(0.0, seconds))
        except Empty:
            return False
        if done is None:
            return False
        name, outcome = done
        seconds = time.monotonic() - self.progress.begun.pop(name)
        if isinstance(outcome, BaseException):
            raise outcome
        self._restored.pop(name, None)
        self.progress.outcomes[name] = replace(outcome, seconds=seconds)
        self.progress.fresh.add(name)
        return True

    def recall(self) -> None:
        """Have models that are under way for the first time show what was stored of them."""
        for name in self.progress.begun.keys() & self._restored.keys():
            memory = self._restored.pop(name)
            samples, failure = samples_of(memory, self._config, None, None, now=self._now)
            if failure is None:
                shown = shown_of(memory, self._config, samples, now=self._now)
                known = captured(memory, samples, self._now)
                self.progress.outcomes[name] = Outcome(samples, shown, known=known)

    def wake(self) -> None:
        """Have `wait` and `take` return; callable from any thread."""
        self._done.put(None)

    def close(self) -> None:
        """Begin no more."""
        self._wanted.put(None)

    def _begin_in_turn(self) -> None:
        while (name := self._wanted.get()) is not None:
            self._threads.submit(self._run, name, self._pipeline.turn())

    def _run(self, name: str, turn: Turn) -> None:
        try:
            self._done.put((name, self._pipeline.model(name, turn, self._now, self._outcome)))
        except BaseException as error:  # noqa: BLE001 - raised where it is taken
            self._done.put((name, error))

    def _outcome(self, memory: Memory, now: int, failure: Failure | None) -> Outcome:
        before = self.progress.outcomes.get(memory.state.config.name)
        samples, failure = samples_of(memory, self._config, before.samples if before else None, failure, now=now)
        refreshed = before.refreshed if before and failure else None if failure else now / MICROSECONDS
        shown = shown_of(memory, self._config, samples, now=now)
        self._found(memory, samples, failure, now)
        is_old = before is not None and before.known is not None and samples is before.samples
        earlier = before.known if before else None
        known = earlier if is_old else captured(memory, samples, now, before=earlier)
        return Outcome(samples, shown, failure, refreshed, known=known)


def slow(progress: Progress, *, after: float, late: float, now: float) -> dict[str, Outcome]:
    """Return, of models that are under way for longer than `after` s, what is shown of them; now: in s since 1970.

    After `late` s they count as failed.
    """
    found: dict[str, Outcome] = {}
    for name, began in progress.begun.items():
        seconds = time.monotonic() - began
        if seconds < after:
            continue
        known = progress.outcomes.get(name, Outcome())
        text = f"being refreshed since {_moment(now - seconds)}; until that is done, {_shown_by(known)}"
        if seconds >= late and not known.failure:
            found[name] = replace(known, failure=(SLOW, f"{text}; {_LATE}"))
        else:
            found[name] = replace(known, shown={**known.shown, "again": text})
    return found


def _shown_by(known: Outcome) -> str:
    if known.refreshed is not None:
        return f"it shows what it had at {_moment(known.refreshed)}"
    return "it shows what was stored of it" if known.samples else "there is nothing to show"


def _moment(seconds: float) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(seconds))

"""Refreshes of all models of a configuration, side by side.

A model that fails keeps what was committed, says why, and does not stop the others; when MLflow as a whole does not
answer, no model that reads from it is tried. What happens to one model is written in `model`.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from random import Random
from threading import Lock
from typing import Final, TypeVar

from driftgauge.config import Config
from driftgauge.errors import Stopped
from driftgauge.pipeline.attempt import attempt
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.fetching import Readers
from driftgauge.pipeline.memory import Failure, Memory
from driftgauge.pipeline.model import Means, ModelRefresh
from driftgauge.pipeline.monitored import Monitored
from driftgauge.pipeline.monitoring import restored
from driftgauge.pipeline.pace import USUAL, Pace
from driftgauge.pipeline.saying import say_what_is_left_out
from driftgauge.pipeline.turns import Turn, Turns
from driftgauge.pipeline.versions import Versions
from driftgauge.snapshot import ModelState
from driftgauge.store import Store

# Models are read side by side; commits and statistics take turns. How many work, and how many are begun: the rest of
# these hang.
_MODELS_AT_ONCE: Final = 4
MODELS_BEGUN: Final = 32

T = TypeVar("T")
# What is done with a model after it was refreshed, as of when (µs), given why that failed if it did.
Then = Callable[[Memory, int, Failure | None], T]


@dataclass(frozen=True, slots=True)
class Report:
    """How a refresh went. failures: model -> (reason, message), of models that could not be refreshed in full.

    mlflow_up: whether MLflow answered, None if nothing is read from it. mlflow_down: (reason, message) if it did not.
    """

    mlflow_up: bool | None
    failures: Mapping[str, Failure]
    mlflow_down: Failure | None = None


class Pipeline:
    """Refreshes the models of one configuration from their feeds into one store; one thread at a time for each model.

    executor: what decodes and folds files.
    random: spreads the retries of models that fail.
    stopping: asked between files; once it says yes, the refresh is given up with `Stopped`.
    patience, slack, pace: see `Means`.
    """

    def __init__(  # noqa: PLR0913 - all but the first three by keyword
        self,
        config: Config,
        feeds: Feeds,
        store: Store,
        *,
        executor: Executor,
        random: Random | None = None,
        stopping: Callable[[], bool] = lambda: False,
        patience: float = inf,
        slack: Callable[[], float] = lambda: 0.0,
        pace: Pace = USUAL,
    ) -> None:
        self._config = config
        self._feeds = feeds
        self.executor = executor
        self._random = random or Random()  # noqa: S311 - spreads retries, guards nothing
        self._stopping = stopping
        self._turns = Turns(_MODELS_AT_ONCE)
        self._computing = Lock()
        self._pace = pace
        self._means = Means(
            config=config,
            feeds=feeds,
            store=store,
            versions=Versions(feeds.source, store, config.limits, executor=executor),
            executor=executor,
            give_up_if_stopping=self.give_up_if_stopping,
            patience=patience,
            slack=slack,
            pace=pace,
        )
        for model in config.models:
            say_what_is_left_out(model, config.limits)
        self._models = {model.name: restored(store, model, config) for model in config.models}

    def give_up_if_stopping(self) -> None:
        """Raise Stopped if so asked."""
        if self._stopping():
            raise Stopped("stopped in the middle of a refresh")

    def memory(self, model: str) -> Memory:
        """Return what is known of a model; another thread may be refreshing it."""
        return self._models[model]

    @property
    def monitored(self) -> list[Monitored]:
        """Which monitoring configuration is in force of every model, in the order of the configuration."""
        return [memory.monitored for memory in self._models.values()]

    @property
    def states(self) -> list[ModelState]:
        """What is shown of every model, in the order of the configuration."""
        return [memory.shown for memory in self._models.values()]

    @property
    def pending(self) -> int:
        """How many predictions wait for a label."""
        return sum(state.joining.predictions for state in self.states)

    @property
    def pending_labels(self) -> int:
        """How many labels wait for their prediction."""
        return sum(state.joining.waiting for state in self.states)

    @property
    def mlflow_up(self) -> bool | None:
        """Whether MLflow answered when it was last asked, None if nothing is read from it."""
        return self._feeds.mlflow_up

    @property
    def mlflow_down(self) -> Failure | None:
        """Why (reason, message) MLflow did not answer when it was last asked."""
        down = self._feeds.mlflow_down
        return (down.reason, str(down)) if down else None

    def refresh(self, now: int) -> Report:
        """Read what is new of all models and forget what is old, as of `now` (µs)."""
        return self.report(self.each(now, lambda _, __, failure: failure))

    def report(self, failures: Mapping[str, Failure | None]) -> Report:
        """Return how a refresh went, given why models failed, by name."""
        found = {name: failure for name, failure in failures.items() if failure}
        return Report(self.mlflow_up, found, self.mlflow_down)

    def each(self, now: int, then: Then[T]) -> dict[str, T]:
        """Refresh all models as of `now` (µs), side by side; return what comes `then`, by name. See `model`."""
        with ThreadPoolExecutor(MODELS_BEGUN, thread_name_prefix="model") as threads:
            found = {name: threads.submit(self.model, name, self.turn(), now, then) for name in self._models}
        return {name: future.result() for name, future in found.items()}

    def turn(self) -> Turn:
        """Wait until another model may be begun."""
        return self._turns.take()

    def model(self, name: str, turn: Turn, now: int, then: Then[T]) -> T:
        """Read what is new of one model and forget what is old, as of `now` (µs); ends the turn.

        Returns what comes `then` in the same turn, of one model at a time: given the model, that time and why it failed
        if it did.
        Raises Stopped if so asked.
        """
        try:
            memory = self._models[name]
            self.give_up_if_stopping()
            failure = memory.failure
            if memory.is_due(now):
                wait = self._config.refresh_interval * self._random.uniform(0.8, 1.2)
                with Readers(self.executor, self._pace) as readers:
                    refresh = ModelRefresh(self._means, memory, now=now, readers=readers, turn=turn)
                    failure = attempt(memory, refresh.run, now, wait=wait)
            turn.goes_on()
            # Statistics are thousands of short operations, each of which frees the interpreter for another thread: two
            # models at once take longer than one after the other.
            with self._computing:
                return then(memory, now, failure)
        finally:
            turn.end()

"""The refresh loop, at its end of the channel to the front.

It gets a configuration and the last health, and begins one round of refreshes after another, until the front tells it
to stop or is gone. A publication is sent after each round, and in between when a model is done that took longer; health
alone when results were written meanwhile, or could not be.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from driftgauge.config import Config, ModelConfig
from driftgauge.errors import StateDamaged, StateError, Stopped
from driftgauge.hiding import hidden
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.service import placing, refreshing
from driftgauge.service.channel import Channel, Document
from driftgauge.service.config_file import ConfigFile
from driftgauge.service.config_hash import ConfigHash
from driftgauge.service.health import RefreshHealth
from driftgauge.service.reports import Known, Reports
from driftgauge.service.rounds import SLOW, Outcome, Rounds, slow
from driftgauge.service.steady import SteadyClock
from driftgauge.service.writing_back import WritingBack
from driftgauge.store import Store, forget
from driftgauge.windows import MICROSECONDS

if TYPE_CHECKING:
    from driftgauge.pipeline.executor import Executor
    from driftgauge.pipeline.memory import Failure

_PROGRESS_SECONDS: Final = 1.0
# How long a round waits for its models: a part of the interval. Before the first page it is the longest.
_LONGEST_ROUND: Final = 10.0
_SHORTEST_ROUND: Final = 1.0
_ROUND_PART: Final = 3
# A process that was killed a moment ago may still have the state file open.
_OPENING_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 0.1


class Refresher:
    """Begins a round of refreshes, `refresh_interval` after the last one, while `run` runs.

    health: what was known before, whose counts go on. front_gone: is called when the front is no longer there.
    clock: s since 1970; it does not jump.
    """

    def __init__(
        self,
        config: Config,
        channel: Channel,
        health: RefreshHealth,
        *,
        front_gone: Callable[[], None],
        clock: SteadyClock | None = None,
    ) -> None:
        self._config = config
        self._channel = channel
        self._front_gone = front_gone
        self._clock = clock or SteadyClock()
        self._log = structlog.get_logger("driftgauge.service")
        self._store: Store | None = None
        self._workers: Executor | None = None
        self._pipeline: Pipeline | None = None
        self._rounds: Rounds | None = None
        # Set when a pipeline is given up, for its models that are under way.
        self._given_up = threading.Event()
        self._outcomes: dict[str, Outcome] = {}
        self._behind: dict[str, Failure | None] = {}
        self._published = 0.0
        self._health = health
        self._ready = False
        self._down: Failure | None = None
        self._in_mlflow = {model.name for model in config.models if _is_in_mlflow(model)}
        self._said = 0.0
        self._stopping = threading.Event()
        self._writing_back = WritingBack(config, health)
        self._reports = Reports(config, self._known, answer=self._answer)
        self._config_hash = ConfigHash(config)

    def run(self) -> None:
        """Refresh until the front says stop. Raises StateError when the state cannot be opened at the start."""
        threading.Thread(target=self._listen, name="channel", daemon=True).start()
        known = placing.prepare(self._config)
        self._store = self._opened()
        try:
            placing.settle(self._config, known, forget=partial(forget, self._store), now=self._clock())
            self._writing_back.start()
            self._loop()
        finally:
            self._writing_back.close()
            self._close()

    def _opened(self) -> Store:
        deadline = time.monotonic() + _OPENING_SECONDS
        while True:
            try:
                return Store.open(self._config.state_dir)
            except StateError:
                if time.monotonic() > deadline or self._stopping.wait(_RETRY_SECONDS):
                    raise

    def _listen(self) -> None:
        """Wait for the front to say stop, or to be gone; take its questions meanwhile."""
        try:
            while (message := self._channel.receive()) and message.kind != "stop":
                if message.kind == "report" and message.document:
                    self._reports.ask(message.document.header)
        except EOFError:
            self._front_gone()
        self._stopping.set()
        # Whoever waits for them gives up.
        self._close_workers()
        if self._rounds is not None:
            self._rounds.wake()

    def _known(self, model: str) -> Known:
        """Return what was last published of a model; any thread calls it."""
        outcome = self._outcomes.get(model, Outcome())
        return Known(outcome.known, outcome.failure)

    def _answer(self, document: Document) -> None:
        self._channel.send("report", document=document)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            started = self._clock()
            try:
                pipeline, rounds = self._begun()
                if self._round(pipeline, rounds, started):
                    self._rest(pipeline, rounds, started)
                else:
                    self._close()
                    self._stopping.wait(self._config.refresh_interval)
            except (Stopped, EOFError):
                return
            except Exception as error:
                if isinstance(error, StateDamaged) and not self._ready:
                    # There is nothing to be served, and only somebody else can help.
                    raise
                # The last line of defence: without it the page would grow old in silence.
                self._fail(error, started)
                self._close()
                self._stopping.wait(self._config.refresh_interval)

    def _begun(self) -> tuple[Pipeline, Rounds]:
        """Return the pipeline and its rounds, which are made anew after a failure."""
        if self._pipeline is None or self._rounds is None:
            self._pipeline = self._new_pipeline()
            self._rounds = Rounds(self._config, self._pipeline, outcomes=self._outcomes, found=self._writing_back.offer)
        return self._pipeline, self._rounds

    def _new_pipeline(self) -> Pipeline:
        if self._store is None:
            self._store = Store.open(self._config.state_dir)
        given_up = self._given_up = threading.Event()
        self._workers = refreshing.workers_for(self._config)
        return refreshing.pipeline_for(
            self._config,
            self._store,
            self._workers,
            clock=self._clock,
            stopping=lambda: self._asked_to_stop() or given_up.is_set(),
            progress=self._say_progress,
            slack=lambda: self._clock.slack,
        )

    def _round(self, pipeline: Pipeline, rounds: Rounds, started: float) -> bool:
        """Begin the models that are idle and publish what is done of them soon; return whether the state was usable."""
        models = rounds.begin((model.name for model in self._config.models), started)
        if models or not self._config.models:
            self._say_progress()
        rounds.wait(models, self._patience)
        self._give_up_if_stopping()
        fresh = self._publish(pipeline, rounds, started)
        newest = [found.last_prediction for state in pipeline.states for found in state.totals.versions.values()]
        self._clock.confirm(max((time for time in newest if time is not None), default=0) / MICROSECONDS)
        # DuckDB refuses to go on after some failures; a fresh start from the file always can.
        failures = (self._outcomes[name].failure for name in fresh)
        return not any(failure and failure[0] == "state" for failure in failures)

    def _rest(self, pipeline: Pipeline, rounds: Rounds, started: float) -> None:
        """Wait for the next round, and publish now and then what is done meanwhile."""
        end = time.monotonic() + self._config.refresh_interval
        while not self._stopping.is_set() and (left := end - time.monotonic()) > 0:
            next_page = self._published + self._patience - time.monotonic()
            news = rounds.progress.fresh or self._writing_back.told(self._health) != self._health
            if news and next_page <= 0:
                self._publish(pipeline, rounds, started)
            else:
                rounds.take(min(left, next_page if news else _LONGEST_ROUND))

    @property
    def _patience(self) -> float:
        if not self._ready:
            return _LONGEST_ROUND
        return max(_SHORTEST_ROUND, min(self._config.refresh_interval / _ROUND_PART, _LONGEST_ROUND))

    def _give_up_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise Stopped("stopped in the middle of a refresh")

    def _asked_to_stop(self) -> bool:
        """Return whether to stop. It is asked after each file and model, so whoever asks has made progress."""
        self._say_progress()
        return self._stopping.is_set()

    def _say_progress(self) -> None:
        now = time.monotonic()
        if now - self._said >= _PROGRESS_SECONDS:
            self._said = now
            with suppress(EOFError):
                self._channel.send("progress")

    def _close_workers(self) -> None:
        if self._workers is not None:
            self._workers.close()

    def _close(self) -> None:
        """Give up the pipeline, with the models that are under way, and close the state."""
        self._given_up.set()
        if self._rounds is not None:
            self._rounds.close()
        self._close_workers()
        self._pipeline = self._rounds = None
        if self._store is not None:
            self._store.close()
            self._store = None

    def _publish(self, pipeline: Pipeline, rounds: Rounds, started: float) -> set[str]:
        """Send a publication of what is done, unless there is no news; return of which models it is."""
        now, progress = self._clock(), rounds.progress
        rounds.recall()
        behind = slow(progress, after=self._patience, late=self._config.refresh_deadline, now=now)
        said = {name: outcome.failure for name, outcome in behind.items()}
        fresh = progress.taken()
        if not fresh and said == self._behind and self._config.models:
            self._publish_health(rounds)
            return fresh
        self._say_who_is_late(said)
        self._behind, self._outcomes = said, dict(progress.outcomes)
        outcomes = {**self._outcomes, **behind}
        self._health = self._health_after(outcomes, fresh | behind.keys(), pipeline, started)
        restored = any(state.totals.versions for state in pipeline.states)
        # A shard may have no models.
        some = bool(self._outcomes) or not self._config.models
        self._ready = self._ready or (some and (pipeline.mlflow_up is not False or restored))
        publication = refreshing.publish(
            {model.name: outcomes[model.name].samples for model in self._config.models if model.name in outcomes},
            self._config,
            self._health,
            refreshed={name: found.refreshed for name, found in outcomes.items() if found.refreshed is not None},
            shown={name: found.shown for name, found in outcomes.items()},
            ready=self._ready,
        )
        self._health = publication.health
        self._send("publication", publication.document, rounds)
        return fresh

    def _publish_health(self, rounds: Rounds) -> None:
        """Send how writing results stands, if that has changed."""
        health = self._writing_back.told(self._health)
        if health != self._health:
            self._health = health
            self._send("health", Document.of({"health": health.to_json()}), rounds)

    def _send(self, kind: str, document: Document, rounds: Rounds) -> None:
        self._channel.send(kind, document=document)
        self._published = time.monotonic()
        if rounds.progress.begun:
            # The front waits for signs of life again.
            self._channel.send("progress")

    def _health_after(
        self, outcomes: Mapping[str, Outcome], tried: set[str], pipeline: Pipeline, started: float
    ) -> RefreshHealth:
        up, before = pipeline.mlflow_up, self._health
        self._say_whether_mlflow_answers(up=up, down=pipeline.mlflow_down)
        if up and before.mlflow_up is False:
            self._writing_back.retry()
        failures = {name: found.failure for name, found in outcomes.items() if found.failure}
        seconds = max((found.seconds for name, found in outcomes.items() if name in tried), default=0.0)
        health = before.after(failures, tried=tried, started=started, seconds=seconds)
        done = [found.refreshed for found in outcomes.values() if found.refreshed is not None]
        if len(done) == len(self._config.models):
            health = replace(health, last_success=max(min(done, default=started), before.last_success or 0.0))
        elif not failures:
            health = replace(health, succeeded=before.succeeded)
        is_known = up is not None or not self._in_mlflow
        health = replace(health, mlflow_up=up if is_known else before.mlflow_up)
        health = replace(self._writing_back.told(health), config_hash=self._config_hash.of(pipeline.monitored))
        return replace(health, pending=pipeline.pending, pending_labels=pipeline.pending_labels)

    def _say_who_is_late(self, failures: "Mapping[str, Failure | None]") -> None:
        """Log it once of each model, until it is done."""
        for name, failure in failures.items():
            before = self._behind.get(name)
            if failure and failure[0] == SLOW and not (before and before[0] == SLOW):
                self._log.error("model not refreshed", model=name, reason=SLOW, error=failure[1])

    def _say_whether_mlflow_answers(self, *, up: bool | None, down: "Failure | None") -> None:
        """Log it when that changes, and when it does not for another reason than before."""
        if up is None or (up, down) == (self._health.mlflow_up, self._down):
            return
        self._down = down
        uri = hidden(self._config.mlflow.tracking_uri or "")
        if down is None:
            self._log.info("MLflow answers", uri=uri)
        else:
            reason, error = down
            self._log.error("MLflow does not answer", uri=uri, reason=reason, error=error)

    def _fail(self, error: Exception, started: float) -> None:
        """Have the front serve the last page with the failure."""
        expected = isinstance(error, StateError)
        if expected:
            self._log.error("refresh failed", reason="state", error=str(error))
        else:
            self._log.error("refresh failed: this is a bug in driftgauge", exc_info=error)
        reason = "state" if expected else "internal"
        failures = {model.name: (reason, hidden(str(error))) for model in self._config.models}
        self._health = self._health.after(failures, tried=failures, started=started, seconds=self._clock() - started)
        self._channel.send("health", document=Document.of({"health": self._health.to_json()}))


def _is_in_mlflow(model: ModelConfig) -> bool:
    return any(section is not None and section.files is None for section in (model.predictions, model.labels))


def run(order: Mapping[str, Any], channel: Channel, *, front_gone: Callable[[], None]) -> int:
    """Refresh as the front orders, until it says stop; return the exit status: 1 when the state cannot be used."""
    config, health = ConfigFile(**order["config"]).parsed(), RefreshHealth.from_json(order["health"])
    try:
        Refresher(config, channel, health, front_gone=front_gone).run()
    except StateError as error:
        channel.send("refused", text=hidden(str(error)))
        return 1
    return 0

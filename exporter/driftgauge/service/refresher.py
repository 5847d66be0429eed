"""The refresh loop, at its end of the channel to the front.

It gets a configuration and the last health, refreshes, and sends one publication per refresh, until the front tells it
to stop or is gone.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from driftgauge.config import Config
from driftgauge.errors import StateError, Stopped
from driftgauge.hiding import hidden
from driftgauge.pipeline.refresh import Pipeline, Report
from driftgauge.service import refreshing
from driftgauge.service.channel import Channel, Document
from driftgauge.service.config_file import ConfigFile
from driftgauge.service.health import RefreshHealth
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS

if TYPE_CHECKING:
    from driftgauge.pipeline.executor import Executor
    from driftgauge.pipeline.memory import Failure
    from driftgauge.samples import Samples

_PROGRESS_SECONDS: Final = 1.0
# A process that was killed a moment ago may still have the state file open.
_OPENING_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 0.1


class Refresher:
    """Refreshes every `refresh_interval` while `run` runs; one thread uses the pipeline and the store.

    health: what was known before, whose counts go on. front_gone: is called when the front is no longer there.
    clock: s since 1970.
    """

    def __init__(
        self,
        config: Config,
        channel: Channel,
        health: RefreshHealth,
        *,
        front_gone: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._channel = channel
        self._front_gone = front_gone
        self._clock = clock
        self._log = structlog.get_logger("driftgauge.service")
        self._store: Store | None = None
        self._workers: Executor | None = None
        self._models: dict[str, Samples] = {}
        self._health = health
        self._ready = False
        self._down: Failure | None = None
        self._said = 0.0
        self._stopping = threading.Event()

    def run(self) -> None:
        """Refresh until the front says stop. Raises StateError when the state cannot be opened at the start."""
        threading.Thread(target=self._listen, name="channel", daemon=True).start()
        self._store = self._opened()
        try:
            self._loop()
        finally:
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
        """Wait for the front to say stop, or to be gone."""
        try:
            while (message := self._channel.receive()) and message.kind != "stop":
                pass
        except EOFError:
            self._front_gone()
        self._stopping.set()
        # Whoever waits for them gives up.
        self._close_workers()

    def _loop(self) -> None:
        pipeline = None
        while not self._stopping.is_set():
            started = self._clock()
            try:
                if pipeline is None:
                    pipeline = self._pipeline()
                report = self._refresh(pipeline, started)
                if any(reason == "state" for reason, _ in report.failures.values()):
                    # DuckDB refuses to go on after some failures; a fresh start from the file always can.
                    pipeline = None
                    self._close()
            except (Stopped, EOFError):
                return
            except Exception as error:  # noqa: BLE001 - the comment below
                # The last line of defence: without it the page would grow old in silence.
                self._fail(error, started)
                pipeline = None
            self._stopping.wait(self._config.refresh_interval)

    def _pipeline(self) -> Pipeline:
        if self._store is None:
            self._store = Store.open(self._config.state_dir)
        self._close_workers()
        self._workers = refreshing.workers_for(self._config)
        return refreshing.pipeline_for(
            self._config,
            self._store,
            self._workers,
            clock=self._clock,
            stopping=self._asked_to_stop,
            progress=self._say_progress,
        )

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
        self._close_workers()
        if self._store is not None:
            self._store.close()
            self._store = None

    def _refresh(self, pipeline: Pipeline, started: float) -> Report:
        self._say_progress()
        report, self._models = refreshing.refresh_models(
            self._config, pipeline, self._models, now=int(started * MICROSECONDS)
        )
        self._say_whether_mlflow_answers(report)
        health = self._health.after(report.failures, started=started, ended=self._clock())
        health = replace(health, mlflow_up=report.mlflow_up)
        health = replace(health, pending=pipeline.pending, pending_labels=pipeline.pending_labels)
        restored = any(state.totals.versions for state in pipeline.states)
        self._ready = self._ready or report.mlflow_up is not False or restored
        publication = refreshing.publish(
            self._models,
            self._config,
            health,
            journals=pipeline.journals,
            now=int(started * MICROSECONDS),
            ready=self._ready,
            again=pipeline.read_again,
        )
        self._health = publication.health
        self._channel.send("publication", document=publication.document)
        return report

    def _say_whether_mlflow_answers(self, report: Report) -> None:
        """Log it when that changes, and when it does not for another reason than before."""
        if (report.mlflow_up, report.mlflow_down) == (self._health.mlflow_up, self._down):
            return
        self._down = report.mlflow_down
        uri = hidden(self._config.mlflow.tracking_uri or "")
        if self._down is None:
            self._log.info("MLflow answers", uri=uri)
        else:
            reason, error = self._down
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
        self._health = self._health.after(failures, started=started, ended=self._clock())
        self._channel.send("failure", document=Document.of({"health": self._health.to_json()}))


def run(order: Mapping[str, Any], channel: Channel, *, front_gone: Callable[[], None]) -> int:
    """Refresh as the front orders, until it says stop; return the exit status: 1 when the state cannot be used."""
    config, health = ConfigFile(**order["config"]).parsed(), RefreshHealth.from_json(order["health"])
    try:
        Refresher(config, channel, health, front_gone=front_gone).run()
    except StateError as error:
        channel.send("refused", text=hidden(str(error)))
        return 1
    return 0

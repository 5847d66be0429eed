"""The refresh thread, and what the outside asks of it.

One thread refreshes; it alone uses the pipeline and the store. What it publishes is swapped by assignment, so a scrape
never waits and never sees half a refresh.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

import structlog

from driftgauge.collector import ProcessMetrics, compose
from driftgauge.config import Config, redacted, without_secrets
from driftgauge.errors import ConfigError, StateError, Stopped
from driftgauge.service.health import Health
from driftgauge.service.interpreter import set_imports_aside
from driftgauge.service.landing import landing
from driftgauge.service.publication import Publication
from driftgauge.store import Store
from driftgauge.web.status import Status

if TYPE_CHECKING:
    from driftgauge.pipeline.executor import Executor
    from driftgauge.pipeline.refresh import Pipeline, Report

_MICROSECONDS: Final = 1_000_000
# All runs are enumerated this often (seconds); in between only those that can be new are asked for.
_FULL_INTERVAL: Final = 3600.0
_LONGEST_BACKOFF: Final = 300.0


class Service:
    """Refreshes every `refresh_interval` from `start` until `stop`; the `Exporter` that `web` answers for.

    load_config: reads and checks the configuration file anew; raises ConfigError. clock: s since 1970.
    Raises ConfigError or StateError when it cannot begin.
    """

    def __init__(
        self,
        load_config: Callable[[], Config],
        *,
        clock: Callable[[], float] = time.time,
        random: Random | None = None,
    ) -> None:
        self._load_config = load_config
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - spreads retries, guards nothing
        self._log = structlog.get_logger("driftgauge.service")
        self._config = load_config()
        self._store: Store | None = Store.open(self._config.state_dir)
        self._workers: Executor | None = None
        self._started = clock()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._publishing = threading.Lock()
        self._process = ProcessMetrics()
        self._ready = False
        self._outages = 0
        self._published = Publication.of({}, {}, Health(reloaded=self._started))
        self._thread = threading.Thread(target=self._run, name="refresh", daemon=True)

    def start(self) -> None:
        """Begin to refresh in the background."""
        self._thread.start()

    def stop(self, *, timeout: float) -> bool:
        """End the refresh that is under way and close the state; return whether that was done within `timeout` s."""
        self._stopping.set()
        self._wake.set()
        self._close_workers()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        self._close_store()
        return True

    # What `web` asks for.

    def metrics(self, *, openmetrics: bool, gzip: bool) -> bytes:
        """Return the last page, preceded by the figures of this process as they are now."""
        return compose(self._published.page, self._process, openmetrics=openmetrics, gzip=gzip)

    @property
    def ready(self) -> bool:
        """Whether there is anything to serve: the first refresh is done, or MLflow is away but state was restored."""
        return self._ready

    def config_text(self) -> str:
        """Return the configuration in use as YAML, secrets redacted."""
        return redacted(self._config)

    def status(self) -> Status:
        """Return what the landing page shows."""
        return landing(self._published, self._config, started=self._started, now=self._clock())

    def reload(self) -> str | None:
        """Read the configuration file again; return None, or why the old configuration stays."""
        try:
            config = self._load_successor()
        except ConfigError as error:
            self._log.error("configuration not reloaded", error=str(error))
            self._update_health(lambda health: replace(health, reload_succeeded=False))
            return str(error)
        self._config = config
        now = self._clock()
        self._update_health(lambda health: replace(health, reload_succeeded=True, reloaded=now))
        self._log.info("configuration reloaded", models=len(config.models))
        self._wake.set()
        return None

    def _load_successor(self) -> Config:
        config = self._load_config()
        if config.state_dir != self._config.state_dir:
            raise ConfigError("state_dir cannot be changed by a reload: restart driftgauge")
        return config

    # The refresh thread.

    def _run(self) -> None:
        config, pipeline, last_full = self._config, None, float("-inf")
        while not self._stopping.is_set():
            started = self._clock()
            try:
                if pipeline is None or config is not self._config:
                    config, pipeline, last_full = self._config, self._pipeline(), float("-inf")
                # The distance, for clocks also go back.
                full = abs(started - last_full) >= _FULL_INTERVAL
                report = self._refresh(config, pipeline, started, full=full)
                last_full = started if full and not report.failures else last_full
                if any(reason == "state" for reason, _ in report.failures.values()):
                    # DuckDB refuses to go on after some failures; a fresh start from the file always can.
                    pipeline = None
                    self._close_store()
            except Stopped:
                return
            except Exception as error:  # noqa: BLE001 - the comment below
                # The last line of defence: without this thread the page would grow old in silence.
                self._fail(error, started)
                pipeline = None
            self._wake.wait(self._pause(config))
            self._wake.clear()

    def _pipeline(self) -> "Pipeline":
        from driftgauge.service import refreshing  # noqa: PLC0415 - takes seconds, in which pages are answered

        config = self._config
        if self._store is None:
            self._store = Store.open(config.state_dir)
        self._close_workers()
        self._workers = refreshing.workers_for(config)
        stopping = self._stopping.is_set
        pipeline = refreshing.pipeline_for(config, self._store, self._workers, clock=self._clock, stopping=stopping)
        set_imports_aside()
        return pipeline

    def _close_workers(self) -> None:
        if self._workers is not None:
            self._workers.close()

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _refresh(self, config: Config, pipeline: "Pipeline", started: float, *, full: bool) -> "Report":
        from driftgauge.service import refreshing  # noqa: PLC0415 - as above

        now = int(started * _MICROSECONDS)
        before = self._published
        report, samples = refreshing.refresh_models(config, pipeline, before.models, now=now, full=full)
        if report.mlflow_up != before.health.mlflow_up:
            log = self._log.info if report.mlflow_up else self._log.error
            uri = without_secrets(config.mlflow.tracking_uri or "")
            log("MLflow answers" if report.mlflow_up else "MLflow does not answer", uri=uri)
        with self._publishing:
            health = self._published.health.after(report, started=started, ended=self._clock())
            health = replace(health, pending=pipeline.pending)
            self._published = refreshing.publish(samples, health, max_series=config.limits.max_series)
        restored = any(state.totals.versions for state in pipeline.states)
        self._ready = self._ready or report.mlflow_up or restored
        self._outages = 0 if report.mlflow_up else self._outages + 1
        return report

    def _fail(self, error: Exception, started: float) -> None:
        expected = isinstance(error, StateError)
        if expected:
            self._log.error("refresh failed", reason="state", error=str(error))
        else:
            self._log.error("refresh failed: this is a bug in driftgauge", exc_info=error)
        reason = "state" if expected else "internal"
        failures = {model.name: (reason, str(error)) for model in self._config.models}
        ended = self._clock()

        def failed(health: Health) -> Health:
            return health.after_failures(failures, started=started, ended=ended)

        self._update_health(failed)

    def _update_health(self, change: Callable[[Health], Health]) -> None:
        """Publish the same samples with another health."""
        with self._publishing:
            self._published = self._published.with_health(change(self._published.health))

    def _pause(self, config: Config) -> float:
        """Return how long to wait: the refresh interval, doubled for each refresh MLflow was away, with jitter."""
        if not self._outages:
            return config.refresh_interval
        longest = max(_LONGEST_BACKOFF, config.refresh_interval)
        pause = min(config.refresh_interval * 2 ** min(self._outages - 1, 16), longest)
        return float(pause * self._random.uniform(0.8, 1.2))

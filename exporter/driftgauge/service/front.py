"""The front: what the web server asks, answered from the last publication and from what the front knows itself.

It validates configurations and has a refresher run the accepted one. It computes nothing and waits for nobody: a scrape
reads the page that was published, and adds the few lines about processes, configuration and refresher.
"""

import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import structlog

from driftgauge.collector import END, Page, ProcessMetrics, written
from driftgauge.config import Config, redacted
from driftgauge.errors import ConfigError, StateError
from driftgauge.hiding import hidden, hidden_known
from driftgauge.samples import Sample, Samples
from driftgauge.service.channel import Channel, Document
from driftgauge.service.config_file import ConfigFile
from driftgauge.service.health import RefreshHealth, build_info, counted, reloaded, sharded
from driftgauge.service.landing import model_status, moment
from driftgauge.service.logs import Logs
from driftgauge.service.placing import placement, refuse_unusable, said
from driftgauge.service.publication import Publication
from driftgauge.service.questions import NoAnswer
from driftgauge.service.supervisor import FIRST_PAUSE, Child, Order, Supervisor
from driftgauge.sharding import Shard
from driftgauge.web.answer import MEDIA_TYPES, Answer
from driftgauge.web.status import RefresherStatus, Status

PREFIX: Final = "driftgauge_refresher"
# Seconds.
_ASK_AGAIN: Final = 5


class Front:
    """The `Exporter` that `web` answers for, from `start` until `stop`.

    read_config: reads the configuration file; raises ConfigError when it cannot. spawn: starts a refresher.
    on_refused: gets the message when the first refresher cannot use the state. clock: s since 1970. logs: how the
    refresher logs. Raises ConfigError when the configuration is wrong.
    """

    def __init__(
        self,
        read_config: Callable[[], ConfigFile],
        *,
        spawn: Callable[[Channel], Child],
        on_refused: Callable[[str], None],
        logs: Logs,
        clock: Callable[[], float] = time.time,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._read_config = read_config
        self._clock = clock
        self._logs = logs
        self._log = structlog.get_logger("driftgauge.service")
        self._file = read_config()
        self._config = self._file.parsed()
        refuse_unusable(self._config)
        self._started = self._reloaded = clock()
        self._refused: str | None = None
        self._reloading = threading.Lock()
        self._ready = False
        self._published = Publication.of(Page(), RefreshHealth(), figures={}, ready=False)
        self._supervisor = Supervisor(
            spawn,
            on_publication=self._publish,
            on_health=self._publish_health,
            on_refused=on_refused,
            first_pause=first_pause,
        )
        self._processes = ProcessMetrics(prefix=PREFIX, child=lambda: self._supervisor.pid)

    def start(self) -> None:
        """Have a refresher run in the background."""
        self._supervisor.start(self._order(self._file, self._config))

    def stop(self) -> bool:
        """End the refresher; return whether it ended in order rather than in the middle of a refresh."""
        return self._supervisor.stop()

    # What `web` asks for.

    def metrics(
        self, *, openmetrics: bool, gzip: bool, names: Container[str] | None = None
    ) -> tuple[int, Iterator[bytes]]:
        """Return the last page, then the families about driftgauge and its processes as they are now.

        names: of the families that are wanted; None for all.
        """
        published = self._published
        lines = written({**published.health.samples(), **self._samples()}, openmetrics=openmetrics, names=names)
        lines += self._processes.lines(openmetrics=openmetrics, names=names)
        return published.page(lines + END if openmetrics else lines, openmetrics=openmetrics, gzip=gzip, names=names)

    @property
    def ready(self) -> bool:
        """Whether there is anything to serve: the first refresh is done, or MLflow is away but state was restored."""
        return self._ready

    def config_text(self) -> str:
        """Return the configuration in use as YAML, secrets redacted."""
        return hidden_known(redacted(self._config))

    def report(self, model: str, *, version: str | None, window: str | None, form: str, home: str) -> Answer:
        """Return the report on a model, which the refresher makes; form: html, md or json."""
        names = [each.name for each in self._config.models]
        if model not in names:
            place = self._config.elsewhere.get(model)
            where = "" if place is None else f"; shard {place} has it"
            said = f"there is no model {model!r} here{where}; there are {', '.join(names) or 'none'}"
            return Answer.text(404, hidden_known(said))
        asked = {"model": model, "version": version, "window": window, "form": form, "home": home}
        try:
            answer = self._supervisor.ask(asked)
        except NoAnswer as error:
            return _not_now(str(error))
        status = int(answer.header["status"])
        if status == HTTPStatus.OK:
            return Answer(status, MEDIA_TYPES[form], answer.part(0))
        said = str(answer.header["text"])
        return _not_now(said) if status == HTTPStatus.SERVICE_UNAVAILABLE else Answer.text(status, said)

    def status(self) -> Status:
        """Return what the landing page shows."""
        config, published = self._config, self._published
        health = published.health
        models = (
            model_status(
                model,
                config,
                published.figures.get(model.name),
                error=health.messages.get(model.name),
                waiting=health.writeback.waiting.get(model.name),
            )
            for model in config.models
        )
        end = self._supervisor.last_end
        return Status(
            now=datetime.fromtimestamp(self._clock(), UTC),
            started=datetime.fromtimestamp(self._started, UTC),
            mlflow_uri=hidden(config.mlflow.tracking_uri or ""),
            mlflow_up=health.mlflow_up,
            last_refresh=moment(health.last_refresh),
            refresh_seconds=health.duration,
            refresh_succeeded=health.succeeded,
            refresher=RefresherStatus(
                up=self._supervisor.up,
                restarts=sum(self._supervisor.restarts.values()),
                last_end=moment(end.at) if end else None,
                why=hidden(end.words) if end else "",
            ),
            models=tuple(models),
            shard=str(config.shard) if config.shard != Shard() else "",
            placed=self._placed(),
            refused=self._refused,
        )

    def _placed(self) -> tuple[str, ...]:
        with suppress(StateError):
            known = placement(self._config.state_dir)
            return said(known, models=len(self._config.models), elsewhere=len(self._config.elsewhere))
        return ()

    def reload(self) -> str | None:
        """Read the configuration file again; return None, or why the old configuration stays.

        An accepted one that differs is handed to a new refresher.
        """
        with self._reloading:
            try:
                file = self._read_config()
                config = self._successor(file)
            except ConfigError as error:
                self._log.error("configuration not reloaded", error=str(error))
                self._refused = hidden(str(error))
                return self._refused
            if file != self._file:
                self._supervisor.replace(self._order(file, config))
            self._file, self._config = file, config
            self._refused, self._reloaded = None, self._clock()
            self._log.info("configuration reloaded", models=len(config.models))
            return None

    def _successor(self, file: ConfigFile) -> Config:
        config = file.parsed()
        if config.state_dir != self._config.state_dir:
            raise ConfigError("state_dir cannot be changed by a reload: restart driftgauge")
        return config

    def _order(self, file: ConfigFile, config: Config) -> Order:
        """Return how to start a refresher: the text that was validated, and the counts to go on from."""

        def document() -> Document:
            health = self._published.health.to_json()
            return Document.of({"config": file._asdict(), "health": health, "logs": self._logs._asdict()})

        return Order(document, config.refresh_deadline)

    def _publish(self, document: Document) -> None:
        self._published = Publication.read(document)
        self._ready = self._ready or self._published.ready

    def _publish_health(self, document: Document) -> None:
        self._published = self._published.with_health(document)

    def _samples(self) -> Samples:
        """Return the families about configuration and refresher, which the front knows."""
        return {
            **build_info(),
            **sharded(self._config.shard),
            **reloaded(self._reloaded, succeeded=self._refused is None),
            "driftgauge_refresher_up": [Sample((), float(self._supervisor.up))],
            **counted("driftgauge_refresher_restarts_total", self._supervisor.restarts),
        }


def _not_now(why: str) -> Answer:
    said = f"No report now: {why}. A browser asks again by itself in {_ASK_AGAIN} s."
    return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, said, retry_after=_ASK_AGAIN)

"""A front over a real MLflow store, with a refresher in a thread whose parts tests can replace, and what it serves."""

import contextlib
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import parser

from driftgauge.config import Config
from driftgauge.service import refresher
from driftgauge.service.channel import Channel
from driftgauge.service.config_file import ConfigFile
from driftgauge.service.front import Front
from driftgauge.service.logs import Logs

PATIENCE: Final = 180
ROWS: Final = tuple({"prediction": 0.9, "label": n % 2, "features": {"age": 30 + n}} for n in range(10))
MODELS: Final = ("churn", "fraud")
REFRESHED: Final = "model_last_refresh_timestamp_seconds"

Values = dict[tuple[str, ...], float]


@dataclass
class Bench:
    """An MLflow store, a configuration that a test may change, and the front over both."""

    uri: str
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    models: Sequence[str] = MODELS

    def log(self, model: str, name: str = "batch.jsonl") -> None:
        """Log a batch of `ROWS` of the model, as of now, in a run of its own."""
        from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

        client = MlflowClient(self.uri)
        found = client.get_experiment_by_name(model)
        place = None if self.uri.startswith("http") else str(self.folder / "artifacts")
        run = client.create_run(found.experiment_id if found else client.create_experiment(model, place))
        client.log_text(run.info.run_id, "".join(json.dumps(row) + "\n" for row in ROWS), name)
        client.set_terminated(run.info.run_id)

    def read(self) -> ConfigFile:
        """Return the configuration file as it is now."""
        models = [{"name": name, "predictions": {"experiment": name}} for name in self.models]
        fixed = {"mlflow": {"tracking_uri": self.uri}, "state_dir": str(self.folder / "state"), "models": models}
        text = json.dumps({"refresh_interval": "500ms", **fixed, **self.settings})
        return ConfigFile("driftgauge.yml", text)

    def load(self) -> Config:
        """Return the configuration as it is now."""
        return self.read().parsed()

    def front(self) -> Front:
        """Return a front that was not started."""
        return Front(self.read, spawn=RefresherThread, on_refused=pytest.fail, logs=Logs())

    @contextlib.contextmanager
    def serving(self) -> Iterator[Front]:
        """Run a front until the block is left."""
        front = self.front()
        front.start()
        try:
            yield front
        finally:
            front.stop()


class RefresherThread:
    """A refresher in this process. It cannot be killed: whoever tries waits for it."""

    pid = None

    def __init__(self, channel: Channel) -> None:
        # As in a process of its own, where the front's copy of this end is closed.
        self._channel = Channel.inherited(os.dup(channel.fileno()))
        self._status: int | None = None
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        message = self._channel.receive()
        assert message is not None
        assert message.document is not None
        self._status = refresher.run(message.document.header, self._channel, front_gone=lambda: None)
        # Its other thread waits at this end: to close it would wait for that.
        with socket.socket(fileno=os.dup(self._channel.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)

    def wait(self, timeout: float) -> int | None:
        """Return the exit status when it ended in time."""
        self._thread.join(timeout)
        return self._status

    def kill(self) -> None:
        """Wait for its end."""
        self._thread.join(PATIENCE)


def filled(empty_database: Path, folder: Path) -> Bench:
    """Return a bench on a sqlite store in the folder that holds one batch of each model."""
    shutil.copyfile(empty_database, folder / "mlflow.db")
    bench = Bench(f"sqlite:///{folder}/mlflow.db", folder)
    for model in MODELS:
        bench.log(model)
    return bench


def page_of(front: Front, *, openmetrics: bool = False, gzip: bool = False) -> bytes:
    """Return what a scrape gets."""
    length, pieces = front.metrics(openmetrics=openmetrics, gzip=gzip)
    page = b"".join(pieces)
    assert len(page) == length
    return page


def values(front: Front) -> Values:
    """Return what a scrape gets: samples by name and label values, those about processes left out."""
    page = page_of(front).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parser.text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith(("driftgauge_", "model_")) and "_process_" not in sample.name
    }


def about_models(found: Values) -> Values:
    """Return the series about models, without when they were refreshed."""
    return {key: value for key, value in found.items() if key[0].startswith("model_") and key[0] != REFRESHED}


def until(front: Front, condition: Callable[[Values], bool]) -> Values:
    """Scrape until the page meets the condition; return that page."""
    deadline = time.monotonic() + PATIENCE
    while not condition(found := values(front)):
        if time.monotonic() > deadline:
            pytest.fail(f"the page never came to that: {found}")
        time.sleep(0.01)
    return found


def refreshed(found: Values) -> bool:
    """Whether the last refresh was good for every model."""
    return found.get(("driftgauge_refresh_success",)) == 1


def is_away(found: Values) -> bool:
    """Whether the last refresh found MLflow away."""
    return found.get(("driftgauge_mlflow_up",)) == 0

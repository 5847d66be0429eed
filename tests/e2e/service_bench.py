"""A service over a real MLflow store, and what its page says."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from prometheus_client import parser

from driftgauge.config import Config, parse
from driftgauge.service import Service

PATIENCE: Final = 60
ROWS: Final = tuple({"prediction": 0.9, "label": n % 2, "features": {"age": 30 + n}} for n in range(10))
MODELS: Final = ("churn", "fraud")

Values = dict[tuple[str, ...], float]


@dataclass
class Bench:
    """An MLflow store, a configuration that a test may change, and the service over both."""

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

    def load(self) -> Config:
        """Return the configuration as the command line reads it: through the parser, again at each call."""
        models = [{"name": name, "predictions": {"experiment": name}} for name in self.models]
        fixed = {"mlflow": {"tracking_uri": self.uri}, "state_dir": str(self.folder / "state"), "models": models}
        text = json.dumps({"refresh_interval": "100ms", **fixed, **self.settings})
        return parse(text, filename="driftgauge.yml", environ={})

    def service(self) -> Service:
        """Return a service whose retries come at the same intervals in every run."""
        return Service(self.load, random=Random(1))  # noqa: S311 - guards nothing

    @contextlib.contextmanager
    def serving(self) -> Iterator[Service]:
        """Run a service until the block is left."""
        service = self.service()
        service.start()
        try:
            yield service
        finally:
            assert service.stop(timeout=PATIENCE)


def filled(empty_database: Path, folder: Path) -> Bench:
    """Return a bench on a sqlite store in the folder that holds one batch of each model."""
    shutil.copyfile(empty_database, folder / "mlflow.db")
    bench = Bench(f"sqlite:///{folder}/mlflow.db", folder)
    for model in MODELS:
        bench.log(model)
    return bench


def values(service: Service) -> Values:
    """Return what a scrape gets: samples by name and label values, those about the process left out."""
    page = service.metrics(openmetrics=False, gzip=False).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parser.text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith(("driftgauge_", "model_"))
    }


def about_models(found: Values) -> Values:
    """Return the series about models."""
    return {key: value for key, value in found.items() if key[0].startswith("model_")}


def until(service: Service, condition: Callable[[Values], bool]) -> Values:
    """Scrape until the page meets the condition; return that page."""
    deadline = time.monotonic() + PATIENCE
    while not condition(found := values(service)):
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

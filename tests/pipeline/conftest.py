"""A real MLflow store to fill, and the pipeline over it, opened anew as often as a test likes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from driftgauge.config import Config
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.pace import USUAL, Pace
from driftgauge.pipeline.refresh import Pipeline, Report
from driftgauge.samples import Sample
from driftgauge.snapshot import model_samples
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS

# 2026-01-09T12:00:00Z: a multiple of every pane, so that windows end exactly here.
SECONDS: Final = 1_767_960_000
NOW: Final = SECONDS * MICROSECONDS
PREDICTIONS: Final = "/monitoring/churn"
LABELS: Final = "/monitoring/churn-labels"
LIMIT: Final = 20_000_000

Rows = Sequence[Mapping[str, Any]]
# (family, label values after the model's name …, the segment last) -> value; a histogram's is its sum, next to counts.
Values = dict[tuple[str, ...], float]


def a_model(name: str = "churn", *, labels: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Return a model of the configuration; `labels` adds a section of label files in an experiment of their own."""
    section = {} if labels is None else {"labels": {"experiment": LABELS, **labels}}
    return {"name": name, "predictions": {"experiment": PREDICTIONS}, **section, **settings}


@dataclass(frozen=True, slots=True)
class Bench:
    """One tracking store, MLflow's client to fill it, and a folder for state and reference files."""

    uri: str
    client: Any
    folder: Path

    def run(self, experiment: str, **options: Any) -> str:
        """Return a new run that started an hour before NOW, in an experiment that is made when it does not exist."""
        found = self.client.get_experiment_by_name(experiment)
        experiment_id = found.experiment_id if found else self.client.create_experiment(experiment)
        started = SECONDS * 1000 - 3_600_000
        return str(self.client.create_run(experiment_id, **{"start_time": started, **options}).info.run_id)

    def put(self, run_id: str, path: str, content: bytes | Rows) -> None:
        """Log bytes, or rows as JSON lines, as the artifact `path` of a run, in place of what was there."""
        data = content if isinstance(content, bytes) else "".join(json.dumps(row) + "\n" for row in content).encode()
        place, _, name = path.rpartition("/")
        outbox = self.folder / "outbox"
        outbox.mkdir(exist_ok=True)
        (outbox / name).write_bytes(data)
        self.client.log_artifact(run_id, str(outbox / name), place or None)

    def log(self, experiment: str, path: str, content: bytes | Rows, **options: Any) -> str:
        """Log a file in a finished run of its own and return the run's id."""
        run_id = self.run(experiment, **options)
        self.put(run_id, path, content)
        self.client.set_terminated(run_id)
        return run_id

    def config(self, *models: dict[str, Any], state: str = "state", **settings: Any) -> Config:
        """Return a configuration for this store with its state in a folder of that name."""
        fixed = {"mlflow": {"tracking_uri": self.uri}, "state_dir": str(self.folder / state), "models": models}
        return Config.model_validate({"limits": {"max_artifact_bytes": LIMIT}} | fixed | settings)

    @contextmanager
    def opened(self, config: Config, *, pace: Pace = USUAL) -> Iterator[Pipeline]:
        """Lend a pipeline as a fresh process has it."""
        store = Store.open(config.state_dir)
        try:
            yield Pipeline(config, Feeds(config), store, executor=Inline(), pace=pace)
        finally:
            store.close()

    def refreshed(self, config: Config, *, now: int = NOW) -> tuple[Report, Values]:
        """Refresh once in a fresh pipeline; return the report and what it then publishes."""
        with self.opened(config) as pipeline:
            report = pipeline.refresh(now)
            return report, published(pipeline, config, now=now)


@pytest.fixture
def bench(sqlite_store: str, tmp_path: Path) -> Bench:
    """Return a bench on an empty sqlite store."""
    from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

    return Bench(sqlite_store, MlflowClient(sqlite_store), tmp_path)


def published(pipeline: Pipeline, config: Config, *, now: int = NOW, model: str | None = None) -> Values:
    """Return the samples of one model (the first by default) as one flat mapping."""
    states = {state.config.name: state for state in pipeline.states}
    state = states[model or config.models[0].name]
    values: Values = {}
    for family, samples in model_samples(state, windows=config.windows, limits=config.limits, now=now).items():
        for sample in samples:
            key = (family, *sample.labels[1:], *([f"segment {sample.segment}"] if sample.segment else []))
            values[key] = sample.value if isinstance(sample, Sample) else sample.sum
            if not isinstance(sample, Sample):
                values |= {(*key, f"bucket {at}"): count for at, count in enumerate(sample.counts)}
    return values


def prediction(number: int, score: float, *, ago: float = 60, **extra: Any) -> dict[str, Any]:
    """Return a prediction record with the key `r<number>`, made `ago` seconds before NOW."""
    return {"request_id": f"r{number}", "timestamp": SECONDS - ago, "prediction": score, **extra}


def label(number: int, value: Any, *, ago: float = 30, **extra: Any) -> dict[str, Any]:
    """Return a label record for the prediction of the same number, `ago` seconds before NOW."""
    return {"request_id": f"r{number}", "timestamp": SECONDS - ago, "label": value, **extra}

"""MLflow stores filled at size, and the product over them as `driftgauge serve` runs it: pipeline, workers, page."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import mlflow
from mlflow import MlflowClient

from driftgauge.config import Config, Limits
from driftgauge.pipeline.executor import Executor
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.processes import Processes
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.service import refreshing
from driftgauge.service.health import RefreshHealth
from driftgauge.service.refreshing import publish, refresh_models, shown_of
from driftgauge.source import environment
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS

from .datasets import DATA, NOW
from .measuring import Figures, clocks, expect, since

if TYPE_CHECKING:
    from driftgauge.samples import Samples

LIMIT: Final = Limits().max_artifact_bytes


class Tracking:
    """An MLflow store in a folder of its own: a sqlite database, and artifacts that are links to files made before.

    served: the artifacts are those of the `mlflow server` over the folder, which hands them out itself.
    """

    def __init__(self, folder: Path, *, served: bool = False) -> None:
        environment.prepare(timeout=20)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_empty_database(), folder / "mlflow.db")
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self._artifacts, self._served = folder / "artifacts", served
        self._client = MlflowClient(self.uri)
        self._experiments: dict[str, str] = {}

    def log(self, experiment: str, file: Path, *, name: str | None = None) -> str:
        """Log a file, by a hard link, as the only artifact of a finished run; return the run's id."""
        run = self._client.create_run(self.experiment(experiment))
        place = self._artifacts / experiment.strip("/") / run.info.run_id / "artifacts"
        place.mkdir(parents=True)
        os.link(file, place / (name or file.name))
        self._client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def experiment(self, name: str) -> str:
        """Return the id of the experiment, which is made when it does not exist."""
        if name not in self._experiments:
            root = "mlflow-artifacts:" if self._served else str(self._artifacts)
            place = f"{root}/{name.strip('/')}"
            self._experiments[name] = self._client.create_experiment(name, artifact_location=place)
        return self._experiments[name]


def _empty_database() -> Path:
    """Return a sqlite file with MLflow's schema, made once per version: the migrations take seconds."""
    path = DATA / f"empty-{mlflow.__version__}.db"
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


def configuration(uri: str, state: Path, models: Sequence[Mapping[str, Any]], **settings: Any) -> Config:
    """Return a configuration with everything at its default but `settings`."""
    fixed = {"mlflow": {"tracking_uri": uri}, "state_dir": str(state), "models": list(models)}
    return Config.model_validate(fixed | settings)


def write_configuration(
    path: Path, uri: str, state: Path, models: Sequence[Mapping[str, Any]], **settings: Any
) -> Path:
    """Write the same as a file, for processes that are started with one; JSON is YAML."""
    fixed = {"mlflow": {"tracking_uri": uri}, "state_dir": str(state), "models": list(models)}
    path.write_text(json.dumps(fixed | settings), encoding="utf-8")
    return path


class Exporter:
    """The parts that `serve` puts together, driven refresh by refresh."""

    def __init__(self, config: Config, store: Store, executor: Executor) -> None:
        self._config = config
        self.pipeline = Pipeline(config, Feeds(config), store, executor=executor)
        self._models: Mapping[str, Samples] = {}
        self._health = RefreshHealth()

    def refresh(self) -> Figures:
        """Refresh as of `NOW` until the page is there; return how long it took, and its parts."""
        now, began, started = NOW * MICROSECONDS, clocks(), time.perf_counter()
        with _timed() as statistics:
            report, self._models = refresh_models(self._config, self.pipeline, self._models, now=now)
        computed = time.perf_counter()
        shown = {
            name: shown_of(self.pipeline.memory(name), self._config, samples, now=now)
            for name, samples in self._models.items()
        }
        refreshed = dict.fromkeys(self._models, float(NOW))
        publish(self._models, self._config, self._health, refreshed=refreshed, shown=shown, ready=True)
        rendered = time.perf_counter()
        expect(dict(report.failures), {}, "failures")
        parts = {"statistics": sum(statistics), "page": rendered - computed}
        parts["read and commit"] = rendered - started - sum(parts.values())
        return since(began) | parts

    @property
    def rows(self) -> int:
        """How many predictions it has counted."""
        return sum(sum(v.predictions for v in state.totals.versions.values()) for state in self.pipeline.states)


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Collect how long the statistics of each model kept a processor busy (s)."""
    found: list[float] = []
    compute = refreshing.model_samples

    def timed(*given: Any, **named: Any) -> Any:
        began = time.thread_time()
        try:
            return compute(*given, **named)
        finally:
            found.append(time.thread_time() - began)

    with patch.object(refreshing, "model_samples", timed):
        yield found


@contextmanager
def exporting(config: Config) -> Iterator[Exporter]:
    """Lend an exporter with its state and workers."""
    store = Store.open(config.state_dir)
    workers = Processes(min(os.cpu_count() or 1, 4), max_bytes=LIMIT, folder=Path(config.state_dir) / "shared")
    try:
        yield Exporter(config, store, workers)
    finally:
        workers.close()
        store.close()

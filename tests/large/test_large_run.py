"""A run with very many files is read to its end, and what is beyond the bound is counted.

`make large` reads a run of LARGE_RUN files and says what memory that took, `make test` a small one.
"""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from driftgauge.config import Config
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.source.schedule import DEFAULT_PORTIONS, Portions
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS
from large.conftest import prediction

FILES: Final = int(os.environ.get("LARGE_RUN", "150"))
# 2026-01-09T12:00:00Z.
NOW: Final = 1_767_960_000 * MICROSECONDS
# A process with MLflow, pandas and DuckDB has about half of it before it reads anything.
_MOST_MEMORY: Final = 700 << 20


class Growing:
    """A run that is written to, and a pipeline that reads it; `clock`: seconds since the epoch."""

    def __init__(self, uri: str, folder: Path, portions: Portions) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

        client = MlflowClient(uri)
        info = client.create_run(client.create_experiment("large", str(folder / "artifacts"))).info
        self._root = Path(info.artifact_uri)
        self._written = 0
        self.clock = time.time()
        model = {"name": "m", "predictions": {"experiment": "large"}}
        values = {"mlflow": {"tracking_uri": uri}, "state_dir": str(folder / "state"), "models": [model]}
        config = Config.model_validate(values)
        self.store = Store.open(config.state_dir)
        feeds = Feeds(config, clock=lambda: self.clock, portions=portions)
        self.pipeline = Pipeline(config, feeds, self.store, executor=Inline())

    def write(self, files: int) -> None:
        """Write more files, by day and number, with a prediction each."""
        for number in range(self._written, self._written + files):
            path = self._root / f"day-{number // 1000:03}" / f"p{number:06}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(prediction(number))
        self._written += files

    def counted(self) -> tuple[int, dict[str, int]]:
        """Refresh, and return the predictions and the files that were set aside by reason."""
        self.clock += 60
        assert self.pipeline.refresh(NOW).failures == {}
        (state,) = self.pipeline.states
        return sum(each.predictions for each in state.totals.versions.values()), dict(state.totals.failures)


@pytest.fixture
def growing(sqlite_store: str, tmp_path: Path) -> Any:
    """Return what makes a run and its pipeline."""

    @contextmanager
    def make(portions: Portions = DEFAULT_PORTIONS) -> Iterator[Growing]:
        run = Growing(sqlite_store, tmp_path, portions)
        yield run
        run.store.close()

    return make


def test_a_run_of_many_files(growing: Any) -> None:
    """Each counts once, also those that come later, and memory is bounded."""
    with growing() as run:
        run.write(FILES)
        begun = time.monotonic()
        assert run.counted() == (FILES, {})
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        print(f"{FILES} files in {time.monotonic() - begun:.0f} s, at most {memory >> 20} MiB")  # noqa: T201 - the figure of `make large`
        run.write(10)
        assert run.counted() == (FILES + 10, {})
        assert FILES < 1_000 or memory < _MOST_MEMORY


def test_more_files_than_the_bound(growing: Any) -> None:
    """A run that grows is read to its end although it has more files than are listed, and the bound is said."""
    with growing(Portions(files=20)) as run:
        for total in range(15, 75, 15):
            run.write(15)
            read, failures = run.counted()
            assert read == total
        assert failures == {"too_many_files": 1}
        (remark,) = run.pipeline.memory("m").journal.remarks.values()
        assert remark.text == ("10 files before the last 20 by name are not listed: begin a new run from time to time")


def test_too_many_at_once(growing: Any) -> None:
    """The last count, and that the first do not is counted."""
    with growing(Portions(files=20)) as run:
        run.write(30)
        assert run.counted() == (20, {"too_many_files": 1})

"""The executor seam: what tasks get, and that folding gives the same wherever it is done."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from data_builders import a_model, a_reference, features, signals
from driftgauge.config import Window
from driftgauge.errors import BatchError
from driftgauge.feed import Piece
from driftgauge.openers import SMALL_BYTES, InMemory, local
from driftgauge.pipeline.delta import Terms
from driftgauge.pipeline.executor import NOTHING, Carried, Executor, Inline, Opened, Shared
from driftgauge.pipeline.processes import Processes
from driftgauge.pipeline.reading import Fetched, Job, Reading, fold_files
from pipeline.conftest import NOW, label, prediction
from pipeline.test_fetching import added

V = TypeVar("V")
A = TypeVar("A")
R = TypeVar("R")


class Dask:
    """Runs tasks on a cluster of Dask, whose scheduler sees to crashes and time."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def share(self, value: V) -> Shared[V]:
        """Return the value as it is sent to a worker."""
        return Carried(value)

    def release(self, shared: Shared[Any]) -> None:
        """Do nothing: nothing was made."""

    def submit(
        self, task: Callable[[V, A], R], shared: Shared[V], argument: A, *, within: float | None = None
    ) -> "Future[R]":
        """Run a task on a worker; `within` is left to the cluster."""
        assert within is None or within > 0
        future: Future[R] = Future()
        answer = self._client.submit(task, shared.load(), argument, pure=False)
        answer.add_done_callback(lambda done: future.set_result(done.result()))
        return future

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


@pytest.fixture
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Executor]:
    """Return an executor of this kind."""
    if request.param == "dask":
        from distributed import Client, LocalCluster  # noqa: PLC0415 - takes a second

        with (
            LocalCluster(
                n_workers=1, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path)
            ) as of,
            Client(of) as client,
        ):
            yield Dask(client)
        return
    made = Inline() if request.param == "inline" else Processes(1, max_bytes=1 << 24, folder=tmp_path / "shared")
    yield made
    made.close()


def files(folder: Path) -> list[Fetched]:
    """Return small files, a large one, and one that is damaged; with the features of the layout."""
    rng = np.random.default_rng(1)
    rows = [prediction(n, rng.random(), features={"x": rng.normal(), "plan": "ab"[n % 2]}) for n in range(900)]
    parts = {"a.jsonl": rows[:20], "b.jsonl": rows[20:30], "large.jsonl": rows, "labels.jsonl": [label(1, 1)]}
    data = {name: "".join(json.dumps(row) + "\n" for row in part).encode() for name, part in parts.items()}
    data["large.jsonl"] += b" " * SMALL_BYTES + b"\n"
    for name, content in {**data, "damaged.json": b"[{"}.items():
        (folder / name).write_bytes(content)
    terms = Terms(a_model(), (Window("1h", 3600),), {}, NOW)
    kinds = {"x": "numeric", "plan": "categorical"}
    found = []
    for name in (*data, "damaged.json"):
        piece = Piece("run", name, "labels" if name.startswith("labels") else "predictions", None, NOW)
        job = Job(piece, terms, kinds, 1 << 24)
        found.append(Fetched(job, local(folder, name, expected=0, limit=1 << 24)))
    return found


def folded(executor: Executor, folder: Path) -> Reading:
    """Return what the files add."""
    reference = a_reference(features(x=np.random.default_rng(2).normal(size=3000), plan=["a", "b"] * 1500))
    shared = executor.share(signals(reference))
    found = executor.submit(fold_files, shared, files(folder)).result(60)
    executor.release(shared)
    return found


@pytest.mark.parametrize("executor", ["processes", "dask"], indirect=True)
def test_folding_is_the_same_everywhere(executor: Executor, tmp_path: Path) -> None:
    """Files, the reference's layout and what they add travel to another process and back, and not a number changes."""
    found, here = folded(executor, tmp_path), folded(Inline(), tmp_path)

    assert [getattr(one, "rows", None) or str(one) for one in found.files] == [
        getattr(one, "rows", None) or str(one) for one in here.files
    ]
    assert added([found]) == added([here])
    assert here.delta.rows_read == 20 + 10 + 900 + 1
    assert {"distribution", "moments"} <= {
        name for pane in found.delta.predictions.values() for name in pane.aggregates
    }


def double(shared: Any, number: int) -> Any:
    """Use both arguments."""
    return shared["factor"] * number


def refuse(_: None, reason: str) -> None:
    """Find something unusable."""
    raise BatchError(reason, "It will not do.")


def want(_: None, size: int) -> bytes:
    """Need more memory than any machine has."""
    return bytes(size)


@pytest.mark.parametrize("executor", ["inline", "processes"], indirect=True)
def test_memory_that_is_not_there(executor: Executor) -> None:
    """A task that cannot get the memory it needs is told from one that finds its file broken."""
    with pytest.raises(BatchError) as caught:
        executor.submit(want, NOTHING, 1 << 60).result()
    assert caught.value.reason == "out_of_memory"


@pytest.mark.parametrize("executor", ["inline", "processes"], indirect=True)
def test_a_task_and_its_failure(executor: Executor) -> None:
    """A task gets the shared value and its own argument; what it raises, its future raises."""
    shared = executor.share({"factor": 21, "weights": np.arange(5000)})
    assert executor.submit(double, shared, 2, within=60).result() == 42
    executor.release(shared)
    with pytest.raises(BatchError, match="It will not do") as caught:
        executor.submit(refuse, NOTHING, "invalid_csv").result()
    assert caught.value.reason == "invalid_csv"


class Counted:
    """A shared value that counts how often it is loaded."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.loaded = 0

    def load(self) -> object:
        """Return a new object."""
        self.loaded += 1
        return object()


def test_the_last_few_values_stay_open() -> None:
    """Equal values are one object, so that tables made for it are made once; the oldest is forgotten first."""
    opened = Opened(limit=2)
    one, same, other, third = (Counted(name) for name in "aabc")
    assert opened.value(one) is opened.value(same)
    opened.value(other)
    assert opened.value(one) is opened.value(same)
    opened.value(third)
    opened.value(one)
    opened.value(other)
    assert [value.loaded for value in (one, same, other, third)] == [1, 0, 2, 1]


def test_what_goes_with_each_task_is_not_kept() -> None:
    """A value without a fingerprint is another one each time."""
    opened = Opened()
    assert [opened.value(Carried(n)) for n in (1, 2)] == [1, 2]
    assert isinstance(InMemory(b"").data, bytes)

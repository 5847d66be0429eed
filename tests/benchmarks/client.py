"""B10: what logging adds to a prediction, and how many rows a second reach the spool, with a real `mlflow server`.

Against (a) appending a dict to a list, the least that anyone could do, and (b) what tutorials show: records built row
by row with `iloc`, uploaded inside of the call that completes a batch. All three take turns in one process, which only
the logger's own threads share with them; the time that reading the clock takes is subtracted from each call.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import mlflow
import numpy as np
import pandas as pd

from driftgauge.client import MonitoredModel, PredictionLogger
from e2e.servers import mlflow_server
from mlflow_servers import free_port

from .measuring import TIMES, Figures, Notes, Row, Target, child, expect, number, say, tree_cpu
from .stores import Tracking

ROUNDS: Final = 9
# Rows of one call at a time per round, and of one batch.
SINGLE: Final = 5_000
BATCH: Final = 10_000
# How many rows the tutorial's logger keeps before it uploads, and so how often a call is slow.
TUTORIAL_BATCH: Final = 100
SUSTAINED: Final = 1_000_000
FEATURES: Final = 10
_PATIENCE: Final = 120.0
_MICRO: Final = 1e6


def run(notes: Notes) -> None:
    """Measure and note the line."""
    notes.versions |= {name: version(name) for name in ("mlflow", "pyarrow", "pandas")}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        Tracking(place, served=True)
        with mlflow_server(place, free_port()) as url:
            one = child("client", "calls", url, place / "spool-1")
            batch = child("client", "batches", url, place / "spool-2")
            model = child("client", "wrapped", url, place / "spool-3")
            spool = {how: child("client", how, url, place / f"spool-{how}") for how in ("rows", "in_batches")}
    _note_calls(notes, one)
    _note_batches(notes, batch)
    _note_models(notes, model)
    for how, call in (("rows", "`log`"), ("in_batches", f"`log_batch` of {BATCH:,}")):
        words = f"{number(spool[how]['rows_per_second'])} rows/s, {number(spool[how]['cpu_per_row'])} µs CPU per row"
        notes.add(Row("B10", f"sustained into the spool by {call}, one thread, {FEATURES} features", words))


def _note_calls(notes: Notes, found: Figures) -> None:
    added = Target(most=20)
    notes.add(
        Row(
            "B10",
            "`log`, one row: time added to a call, median",
            f"{number(found['p50'])} µs",
            f"appending a dict {number(found['append_p50'])} µs",
            ratio=found["ratio"],
            spread=(found["ratio_least"], found["ratio_most"]),
            target=added.words(TIMES),
            holds=added.holds(found["ratio"]),
        )
    )
    faster, ratio = Target(least=1000), found["flush"] / found["p99"]
    notes.add(
        Row(
            "B10",
            f"`log`, one row: the 99th percentile, against a tutorial's call that uploads {TUTORIAL_BATCH} rows",
            f"{number(found['p99'])} µs (slowest of {ROUNDS * SINGLE:,} calls {number(found['slowest'])} µs)",
            f"iloc and upload {number(found['flush'] / 1000)} ms (calls between {number(found['iloc'])} µs)",
            ratio=ratio,
            target=faster.words(f"{TIMES} faster"),
            holds=faster.holds(ratio),
        )
    )


def _note_batches(notes: Notes, found: Figures) -> None:
    notes.add(
        Row(
            "B10",
            f"`log_batch` of a data frame of {BATCH:,} rows: time added to a call, median",
            f"{number(found['ours'])} µs",
            f"iloc and upload {number(found['tutorial'] / _MICRO)} s; "
            f"appending {BATCH:,} dicts {number(found['append'])} µs",
            ratio=found["tutorial"] / found["ours"],
        )
    )


def _note_models(notes: Notes, found: Figures) -> None:
    frame, record, many = (number(found[name]) for name in ("frame", "record", "many"))
    notes.add(
        Row(
            "B10",
            f"`MonitoredModel.predict`: time added to a call, one row of {FEATURES} features",
            f"as a data frame {frame} µs; as a mapping {record} µs; {BATCH:,} rows {many} µs",
        )
    )


class Tutorial:
    """Logs as tutorials do; `batch` rows are kept, and uploaded in the call that brings the last of them."""

    def __init__(self, url: str, *, batch: int) -> None:
        mlflow.set_tracking_uri(url)
        mlflow.set_experiment("/bench/tutorial")
        self._batch = batch
        self._buffer: list[dict[str, Any]] = []

    def log(self, features: pd.DataFrame, predictions: Any) -> None:
        """Build a record per row, and flush when there are enough."""
        for row in range(len(features)):
            self._buffer.append(
                {
                    "timestamp": datetime.now(UTC).isoformat(),
                    "model_version": "3",
                    "features": features.iloc[row].to_dict(),
                    "prediction": float(predictions[row]),
                }
            )
        if len(self._buffer) >= self._batch:
            self._flush()

    def _flush(self) -> None:
        name = f"batch_{datetime.now(UTC):%Y%m%d_%H%M%S}"
        with mlflow.start_run(run_name=name), tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{name}.json")
            path.write_text(json.dumps(self._buffer), encoding="utf-8")
            mlflow.log_artifact(str(path))
        self._buffer = []


def calls(url: str, spool: str) -> Figures:
    """Time single calls, round by round, in µs."""
    frame = _frame(TUTORIAL_BATCH)
    features = frame.iloc[0].to_dict()
    tutorial, kept = Tutorial(url, batch=TUTORIAL_BATCH), list[dict[str, Any]]()
    ours, appends, between, flushes = [], [], [], []
    with _logging(url, spool) as logger:
        for turn in range(ROUNDS + 1):
            found = [
                _each(SINGLE, lambda: logger.log(features, 1, score=0.81, latency=0.004)),
                _each(SINGLE, lambda: kept.append({"features": features, "prediction": 1})),
                _each(TUTORIAL_BATCH, lambda: tutorial.log(frame[:1], [1])),
            ]
            expect(logger.flush(_PATIENCE), wanted=True, what="everything in the spool")
            kept.clear()
            # The first round imports, connects and warms up.
            if turn:
                for one, all_of_it in zip(found, (ours, appends, between), strict=True):
                    all_of_it.append(np.sort(one))
                flushes.append(float(found[2].max()))
        expect(logger.health().dropped, dict.fromkeys(logger.health().dropped, 0), "dropped rows")
    ratios = [float(np.median(own) / np.median(bare)) for own, bare in zip(ours, appends, strict=True)]
    return {
        "p50": float(np.median([np.median(one) for one in ours])),
        "p99": float(np.median([np.quantile(one, 0.99) for one in ours])),
        "slowest": float(max(one[-1] for one in ours)),
        "append_p50": float(np.median([np.median(one) for one in appends])),
        "ratio": statistics.median(ratios),
        "ratio_least": min(ratios),
        "ratio_most": max(ratios),
        "iloc": float(np.median([np.median(one) for one in between])),
        "flush": statistics.median(flushes),
    }


def wrapped(url: str, spool: str) -> Figures:
    """Time calls of a monitored model that answers at once, round by round, in µs."""
    one, many = _frame(1), _frame(BATCH)
    given = {"frame": one, "record": one.iloc[0].to_dict()}
    found: dict[str, list[float]] = {"frame": [], "record": [], "many": []}
    with (
        MonitoredModel(
            _Idle(np.ones(1)), "/bench/wrapped", model_version="3", tracking_uri=url, spool_dir=spool
        ) as single,
        MonitoredModel(
            _Idle(np.ones(BATCH)), "/bench/wrapped", model_version="3", tracking_uri=url, spool_dir=spool
        ) as batch,
    ):
        for _ in range(ROUNDS):
            for name, features in given.items():
                found[name].append(float(np.median(_each(SINGLE // 5, partial(single.predict, features)))))
            found["many"].append(_once(lambda: batch.predict(many)))
            expect(single.flush(_PATIENCE) and batch.flush(_PATIENCE), wanted=True, what="everything in the spool")
        expect(batch.logger.health().logged, ROUNDS * BATCH, "logged rows")
    return {name: statistics.median(times) for name, times in found.items()}


class _Idle:
    """A model that is no work."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def predict(self, _data: Any, _params: Any = None, /) -> Any:
        """Return the answer."""
        return self._answer


def batches(url: str, spool: str) -> Figures:
    """Time calls with a whole data frame, round by round, in µs."""
    frame, predictions = _frame(BATCH), np.arange(BATCH) % 2
    tutorial = Tutorial(url, batch=BATCH)
    found: dict[str, list[float]] = {"ours": [], "tutorial": [], "append": []}
    with _logging(url, spool) as logger:
        for _ in range(ROUNDS):
            kept: list[dict[str, Any]] = []
            records = frame.to_dict("records")
            found["ours"].append(_once(lambda: logger.log_batch(frame, predictions)))
            found["append"].append(_once(lambda: [kept.append({"features": one}) for one in records]))  # noqa: B023 - called at once
            expect(logger.flush(_PATIENCE), wanted=True, what="everything in the spool")
        for _ in range(3):
            found["tutorial"].append(_once(lambda: tutorial.log(frame, predictions)))
        expect(logger.health().logged, ROUNDS * BATCH, "logged rows")
    return {name: statistics.median(times) for name, times in found.items()}


def rows(url: str, spool: str) -> Figures:
    """Log single rows as fast as they are taken until all are in the spool."""
    features = _frame(1).iloc[0].to_dict()

    def work(logger: PredictionLogger) -> None:
        for _ in range(SUSTAINED):
            while logger.log(features, 1, score=0.81, latency=0.004) is None:
                time.sleep(0.001)

    return _sustained(url, spool, work)


def in_batches(url: str, spool: str) -> Figures:
    """Log batches as fast as they are taken until all are in the spool."""
    frame, predictions = _frame(BATCH), np.arange(BATCH) % 2

    def work(logger: PredictionLogger) -> None:
        for _ in range(SUSTAINED // BATCH):
            while logger.log_batch(frame, predictions) is None:
                time.sleep(0.001)

    return _sustained(url, spool, work)


def _sustained(url: str, spool: str, work: Callable[[PredictionLogger], None]) -> Figures:
    with _logging(url, spool) as logger:
        began, computed = time.perf_counter(), tree_cpu()
        work(logger)
        expect(logger.flush(_PATIENCE), wanted=True, what="everything in the spool")
        taken, computed = time.perf_counter() - began, tree_cpu() - computed
        expect(logger.health().spooled, SUSTAINED, "rows in the spool")
    return {"rows_per_second": SUSTAINED / taken, "cpu_per_row": computed / SUSTAINED * _MICRO}


@contextmanager
def _logging(url: str, spool: str) -> Iterator[PredictionLogger]:
    """Lend a logger whose threads are running, with MLflow imported and the first file delivered."""
    with PredictionLogger("/bench/client", "3", tracking_uri=url, spool_dir=spool, flush_timeout=_PATIENCE) as logger:
        expect(logger.flush(_PATIENCE, upload=True), wanted=True, what="an empty spool")
        yield logger
        say(f"  {logger.health()}")


def _each(count: int, call: Callable[[], object]) -> Any:
    """Return what each call took (µs), without what reading the clock takes."""
    clock = time.perf_counter_ns
    taken, empty = np.empty(count), np.empty(count)
    for at in range(count):
        began = clock()
        call()
        taken[at] = clock() - began
    for at in range(count):
        began = clock()
        _nothing()
        empty[at] = clock() - began
    return np.maximum(taken - np.median(empty), 1) / 1000


def _once(call: Callable[[], object]) -> float:
    began = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - began) / 1000


def _nothing() -> None:
    return


def _frame(count: int) -> pd.DataFrame:
    """Return features as a service gets them: numbers, whole numbers and a few words."""
    rng = np.random.default_rng(1)
    numbers = {f"amount_{at}": rng.normal(100, 20, count) for at in range(FEATURES - 4)}
    whole = {f"count_{at}": rng.integers(0, 50, count) for at in range(2)}
    words = {f"plan_{at}": rng.choice(["basic", "plus", "gold"], count) for at in range(2)}
    return pd.DataFrame({**numbers, **whole, **words})


STEPS: Final = {step.__name__: step for step in (calls, batches, wrapped, rows, in_batches)}

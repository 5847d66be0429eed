"""The writer: serving code and labelling people of two models, who log to MLflow for as long as the run lasts.

`churn` does all that makes reading hard: runs that are open while they are read, files that grow, labels in another
experiment that come later, earlier, twice or never. `eta` logs whole files and at most one label per prediction, so
that for it even the counters that depend on how often a file is looked at have one right value.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import pandas as pd

from driftgauge.source import environment
from soak.books import Books, Log, Row, clock

CHURN: Final = "/soak/churn"
CHURN_LABELS: Final = "/soak/churn-labels"
ETA: Final = "/soak/eta"
# Seconds. A label of eta that carries a later time than this after its prediction does not count.
ETA_HORIZON: Final = 1800
# Seconds between two things that are logged: a refresh then finds a few new files and a few grown ones.
_PAUSE: Final = 0.25
_MINUTE: Final = 60
# Files that may still grow: one that is never touched again becomes settled in the exporter's eyes.
_GROWING: Final = 6

Actions = Mapping[Callable[[], None], int]


@dataclass
class Growing:
    """A file that grows, and all that it holds so far. The suffix "table" stands for `MlflowClient.log_table`."""

    run_id: str
    suffix: str
    rows: list[Row] = field(default_factory=list)


class Churn:
    """A classifier's traffic and labels; `actions` are what can happen next, and how often each does."""

    def __init__(self, log: Log) -> None:
        self.books = Books()
        self.actions: Actions = {
            self.predict: 4, self.grow: 5, self.label: 4, self.label_first: 1, self.correct: 2, self.label_nobody: 1,
        }  # fmt: skip
        self._log = log
        self._run = log.run(CHURN)
        self._labels_run = log.run(CHURN_LABELS)
        self._growing: list[Growing] = []
        self._held: list[Row] = []

    def predict(self) -> None:
        """Log a file of predictions, some with their labels, in the run that is open; now and then end the run."""
        rows, self._held = self._held + self._rows(self._log.random.randint(20, 120)), []
        self._book(rows)
        if self._log.random.random() < 0.2:
            rows = [row if row["error"] else {**row, "label": self._log.random.randint(0, 1)} for row in rows]
            self.books.labelled |= {row["request_id"] for row in rows if "label" in row}
        self._log.put(self._run, self._log.file_name("predictions-"), rows)
        self.books.files += 1
        self.books.uploads += 1
        if self._log.random.random() < 0.3:
            self._log.client.set_terminated(self._run)
            self._run = self._log.run(CHURN)

    def grow(self) -> None:
        """Add rows to a file whose run may be open or may have ended."""
        if len(self._growing) < _GROWING or self._log.random.random() < 0.1:
            suffix = self._log.random.choice(["table", "jsonl", "csv", "parquet"])
            self._growing = [*self._growing[1 - _GROWING :], Growing(self._log.run(CHURN), suffix)]
        file = self._log.random.choice(self._growing)
        self.books.files += not file.rows
        rows = self._rows(self._log.random.randint(5, 60))
        file.rows += rows
        if file.suffix == "table":
            self._log.client.log_table(file.run_id, pd.DataFrame(rows), "predictions-table.json")
        else:
            self._log.put(file.run_id, f"predictions-growing.{file.suffix}", file.rows)
        self._book(rows)
        self.books.uploads += 1
        if self._log.random.random() < 0.1:
            self._log.client.set_terminated(file.run_id)

    def label(self) -> None:
        """Label predictions that were logged before."""
        waiting = sorted(self.books.waiting)
        self._label(self._log.random.sample(waiting, min(len(waiting), self._log.random.randint(10, 150))))

    def label_first(self) -> None:
        """Label predictions that will be logged later."""
        rows = [row for row in self._rows(20) if not row["error"]]
        self._held += rows
        self._label([row["request_id"] for row in rows])

    def correct(self) -> None:
        """Label again what has a label: the newer one wins."""
        joined = sorted(self.books.joined)
        chosen = self._log.random.sample(joined, min(len(joined), 30))
        self._label(chosen)
        self.books.corrections += len(chosen)

    def label_nobody(self) -> None:
        """Label predictions that are never made."""
        self._label([self._log.numbered("nobody") for _ in range(3)])
        self.books.orphans += 3

    def _label(self, keys: list[str]) -> None:
        if not keys:
            return
        truth = [{"request_id": key, "timestamp": clock(), "label": self._log.random.randint(0, 1)} for key in keys]
        if self._log.random.random() < 0.3:
            self._log.client.set_terminated(self._labels_run)
            self._labels_run = self._log.run(CHURN_LABELS)
        self._log.put(self._labels_run, self._log.file_name("labels-"), truth)
        self.books.labelled |= set(keys)
        self.books.labels += len(keys)
        self.books.files += 1
        self.books.uploads += 1

    def _book(self, rows: list[Row]) -> None:
        failed = sum(row["error"] is not None for row in rows)
        self.books.rows += len(rows)
        self.books.failed += failed
        self.books.predicted |= {row["request_id"] for row in rows if not row["error"]}

    def _rows(self, count: int) -> list[Row]:
        return [self._row() for _ in range(count)]

    def _row(self) -> Row:
        random = self._log.random
        # Most rows are new, some old enough to leave the short window, a few nearly too old for the longest.
        oldest = random.choice([2, 2, 2, 20, 300]) * _MINUTE
        row = {
            "request_id": self._log.numbered("c"),
            "timestamp": round(clock() - random.uniform(0.001, oldest), 3),
            "model_version": random.choice(["1", "2"]),
            "feature_age": random.gauss(44, 12),
            "feature_amount": random.lognormvariate(3, 1) if random.random() < 0.95 else None,
            "feature_plan": random.choice(["A", "B", "C", "D"]),
            "latency_ms": random.lognormvariate(2, 1),
        }
        # All rows have all columns: a file that grows keeps its first bytes.
        failed = random.random() < 0.02
        return row | {"prediction": None if failed else random.random(), "error": "timeout" if failed else None}


class Eta:
    """A regression's traffic and labels, as `Churn`."""

    def __init__(self, log: Log) -> None:
        self.books = Books()
        self.actions: Actions = {self.predict: 2, self.label: 2, self.label_too_late: 1}
        self._log = log
        self._run = log.run(ETA)
        self._fresh: list[str] = []

    def predict(self) -> None:
        """Log predictions of the last minutes."""
        self._fresh = [row["request_id"] for row in self._predict(oldest=5 * _MINUTE)]

    def label(self) -> None:
        """Label some of the predictions that were logged last, each once."""
        some, self._fresh = self._fresh[:30], []
        self._label(some)
        self.books.labelled |= set(some)

    def label_too_late(self) -> None:
        """Log labels, and then predictions that were made longer before than the horizon."""
        keys = [self._log.numbered("late") for _ in range(10)]
        self._label(keys)
        self._predict(keys, newest=ETA_HORIZON + _MINUTE, oldest=2 * ETA_HORIZON)
        self.books.late += len(keys)

    def _predict(self, keys: list[str] | None = None, *, newest: float = 0.001, oldest: float) -> list[Row]:
        random = self._log.random
        rows = [
            {
                "request_id": key,
                "timestamp": round(clock() - random.uniform(newest, oldest), 3),
                "feature_distance": random.gammavariate(2, 4),
                "prediction": random.gauss(20, 5),
                "latency_ms": random.lognormvariate(2, 1),
            }
            for key in keys or [self._log.numbered("e") for _ in range(40)]
        ]
        self._put("predictions-", rows)
        self.books.rows += len(rows)
        self.books.predicted |= {row["request_id"] for row in rows}
        return rows

    def _label(self, keys: list[str]) -> None:
        if keys:
            values = [self._log.random.gauss(20, 5) for _ in keys]
            truth = zip(keys, values, strict=True)
            self._put("labels-", [{"request_id": k, "timestamp": clock(), "label": value} for k, value in truth])
            self.books.labels += len(keys)

    def _put(self, prefix: str, rows: list[Row]) -> None:
        self._log.put(self._run, self._log.file_name(prefix), rows)
        self.books.files += 1
        self.books.uploads += 1
        if self._log.random.random() < 0.2:
            self._log.client.set_terminated(self._run)
            self._run = self._log.run(ETA)


def write(tracking_uri: str, folder: Path, seed: int, line: Connection) -> None:
    """Make the experiments and say so; log until a word on the line says stop; return what was logged."""
    environment.prepare(timeout=20)
    from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

    log = Log(MlflowClient(tracking_uri), folder, seed=seed)
    models = {"churn": Churn(log), "eta": Eta(log)}
    line.send("ready")
    line.recv()
    actions = {action: weight for model in models.values() for action, weight in model.actions.items()}
    while not line.poll():
        (action,) = log.random.choices(list(actions), list(actions.values()))
        action()
        time.sleep(_PAUSE)
    line.send({name: model.books for name, model in models.items()})

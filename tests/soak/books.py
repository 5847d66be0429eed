"""How the writer logs, and the books it keeps of what it logged: what any exporter must count in the end."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

Row = dict[str, Any]


def _write_json_lines(frame: pd.DataFrame, path: Path) -> None:
    frame.to_json(path, orient="records", lines=True)


FORMATS: Final[Mapping[str, Callable[[pd.DataFrame, Path], None]]] = {
    "jsonl": _write_json_lines,
    "jsonl.gz": _write_json_lines,
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "parquet": lambda frame, path: frame.to_parquet(path),
}


@dataclass
class Books:
    """What was logged for one model.

    files, uploads: files of predictions and labels, and how often one was written, growth included. predicted: keys
    that a label can join; labelled: keys with a label that can count, whether its prediction was made or not.
    late, orphans: labels that came after the horizon, and labels of predictions nobody makes.
    """

    rows: int = 0
    failed: int = 0
    files: int = 0
    uploads: int = 0
    labels: int = 0
    corrections: int = 0
    late: int = 0
    orphans: int = 0
    predicted: set[str] = field(default_factory=set)
    labelled: set[str] = field(default_factory=set)

    @property
    def joined(self) -> set[str]:
        """The predictions that have a label."""
        return self.predicted & self.labelled

    @property
    def waiting(self) -> set[str]:
        """The predictions that have none."""
        return self.predicted - self.labelled


class Log:
    """An MLflow client that writes rows as files of any format, and the randomness of what is written."""

    def __init__(self, client: Any, folder: Path, *, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)  # noqa: S311 - made-up traffic
        self._folder = folder
        self._experiments: dict[str, str] = {}
        self._count = 0

    def run(self, experiment: str) -> str:
        """Return a new run, in an experiment that is made when it does not exist."""
        if experiment not in self._experiments:
            self._experiments[experiment] = self.client.create_experiment(experiment)
        return str(self.client.create_run(self._experiments[experiment]).info.run_id)

    def put(self, run_id: str, name: str, rows: Sequence[Row]) -> None:
        """Write rows as the artifact `name` of a run, in place of what was there; its suffix says the format."""
        path = self._folder / name
        FORMATS[name.partition(".")[2]](pd.DataFrame(rows), path)
        self.client.log_artifact(run_id, str(path))
        path.unlink()

    def numbered(self, prefix: str) -> str:
        """Return a name that was not used before."""
        self._count += 1
        return f"{prefix}{self._count}"

    def file_name(self, prefix: str) -> str:
        """Return a new file name with the suffix of any format."""
        return self.numbered(prefix) + "." + self.random.choice(list(FORMATS))


def clock() -> float:
    """Return the time in whole milliseconds, rounded down: no row may be ahead of the clock."""
    return int(time.time() * 1000) / 1000

"""Batches in MLflow as serving code logs them: a run per day with a file per hour.

The format changes from day to day, since driftgauge reads all of them.
"""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pandas as pd

_FEATURE: Final = "feature_"


class Journal:
    """One experiment. `client` is MLflow's; `kind` names its runs and the folder of their files."""

    def __init__(self, client: Any, experiment_id: str, *, kind: str) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._kind = kind
        self._day = ""
        self._run_id = ""
        self._suffix = ""

    def log(self, table: pd.DataFrame, *, hour: float, at: float) -> None:
        """Log the rows as the file of an hour of 2013; `at` is when that hour begins now (both s since 1970)."""
        moment = datetime.fromtimestamp(hour, UTC)
        day = f"{moment:%Y-%m-%d}"
        if day != self._day:
            self._start_run(day, moment.toordinal(), int(1000 * at))
        with TemporaryDirectory(prefix="driftgauge-demo-") as folder:
            file = Path(folder) / f"{moment:%H}{self._suffix}"
            file.write_bytes(ENCODERS[self._suffix](table))
            self._client.log_artifact(self._run_id, str(file), self._kind)

    def _start_run(self, day: str, number: int, now: int) -> None:
        """End the run of the day before and start one; `now` in ms."""
        if self._run_id:
            self._client.set_terminated(self._run_id, end_time=now)
        name = f"{self._kind} of {day}"
        self._run_id = self._client.create_run(self._experiment_id, start_time=now, run_name=name).info.run_id
        self._day, self._suffix = day, list(ENCODERS)[number % len(ENCODERS)]


def _json_lines(table: pd.DataFrame) -> bytes:
    """Features are in a nested object, as in hand-written serving code."""
    names = [name for name in table.columns if name.startswith(_FEATURE)]
    features = table[names].rename(columns=lambda name: name.removeprefix(_FEATURE))
    plain = _plain(table.drop(columns=names))
    lines = [record | {"features": values} for record, values in zip(plain, _plain(features), strict=True)]
    return "".join(json.dumps(line, default=pd.Timestamp.isoformat) + "\n" for line in lines).encode()


def _plain(table: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the rows with None where a value is missing: JSON has no NaN."""
    records: list[dict[Any, Any]] = table.astype(object).where(table.notna(), None).to_dict("records")
    return records


def _csv(table: pd.DataFrame) -> bytes:
    return gzip.compress(table.to_csv(index=False).encode())


def _parquet(table: pd.DataFrame) -> bytes:
    data: bytes = table.to_parquet(None, index=False)
    return data


ENCODERS: Final[dict[str, Callable[[pd.DataFrame], bytes]]] = {
    ".jsonl": _json_lines,
    ".parquet": _parquet,
    ".csv.gz": _csv,
}
DECODERS: Final[dict[str, Callable[[Path], pd.DataFrame]]] = {
    ".jsonl": lambda file: pd.read_json(file, lines=True),
    ".parquet": pd.read_parquet,
    ".csv.gz": pd.read_csv,
}


def read_back(artifacts: Path, column: str) -> set[str]:
    """Return the values of a column in all files that a journal logged below a folder."""
    found = set[str]()
    for file in artifacts.rglob("*"):
        decode = DECODERS.get("".join(file.suffixes))
        if decode is not None and file.is_file():
            found.update(decode(file)[column])
    return found

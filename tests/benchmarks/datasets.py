"""The rows that are measured: 20 numeric features of four shapes, the current ones a little off the reference.

Written once to `.bench/data` from fixed seeds and used again. Times are not in the data: each line says when its rows
happened.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from .measuring import BENCH

ROWS: Final = 1_000_000
FEATURES: Final = tuple(f"f{n:02d}" for n in range(20))
DATA: Final = BENCH / "data"
# 2026-01-09T12:00:00Z in seconds: a multiple of every pane, so that windows end exactly here.
NOW: Final = 1_767_960_000
DAY: Final = 86400

Floats = npt.NDArray[np.float64]
_SHAPES: Final[tuple[Callable[[np.random.Generator, int, float], Floats], ...]] = (
    lambda rng, rows, shift: rng.normal(shift, 1, rows),
    lambda rng, rows, shift: rng.lognormal(shift, 0.5, rows),
    lambda rng, rows, shift: rng.random(rows) + shift,
    lambda rng, rows, shift: rng.exponential(1 + shift, rows),
)


def numbers(seed: int, *, rows: int, features: int = len(FEATURES), shift: float = 0.0) -> dict[str, Floats]:
    """Return that many features; the same arguments give the same rows."""
    rng = np.random.default_rng(seed)
    return {f"f{n:02d}": _SHAPES[n % len(_SHAPES)](rng, rows, shift) for n in range(features)}


def reference() -> Path:
    """Return a parquet file of a million reference rows, features only."""
    return kept("reference.parquet", lambda path: pq.write_table(pa.table(numbers(1, rows=ROWS)), path))


def current() -> Path:
    """Return a parquet file of a million current rows, features only."""
    return kept("current.parquet", lambda path: pq.write_table(pa.table(numbers(2, rows=ROWS, shift=0.05)), path))


def read(path: Path) -> dict[str, Floats]:
    """Return the columns of a parquet file of features."""
    table = pq.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}


def records(
    seed: int, *, rows: int, first: int, start: float, seconds: float, features: int = len(FEATURES)
) -> pa.Table:
    """Return prediction records numbered from `first`, evenly over `seconds` that begin `start` s after `NOW`."""
    rng = np.random.default_rng(seed)
    time = NOW + start + seconds * (np.arange(rows) + 0.5) / rows
    found = numbers(seed, rows=rows, features=features, shift=0.05)
    return pa.table(
        {
            "request_id": pa.array([f"r{n}" for n in range(first, first + rows)]),
            "timestamp": pa.array((time * 1e6).astype(np.int64), pa.timestamp("us", "UTC")),
            "model_version": pa.array(["1"] * rows).dictionary_encode().cast(pa.string()),
            "prediction": rng.random(rows),
            "latency_ms": rng.lognormal(2, 0.5, rows),
        }
        | {f"feature_{name}": values for name, values in found.items()}
    )


def jsonl() -> Path:
    """Return a million records as JSON lines with nested features, six decimals each."""
    return kept("records.jsonl", _write_jsonl)


def parquet() -> Path:
    """Return the same records as a parquet file with flat features."""
    return kept("records.parquet", lambda path: pq.write_table(_rounded(), path))


def _rounded() -> pa.Table:
    table = records(3, rows=ROWS, first=0, start=-DAY, seconds=DAY)
    kept = {name: table[name] for name in table.column_names}
    rounded = {name: np.round(kept[name].to_numpy(), 6) for name in kept if pa.types.is_floating(kept[name].type)}
    return pa.table(kept | rounded)


def _write_jsonl(path: Path) -> None:
    table = _rounded()
    times = [time.isoformat() for time in table["timestamp"].to_pylist()]
    flat = {name: table[name].to_pylist() for name in table.column_names if name != "timestamp"}
    with path.open("w", encoding="utf-8") as file:
        for row, time in enumerate(times):
            features = {name: flat[f"feature_{name}"][row] for name in FEATURES}
            record: dict[str, Any] = {"request_id": flat["request_id"][row], "timestamp": time, "model_version": "1"}
            record |= {"features": features}
            record |= {name: flat[name][row] for name in ("prediction", "latency_ms")}
            file.write(json.dumps(record) + "\n")


def kept(name: str, write: Callable[[Path], object]) -> Path:
    """Return the file of that name, written first if it is not there."""
    path = DATA / name
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"unfinished-{name}")
        write(unfinished)
        unfinished.rename(path)
    return path

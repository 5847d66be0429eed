"""What the tests of decoding share: a model, a file in memory, and columns as plain lists."""

import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from driftgauge.batch import decode
from driftgauge.batch.rows import Rows
from driftgauge.columns import Columns
from driftgauge.config import ModelConfig
from driftgauge.schema import Kind

BATCHES = Path(__file__).parent.parent / "data" / "batches"
DEFAULT_TIME = 1_700_000_000_000_000
MICROS = 1_000_000


def a_model(**settings: Any) -> ModelConfig:
    """Return a model with everything at its default but `settings`."""
    return ModelConfig.model_validate({"name": "churn", "predictions": {"experiment": "/churn"}, **settings})


def decoded(
    data: bytes,
    name: str = "a.jsonl",
    *,
    role: Any = "predictions",
    kinds: Mapping[str, Kind] | None = None,
    skip: int = 0,
    max_bytes: int = 2**30,
    latest: int | None = None,
    **settings: Any,
) -> list[Columns]:
    """Decode a file's bytes into chunks; `settings` are the model's."""
    return list(
        decode(
            io.BytesIO(data),
            name=name,
            role=role,
            model=a_model(**settings),
            default_time=DEFAULT_TIME,
            default_version="unknown",
            kinds=kinds,
            skip=skip,
            max_bytes=max_bytes,
            latest=latest,
        )
    )


def plain(values: Any) -> list[Any]:
    """Return numpy or pyarrow values as a list with None for NaN."""
    items = values.tolist() if isinstance(values, np.ndarray) else values.to_pylist()
    return [None if isinstance(item, float) and math.isnan(item) else item for item in items]


def as_dict(chunks: Iterable[Columns]) -> dict[str, Any]:
    """Return the rows of all chunks as lists by name, leaving out columns without any value."""
    merged: dict[str, Any] = {"rows_read": 0, "rejected": {}}
    names = ("time", "version", "key", "predicted", "label", "score", "latency", "failed")
    for chunk in chunks:
        for name in names:
            merged.setdefault(name, []).extend(plain(getattr(chunk, name)))
        for group in ("class_scores", "numbers", "categories"):
            for feature, values in getattr(chunk, group).items():
                merged.setdefault(f"{group}.{feature}", []).extend(plain(values))
        merged["rows_read"] += chunk.rows_read
        for reason, count in chunk.rejected.items():
            merged["rejected"][reason] = merged["rejected"].get(reason, 0) + count
    return {
        name: value
        for name, value in merged.items()
        if not isinstance(value, list) or any(item is not None and item is not False for item in value)
    }


def row_dicts(blocks: Iterable[Rows]) -> list[dict[str, Any]]:
    """Return the rows of blocks as records without their missing values."""
    records: list[dict[str, Any]] = []
    for rows in blocks:
        block: list[dict[str, Any]] = [{} for _ in range(len(rows))]
        for path, column in rows.columns.items():
            for record, item in zip(block, plain(column), strict=True):
                if item is not None:
                    record[path] = item
        records += block
    return records

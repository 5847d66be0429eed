"""Rows on their way to the join: decoded predictions and labels as the store keeps them."""

import json
from functools import lru_cache
from typing import Final

import pyarrow as pa

from driftgauge.columns import Codes, Columns
from driftgauge.schema import Task

# What has become of a label: it has no prediction yet; it has; or it does not count, since it is late or ambiguous.
WAITING, MATCHED, REJECTED = 0, 1, 2
# Orders labels by time, then by the order of reading. One number, since DuckDB takes twice as long for a pair.
LATEST: Final = "time::HUGEINT * 9223372036854775808 + turn"
_PLACE: Final = {"file": pa.int64(), "place": pa.int64(), "number": pa.int64()}


def staged_predictions(
    columns: Columns, segments: "pa.Array | None" = None, codes: Codes | None = None, *, gaps: bool = False
) -> pa.Table:
    """Return the rows as the join stores them; segments: (n,) the identities of those that each row is in, as lists.

    codes: what is kept of their features. gaps: these rows were rejected, and only take their place among those of
    their key.
    """
    names = () if gaps else sorted(columns.class_scores)
    count = len(columns)
    scores = pa.array([None] * count, pa.list_(pa.float64()))
    if names:
        stacked = [columns.class_scores[name] for name in names]
        flat = pa.array([value for row in zip(*stacked, strict=True) for value in row], pa.float64())
        scores = pa.FixedSizeListArray.from_arrays(flat, len(names)).cast(pa.list_(pa.float64()))
    return pa.table(
        {
            "key": columns.key,
            "version": columns.version,
            "time": columns.time,
            "predicted": pa.nulls(count, columns.predicted.type) if gaps else columns.predicted,
            "score": columns.score,
            "classes": pa.array([json.dumps(names) if names else ""] * count, pa.string()),
            "class_scores": scores,
            "segments": pa.nulls(count, pa.list_(pa.string())) if segments is None else segments,
            **_place(columns),
            "coding": pa.nulls(count, pa.string()) if codes is None else codes.coding,
            "codes": pa.nulls(count, pa.binary()) if codes is None else codes.values,
        }
    )


def staged_labels(columns: Columns, *, own: bool = False, gaps: bool = False) -> pa.Table:
    """Return labels as the join stores them, in the order in which they were read.

    own: they are in the rows of their predictions. gaps: as in `staged_predictions`.
    """
    label = pa.nulls(len(columns), columns.label.type) if gaps else columns.label
    return pa.table(
        {"key": columns.key, "time": columns.time, "label": label}
        | _place(columns)
        | {"own": pa.repeat(pa.scalar(own), len(columns))}
    )


def _place(columns: Columns) -> dict[str, pa.Array]:
    at = columns.where
    if at is None:
        raise ValueError("rows without their place in a file cannot be joined")
    return {"file": at.file, "place": at.place, "number": at.number}


def prediction_schema(task: Task) -> pa.Schema:
    """Return the columns of staged predictions."""
    text, number = pa.string(), pa.float64()
    return pa.schema(
        {"key": text, "version": text, "time": pa.int64(), "predicted": _value(task), "score": number}
        | {"classes": text, "class_scores": pa.list_(number), "segments": pa.list_(text)}
        | _PLACE
        | {"coding": text, "codes": pa.binary()}
    )


def label_schema(task: Task) -> pa.Schema:
    """Return the columns of staged labels."""
    return pa.schema({"key": pa.string(), "time": pa.int64(), "label": _value(task)} | _PLACE | {"own": pa.bool_()})


def _value(task: Task) -> pa.DataType:
    return pa.float64() if task == "regression" else pa.string()


@lru_cache(maxsize=256)
def class_scores(row_classes: str) -> tuple[str, ...]:
    """Return the class names that a stored `classes` text holds."""
    return tuple(json.loads(row_classes)) if row_classes else ()

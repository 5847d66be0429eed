"""A state file to write to, and rows as the join takes them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from driftgauge.columns import Columns
from driftgauge.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    opened = Store.open(str(tmp_path / "state"))
    yield opened
    opened.close()


def columns(
    *,
    key: Sequence[str | None],
    time: Sequence[int],
    version: Sequence[str] | None = None,
    predicted: Sequence[Any] | None = None,
    score: Sequence[float] | None = None,
    class_scores: Mapping[str, Sequence[float]] | None = None,
) -> Columns:
    """Return decoded prediction rows; what is not given is the same for all of them."""
    count = len(key)
    values = pa.array(predicted if predicted is not None else ["1"] * count)
    return Columns(
        time=np.array(time, np.int64),
        version=pa.array(version or ["v"] * count, pa.string()),
        key=pa.array(key, pa.string()),
        predicted=values,
        label=pa.nulls(count, values.type),
        score=np.array(score if score is not None else [np.nan] * count, np.float64),
        latency=np.full(count, np.nan),
        failed=np.zeros(count, np.bool_),
        class_scores={name: np.array(found, np.float64) for name, found in (class_scores or {}).items()},
    )

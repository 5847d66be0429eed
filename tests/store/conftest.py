"""A state file to write to, and rows as the join takes them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from driftgauge.columns import Columns, Where
from driftgauge.store import Store

# Numbers of files that no test gives itself.
_FILES = count(1000)


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
    label: Sequence[Any] | None = None,
    file: int | None = None,
    first: int = 0,
    number: Sequence[int | None] | None = None,
) -> Columns:
    """Return decoded rows; what is not given is the same for all of them.

    file: by default another one each time. first: the place of the first row in it.
    """
    rows = len(key)
    places = np.arange(first, first + rows)
    numbers = pa.array(number or [None] * rows, pa.int64())
    values = pa.array(predicted if predicted is not None else ["1"] * rows)
    values = values.cast(pa.string()) if pa.types.is_null(values.type) else values
    return Columns(
        time=np.array(time, np.int64),
        version=pa.array(version or ["v"] * rows, pa.string()),
        key=pa.array(key, pa.string()),
        predicted=values,
        label=pa.nulls(rows, values.type) if label is None else pa.array(label, values.type),
        score=np.array(score if score is not None else [np.nan] * rows, np.float64),
        latency=np.full(rows, np.nan),
        failed=np.zeros(rows, np.bool_),
        where=Where(np.full(rows, next(_FILES) if file is None else file), places, numbers),
        class_scores={name: np.array(found, np.float64) for name, found in (class_scores or {}).items()},
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store for many examples, each under a model name of its own."""
    opened = Store.open(str(tmp_path_factory.mktemp("shared")))
    yield opened
    opened.close()

"""The product's own steps on decoded rows, in the order a refresh takes them; files, MLflow and the store left out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.batch.decoding import CHUNK_ROWS
from driftgauge.columns import Columns
from driftgauge.config import Drift, Limits, ModelConfig, Window
from driftgauge.pipeline.delta import Delta, Terms
from driftgauge.pipeline.rows import fold_predictions
from driftgauge.reference import Reference, compile_reference
from driftgauge.samples import Samples
from driftgauge.segments import ALL_ROWS
from driftgauge.signals import Basis, fit_all, learn_all
from driftgauge.snapshot import ModelState, model_samples
from driftgauge.windows import MICROSECONDS

from .datasets import DAY, NOW, Floats

WINDOWS: Final = (Window("1h", 3600), Window("24h", DAY), Window("7d", 7 * DAY))
# As `pipeline.reading` does: chunk deltas are combined this many at a time.
_COMBINED: Final = 6


def a_model(name: str = "bench", **settings: Any) -> ModelConfig:
    """Return a model with everything at its default but `settings`."""
    return ModelConfig.model_validate({"name": name, "predictions": {"experiment": f"/{name}"}, **settings})


def columns(
    numbers: Mapping[str, Floats], *, categories: Mapping[str, Any] | None = None, seconds: float = DAY
) -> Columns:
    """Return decoded rows of one version, evenly over the `seconds` before `NOW` in order of time."""
    rows = len(next(iter((*numbers.values(), *(categories or {}).values()))))
    time = (NOW - seconds * (1 - (np.arange(rows) + 0.5) / rows)) * MICROSECONDS
    score = (np.arange(rows) * 0.618034) % 1
    return Columns(
        time=time.astype(np.int64),
        version=pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["1"])).cast(pa.string()),
        key=pa.nulls(rows, pa.string()),
        predicted=pa.array(np.where(score >= 0.5, "1", "0")),
        label=pa.nulls(rows, pa.string()),
        score=score,
        latency=0.001 + score,
        failed=np.zeros(rows, np.bool_),
        numbers=numbers,
        categories=categories or {},
        rows_read=rows,
    )


def chunks(rows: Columns) -> list[Columns]:
    """Cut rows into the pieces in which decoding delivers them."""
    return [rows.take(np.arange(at, min(at + CHUNK_ROWS, len(rows)))) for at in range(0, len(rows), CHUNK_ROWS)]


def compiled(rows: Columns, **drift: Any) -> Reference:
    """Compile a reference; `drift` are settings of that section."""
    found = compile_reference([rows], drift=Drift(**drift), max_features=100_000, max_categories=100_000)
    return replace(found, learned=learn_all([rows], found, a_model()))


def terms(reference: Reference, windows: Sequence[Window] = WINDOWS, **settings: Any) -> Terms:
    """Return by what rows are folded; `settings` are those of the model."""
    model = a_model(**settings)
    fitted = fit_all(Basis(model, Limits(max_features=100_000, max_categories=100_000), reference))
    return Terms(model, windows, {ALL_ROWS: fitted}, NOW * MICROSECONDS)


def folded(pieces: Sequence[Columns], by: Terms) -> Delta:
    """Fold chunk by chunk as a worker does."""
    parts: list[Delta] = []
    for piece in pieces:
        parts.append(fold_predictions(piece, by, origin=("run", "experiment")))
        if len(parts) == _COMBINED:
            parts = [Delta.combine(parts)]
    return Delta.combine(parts)


def statistics(delta: Delta, reference: Reference, by: Terms) -> Samples:
    """Return every series of a model that has seen just these rows."""
    state = ModelState(by.model, reference=reference, totals=delta.totals, predictions=delta.predictions)
    limits = Limits(max_features=100_000, max_categories=100_000)
    return model_samples(state, windows=by.windows, limits=limits, now=by.now)

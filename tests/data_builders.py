"""Small builders that several tests share: rows, a model, and a window compared with its reference.

Everything here goes through the product's own functions, in the order a refresh calls them; only files, MLflow and the
store are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import Pane
from driftgauge.columns import Columns
from driftgauge.config import Drift, Limits, ModelConfig
from driftgauge.drift import ColumnDrift, compare
from driftgauge.grid import Layout
from driftgauge.pipeline.delta import Signals
from driftgauge.reference import Reference, compile_reference
from driftgauge.segments import ALL_ROWS
from driftgauge.signals import Basis, Fitted, Rows, fit_all, fold_one, learn_all
from driftgauge.signals.distribution import FittedDistribution

MICROS = 1_000_000
CATEGORY_LIMIT = 200


def a_model(**settings: Any) -> ModelConfig:
    """Return a model with everything at its default but `settings`."""
    return ModelConfig.model_validate({"name": "churn", "predictions": {"experiment": "/churn"}, **settings})


def make_columns(rows: int, *, version: str = "1", **fields: Any) -> Columns:
    """Return `rows` rows of one version; `fields` are those of `Columns`, as lists or arrays, absent ones empty.

    Of `predicted`, `label` and `categories`, floats become Arrow doubles and everything else text.
    """
    return Columns(
        time=np.asarray(fields.get("time", np.zeros(rows)), dtype=np.int64),
        version=pa.array([version] * rows, pa.string()),
        key=pa.nulls(rows, pa.string()),
        predicted=_arrow(fields.get("predicted"), rows),
        label=_arrow(fields.get("label"), rows),
        score=_floats(fields.get("score"), rows),
        latency=_floats(fields.get("latency"), rows),
        failed=np.asarray(fields.get("failed", np.zeros(rows)), dtype=np.bool_),
        class_scores={name: _floats(values, rows) for name, values in fields.get("class_scores", {}).items()},
        numbers={name: _floats(values, rows) for name, values in fields.get("numbers", {}).items()},
        categories={name: _arrow(values, rows) for name, values in fields.get("categories", {}).items()},
    )


def features(**values: Any) -> Columns:
    """Return rows with features only: numbers from numpy arrays, categories from lists of text."""
    numbers = {name: found for name, found in values.items() if isinstance(found, np.ndarray)}
    categories = {name: found for name, found in values.items() if not isinstance(found, np.ndarray)}
    return make_columns(len(next(iter(values.values()))), numbers=numbers, categories=categories)


def a_reference(
    rows: Columns,
    *,
    max_features: int = 500,
    max_categories: int = 200,
    model: ModelConfig | None = None,
    **drift: Any,
) -> Reference:
    """Compile rows to a reference; `drift` are settings of that section, `model` is a binary one by default."""
    found = compile_reference([rows], drift=Drift(**drift), max_features=max_features, max_categories=max_categories)
    return replace(found, learned=learn_all([rows], found, model or a_model()))


def counted(reference: Reference, rows: Columns, *, limit: int = CATEGORY_LIMIT) -> Distribution:
    """Count rows on the reference's layout."""
    return on_layout(reference.layout, rows, limit=limit)


def on_layout(layout: Layout, rows: Columns, *, limit: int = CATEGORY_LIMIT) -> Distribution:
    """Count rows on a layout."""
    (found,) = FittedDistribution(layout, limit).fold(rows, np.array([len(rows)]))
    return found


def fitted(reference: Reference | None = None, *, category_limit: int = CATEGORY_LIMIT) -> dict[str, Fitted]:
    """Return the signals of a model, with or without a reference."""
    return fit_all(Basis(a_model(), Limits(max_categories=category_limit), reference))


def signals(reference: Reference | None = None) -> Signals:
    """Return the same for terms, of all rows."""
    return {ALL_ROWS: fitted(reference)}


def a_pane(
    rows: Columns, reference: Reference | None = None, *, category_limit: int = CATEGORY_LIMIT, of: Rows = "predictions"
) -> Pane:
    """Fold rows into one pane."""
    return fold_one(rows, fitted(reference, category_limit=category_limit), of)


def compared(reference: Columns, window: Columns, **drift: Any) -> Mapping[str, ColumnDrift]:
    """Return how far each column of the window is from the reference."""
    compiled = a_reference(reference, **drift)
    return compare(compiled, counted(compiled, window))


def folded(rows: Columns) -> Outcomes:
    """Fold labelled rows."""
    return Outcomes.fold(label=rows.label, predicted=rows.predicted, score=rows.score, class_scores=rows.class_scores)


def _floats(values: Sequence[float] | None, rows: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.full(rows, np.nan) if values is None else np.asarray(values, dtype=np.float64)


def _arrow(values: Any, rows: int) -> Any:
    if values is None:
        return pa.nulls(rows, pa.string())
    if isinstance(values, np.ndarray) and values.dtype == np.float64:
        return pa.array(values, mask=np.isnan(values))
    return pa.array(values, pa.string())

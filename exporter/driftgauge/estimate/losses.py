"""What one labelled row costs: the loss of which a metric is the mean, or one minus it."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.aggregates.distribution import as_floats
from driftgauge.columns import Columns, FloatArray
from driftgauge.schema import Task

# By task, the metrics whose losses are known row by row; the first is what slices are judged by.
METRICS: Final[Mapping[Task, tuple[str, ...]]] = {
    "binary": ("accuracy",),
    "multiclass": ("accuracy",),
    "regression": ("mae", "mse"),
}
# Notes on a reference that lacks some rows: the others would be a biased remainder.
_REMAINDERS: Final = ("reference_bad_prediction", "reference_bad_label")
# With fewer, every prediction may be wrong by chance.
_MANY_ROWS: Final = 20


def losses(rows: Columns) -> FloatArray:
    """Return the loss of each row (n,), NaN where label or prediction is missing.

    Classes: 1 where the prediction is wrong, so that accuracy is 1 - mean. Numbers: the absolute error.
    """
    if pa.types.is_floating(rows.predicted.type) and pa.types.is_floating(rows.label.type):
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.abs(as_floats(rows.predicted) - as_floats(rows.label))
        return np.where(np.isfinite(found), found, np.nan)
    wrong = pc.not_equal(rows.label.cast(pa.string()), rows.predicted.cast(pa.string()))
    return as_floats(wrong.cast(pa.float64(), safe=False))


def unlearnable(chunks: Sequence[Columns], found: FloatArray) -> str:
    """Return why nothing can be learned from the losses (n,) of a reference, "" where it can."""
    if any(note.reason in _REMAINDERS for chunk in chunks for note in chunk.notes):
        return "the reference has predictions or labels that cannot be read"
    known = found[np.isfinite(found)]
    if not len(known):
        return "the reference has no rows with prediction and label"
    is_class = not any(pa.types.is_floating(chunk.predicted.type) for chunk in chunks)
    if is_class and len(known) >= _MANY_ROWS and known.all():
        return "no prediction of the reference agrees with its label"
    return ""

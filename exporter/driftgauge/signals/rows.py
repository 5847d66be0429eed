"""Numbers and texts of decoded rows, the model's output among them under the name `OUTPUT`."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from driftgauge.aggregates.distribution import as_floats
from driftgauge.columns import Columns, FloatArray, TextArray
from driftgauge.grid import OUTPUT


def output_numbers(rows: Columns) -> FloatArray | None:
    """Return the model's output as numbers (n,): the score, or a regression's prediction; None for bare classes."""
    if pa.types.is_floating(rows.predicted.type):
        return as_floats(rows.predicted)
    return rows.score if np.isfinite(rows.score).any() else None


def numbers_of(rows: Columns) -> Mapping[str, FloatArray]:
    """Return the numeric features (n,) and, where it is a number, the output."""
    output = output_numbers(rows)
    return rows.numbers if output is None else {**rows.numbers, OUTPUT: output}


def texts_of(rows: Columns) -> Mapping[str, TextArray]:
    """Return the categorical features (n,) and the predictions, which are numbers in a regression."""
    return {**rows.categories, OUTPUT: rows.predicted}

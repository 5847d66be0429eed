"""Numbers and texts of decoded rows, the model's output among them under the name `OUTPUT`."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.aggregates.distribution import as_floats
from driftgauge.columns import BoolArray, Columns, FloatArray, TextArray
from driftgauge.grid import CLASS, OUTPUT


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


def class_texts(rows: Columns) -> Mapping[str, TextArray]:
    """Return the categorical features (n,), the classes that were written and, of these, those without a score.

    A class that follows from a score says nothing that this does not say.
    """
    if pa.types.is_floating(rows.predicted.type):
        return rows.categories
    nothing = pa.nulls(len(rows), pa.string())
    if not rows.facts.has_classes:
        return {**rows.categories, OUTPUT: nothing, CLASS: nothing}
    has_score = np.isfinite(rows.score)
    bare = (
        pc.if_else(pa.array(has_score), pa.scalar(None, pa.string()), rows.predicted)
        if has_score.any()
        else rows.predicted
    )
    return {**rows.categories, OUTPUT: rows.predicted, CLASS: bare}


def class_numbers(rows: Columns) -> Mapping[str, FloatArray]:
    """Return the numbers (n,) of `numbers_of`, and the classes 0 and 1 of rows without a score, which may be scores."""
    numbers = numbers_of(rows)
    if pa.types.is_floating(rows.predicted.type) or rows.class_scores:
        return numbers
    has_score = np.isfinite(rows.score)
    if has_score.all():
        return numbers
    ones, zeros = (_is(rows.predicted, name) & ~has_score for name in ("1", "0"))
    found = np.select([ones, zeros], [1.0, 0.0], np.nan)
    return {**numbers, CLASS: found} if np.isfinite(found).any() else numbers


def _is(text: TextArray, name: str) -> BoolArray:
    found: BoolArray = pc.fill_null(pc.equal(text, name), fill_value=False).to_numpy(zero_copy_only=False)
    return found

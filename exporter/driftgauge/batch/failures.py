"""Which requests failed, by the column of errors."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.roles import Roles
from driftgauge.batch.rows import Rows
from driftgauge.batch.values import first_present, mask, numbers
from driftgauge.columns import BoolArray, ValueArray

# Words in an error column that mean no error; so do an empty object, zero and false.
_NO_ERROR: Final = pa.array(["", "0", "0.0", "false", "none", "null", "nan", "na", "n/a", "<na>"])


def failures(rows: Rows, roles: Roles, predicted: ValueArray, *, mapped: bool) -> BoolArray:
    """Return which requests failed (n,): those with an error.

    Unless `columns.error` names the column, fractions are no errors but how far predictions are off, and so is any
    number beside the prediction of a regression.
    """
    column = first_present(rows, roles.paths["error"])
    failed = _has_error(column)
    if mapped or pa.types.is_boolean(column.type) or not failed.any():
        return failed
    values = numbers(column).values
    is_number = ~np.isnan(values)
    is_regression = pa.types.is_floating(predicted.type)
    if (np.trunc(values[is_number]) != values[is_number]).any():
        return failed & ~is_number
    return failed & ~(is_number & mask(predicted.is_valid())) if is_regression else failed


def _has_error(column: Any) -> BoolArray:
    kind = column.type
    if pa.types.is_string(kind):
        return mask(column.is_valid()) & ~mask(pc.is_in(pc.utf8_lower(column), value_set=_NO_ERROR))
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return mask(pc.not_equal(column, pa.scalar(0).cast(kind)))
    return mask(column.is_valid())

"""Why a row or a file could not be used: the fixed words that become the `reason` label of two counters.

Inside `batch` a row carries its verdict as a small code, 0 for "fine so far", so that verdicts can be kept
in one array next to the columns and sliced with them.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from driftgauge.columns import BoolArray

ReasonArray = npt.NDArray[np.uint8]

# In order of precedence: a row is rejected for the first reason that applies to it.
ROW_REASONS: Final = (
    "invalid_json",
    "not_an_object",
    "invalid_row",
    "bad_timestamp",
    "bad_prediction",
    "bad_label",
    "no_prediction",
    "inexact_key",
    "missing_key",
    "missing_label",
)
FILE_REASONS: Final = (
    "unsupported_format",
    "another_shape",
    "too_large",
    "empty_file",
    "invalid_json",
    "invalid_parquet",
    "invalid_csv",
    "invalid_gzip",
    "wrong_encoding",
)

FINE: Final = 0
CODES: Final[Mapping[str, int]] = {reason: code for code, reason in enumerate(ROW_REASONS, start=1)}


def all_fine(count: int) -> ReasonArray:
    """Return (count,) verdicts of rows against which nothing speaks yet."""
    return np.zeros(count, dtype=np.uint8)


def reject(reasons: ReasonArray, where: BoolArray, reason: str) -> None:
    """Mark the rows of the mask in place; rows that were rejected before keep their first reason."""
    reasons[where & (reasons == FINE)] = CODES[reason]


def tally(reasons: ReasonArray) -> dict[str, int]:
    """Count the rejected rows by reason; reasons that did not occur are left out."""
    counts = np.bincount(reasons, minlength=len(ROW_REASONS) + 1)
    return {reason: int(counts[code]) for reason, code in CODES.items() if counts[code]}

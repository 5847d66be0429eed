"""Columns of which only some values can be used: the others are no sample of the whole.

Numbers such as 1,234.56 among 999.5 are the large ones, and a score of the small ones would be wrong. Words such as
"timeout" say nothing of the value that would be there; a single odd value may be an accident.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.rows import UNUSABLE_TEXT
from driftgauge.batch.values import loose_text, mask
from driftgauge.columns import BoolArray

# A digit, or a list or an object.
_VALUE: Final = rf"\d|^{UNUSABLE_TEXT}$"
_SEVERAL: Final = 2
# Of predictions and labels any number of such rows changes a score; that less of a feature is missing makes no drift.
OF_OUTCOMES: Final = 0.01
OF_FEATURES: Final = 0.05


def is_biased(columns: Iterable[Any], bad: BoolArray, share: float) -> bool:
    """Tell whether the rows that are not `bad` (n,) are a biased remainder.

    columns: what the values were read from. share: of all rows, from which on these are too many.
    """
    count = int(bad.sum())
    if count < _SEVERAL:
        return False
    at = pa.array(np.flatnonzero(bad))
    odd = np.zeros(count, dtype=np.bool_)
    for column in columns:
        odd |= mask(pc.match_substring_regex(loose_text(column.take(at)), pattern=_VALUE))
    return bool(odd.sum() >= max(_SEVERAL, share * len(bad)))

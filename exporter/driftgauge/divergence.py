"""How far shares of bins or categories are from the reference's, for any number of columns at once.

Shares are (s, b): a row per column and a share for each of its bins; columns with fewer bins are filled up with zeros.
Formulas and oracles are in docs/statistics.md.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from scipy.spatial.distance import jensenshannon

from driftgauge.columns import FloatArray

# Shares are floored here before PSI's logarithm.
_FLOOR: Final = 1e-4


def psi(reference: FloatArray, window: FloatArray) -> FloatArray:
    """Return the population stability index (s,): the sum of (q - p) ln(q / p) over bins, shares floored at 1e-4."""
    p, q = np.maximum(reference, _FLOOR), np.maximum(window, _FLOOR)
    index: FloatArray = ((q - p) * np.log(q / p)).sum(axis=1)
    return index


def js_distance(reference: FloatArray, window: FloatArray) -> FloatArray:
    """Return the Jensen-Shannon distance (s,): the root of the divergence in bits."""
    # Of all but equal shares rounding can leave a divergence of -1e-17, whose root scipy gives as NaN.
    with np.errstate(invalid="ignore"):
        distance = jensenshannon(reference, window, base=2, axis=1)
    return np.nan_to_num(np.asarray(distance))


DIVERGENCES: Final[Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]]] = {
    "psi": psi,
    "js_distance": js_distance,
}

"""On which cell of a grid values fall, looked up in a table: neither values nor points are sorted or searched.

The table cuts the numbers into buckets of equal width, a few for each point, and knows how many points lie in the
buckets before each. So a value is where its bucket says, or one point further; the few that are further still, in
buckets with several points, are searched for. Rounding cannot make this wrong: the way from a number to its bucket
never falls, so all points in earlier buckets lie below it, and what is in its own is compared with it.

Points are dense where the reference had many values. Where buckets of equal width cannot follow that, in long tails,
they have equal width on a scale that is nearly logarithmic, or cover the points in the middle only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import isfinite
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from driftgauge.columns import FloatArray, IntArray

# Maps numbers (n,) to numbers that never fall when they rise.
Scale = Callable[[FloatArray], FloatArray]

# In two bytes each they stay in the processor's cache.
_BUCKETS: Final = 65_536
_BUCKETS_PER_POINT: Final = 6
# As many values are looked up at a time, so that what is computed on the way stays in the processor's cache.
_AT_ONCE: Final = 16_384
# Which points at either end are left to the first and the last bucket, as a share of all.
_CUTS: Final = (0.0, 0.005, 0.05)
# A table is good when fewer points share a bucket with an earlier one, and of use up to the larger share: searching for
# as many of the values costs what the table saves.
_FEW_SHARED: Final = 0.02
_MANY_SHARED: Final = 0.2


def _linear(values: FloatArray) -> FloatArray:
    return values


def _logarithmic(values: FloatArray) -> FloatArray:
    # Read as integers, the bits of floats rise with them, as much from each power of two to the next; those of
    # negative ones fall.
    bits = values.view(np.int64)
    return (bits ^ ((bits >> 63) & np.iinfo(np.int64).max)).astype(np.float64)


_SCALES: Final[tuple[Scale, ...]] = (_linear, _logarithmic)


@dataclass(frozen=True, slots=True, eq=False)
class ValueBuckets:
    """`count` buckets of equal width on a scale. A number is in that of its image times `factor` plus `shift`, cut off.

    Numbers beyond the first and the last are in these.
    """

    scale: Scale
    factor: float
    shift: float
    count: int

    @classmethod
    def over(cls, points: FloatArray, scale: Scale, cut: float) -> Self | None:
        """Return buckets for all points (G,) but a share at either end; None where floats cannot distinguish them."""
        left_out = int(cut * len(points))
        low, high = scale(points[[left_out, -1 - left_out]]).tolist()
        count = max(_BUCKETS, _BUCKETS_PER_POINT * len(points))
        factor = (count - 1) / (high - low) if low < high else 0.0
        shift = -low * factor
        return cls(scale, factor, shift, count) if factor and isfinite(factor) and isfinite(shift) else None

    def image(self, values: FloatArray) -> FloatArray:
        """Return a number (n,) for each finite value whose integer part is its bucket, once cut off."""
        image = self.scale(values) * self.factor
        image += self.shift
        return image

    def of(self, values: FloatArray) -> IntArray:
        """Return the bucket of each finite value (n,)."""
        with np.errstate(over="ignore"):
            return np.clip(self.image(values), 0, self.count - 1).astype(np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """The table of some points.

    points: (G + 1,) finite and rising strictly, and infinity behind them. before: (k,) how many lie in earlier buckets.
    """

    points: FloatArray
    buckets: ValueBuckets
    before: npt.NDArray[np.unsignedinteger[Any]]

    @classmethod
    def of(cls, points: FloatArray) -> Self | None:
        """Return the table of at least one point with the best buckets that there are, None where none are of use."""
        # A negative zero equals the positive one, so it must not be in an earlier bucket.
        points = points + 0.0
        best, fewest = None, _MANY_SHARED
        for scale, cut in product(_SCALES, _CUTS):
            buckets = ValueBuckets.over(points, scale, cut)
            if buckets is None:
                continue
            shared = np.count_nonzero(np.diff(buckets.of(points)) == 0) / len(points)
            if shared < fewest:
                best, fewest = buckets, shared
            if shared < _FEW_SHARED:
                break
        if best is None:
            return None
        inside = np.bincount(best.of(points), minlength=best.count)
        before = (np.cumsum(inside) - inside).astype(np.min_scalar_type(len(points)))
        return cls(np.append(points, np.inf), best, before)

    def cells(self, values: FloatArray) -> IntArray:
        """Return the cell of each finite value (n,): twice the points below it, and one more where it is a point."""
        found = np.empty(len(values), np.int64)
        # A number far beyond the points has an image that no integer holds; any bucket up to its own will do.
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(values), _AT_ONCE):
                some = slice(start, start + _AT_ONCE)
                found[some] = self._cells(values[some])
        return found

    def _cells(self, values: FloatArray) -> IntArray:
        buckets = self.buckets.image(values).astype(np.intp)
        places = self.before.take(buckets, mode="clip").astype(np.int64)
        # Clipping, which nothing needs, is quicker than looking for positions out of bounds.
        places += self.points.take(places, mode="clip") < values
        point = self.points.take(places, mode="clip")
        further = np.flatnonzero(point < values)
        if len(further):
            places[further] = self.points.searchsorted(values[further])
            point[further] = self.points[places[further]]
        places *= 2
        places += point == values
        return places

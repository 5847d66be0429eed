"""Where many values lie among a grid's points, looked up in a table: neither is sorted or searched.

The table cuts the numbers into buckets of equal width, a few for each point, and knows how many points lie in the
buckets before each. So a value is where its bucket says, or one point further; the few that are further still, in
buckets with several points, are searched for. Rounding cannot make this wrong: the way from a number to its bucket
never falls, so all points in earlier buckets lie below it, and what is in its own is compared with it.

Points lie densely where the reference had many values. Where buckets of equal width cannot follow that, in long tails,
they are made of equal width on a scale that is nearly logarithmic, or of the points in the middle only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import isfinite
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from driftgauge.columns import BoolArray, FloatArray, IntArray

# Returns an image (n,) of numbers (n,) that never falls when they rise, in the memory given or that of the numbers.
Scale = Callable[[FloatArray, FloatArray], FloatArray]

# In two bytes each they stay in the processor's cache.
_BUCKETS: Final = 65_536
_BUCKETS_PER_POINT: Final = 6
# As many values are looked up at a time, so that what is made of them on the way stays in the processor's cache.
_AT_ONCE: Final = 32_768
# Which points at either end are left to the first and the last bucket, as a share of all.
_CUTS: Final = (0.0, 0.005, 0.05)
# A table is good when fewer points share a bucket with an earlier one, and of use up to the larger share: searching for
# as many of the values costs what the table saves.
_FEW_SHARED: Final = 0.02
_MANY_SHARED: Final = 0.2


def _linear(values: FloatArray, _: FloatArray) -> FloatArray:
    return values


def _logarithmic(values: FloatArray, image: FloatArray) -> FloatArray:
    # Read as whole numbers, the bits of floats rise with them, as much from each power of two to the next; those of
    # negative ones fall.
    bits = values.view(np.int64)
    signs = bits >> 63
    signs &= np.iinfo(np.int64).max
    np.copyto(image, np.bitwise_xor(bits, signs, out=signs), casting="unsafe")
    return image


_SCALES: Final[tuple[Scale, ...]] = (_linear, _logarithmic)


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """`count` buckets of equal width on a scale. A number is in that of its image times `factor` plus `shift`, cut off.

    Numbers beyond the first and the last are in these.
    """

    scale: Scale
    factor: float
    shift: float
    count: int

    @classmethod
    def over(cls, points: FloatArray, scale: Scale, cut: float) -> Self | None:
        """Return buckets for all points (G,) but a share at either end; None where floats cannot tell them apart."""
        left_out = int(cut * len(points))
        low, high = scale(points[[left_out, -1 - left_out]], np.empty(2)).tolist()
        count = max(_BUCKETS, _BUCKETS_PER_POINT * len(points))
        factor = (count - 1) / (high - low) if low < high else 0.0
        shift = -low * factor
        return cls(scale, factor, shift, count) if factor and isfinite(factor) and isfinite(shift) else None

    def of_points(self, points: FloatArray) -> IntArray:
        """Return the bucket of each point (G,)."""
        # A negative zero is equal to the positive one, so it must not be taken for less.
        image = self.scale(points + 0.0, np.empty(len(points))) * self.factor + self.shift
        return np.clip(image, 0, self.count - 1).astype(np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """The table of `points` (G,), finite and rising strictly: `before` (k,) are how many lie in earlier buckets."""

    points: FloatArray
    buckets: Buckets
    before: npt.NDArray[np.unsignedinteger[Any]]
    _padded: FloatArray

    @classmethod
    def of(cls, points: FloatArray) -> Self | None:
        """Return the table of at least one point with the best buckets that there are, None where none are of use."""
        best, fewest = None, _MANY_SHARED
        for scale, cut in product(_SCALES, _CUTS):
            buckets = Buckets.over(points, scale, cut)
            if buckets is None:
                continue
            shared = np.count_nonzero(np.diff(buckets.of_points(points)) == 0) / len(points)
            if shared < fewest:
                best, fewest = buckets, shared
            if shared < _FEW_SHARED:
                break
        if best is None:
            return None
        inside = np.bincount(best.of_points(points), minlength=best.count)
        before = (np.cumsum(inside) - inside).astype(np.min_scalar_type(len(points)))
        return cls(points, best, before, np.append(points, np.inf))

    def places(self, values: FloatArray, *, out: IntArray) -> BoolArray:
        """Write how many points are less than each finite value (n,) into `out` (n,); return which equal the next."""
        equal = np.empty(len(values), np.bool_)
        # The same memory for one part of the values after the other.
        image, point = np.empty((2, min(_AT_ONCE, len(values))))
        bucket = np.empty(len(image), np.intp)
        # A number far beyond the points is in no bucket that a whole number tells; it is searched for.
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(values), _AT_ONCE):
                part, places = values[start : start + _AT_ONCE], out[start : start + _AT_ONCE]
                room = slice(len(part))
                self._place(part, image[room], bucket[room], point[room], places)
                np.equal(point[room], part, out=equal[start : start + _AT_ONCE])
        return equal

    def _place(
        self, values: FloatArray, image: FloatArray, bucket: IntArray, point: FloatArray, places: IntArray
    ) -> None:
        """Find the places (n,) of values (n,) and the `point` (n,) that comes next; image, bucket: memory to use."""
        np.multiply(self.buckets.scale(values, image), self.buckets.factor, out=image)
        np.add(image, self.buckets.shift, out=image)
        np.copyto(bucket, image, casting="unsafe")
        places[:] = self.before.take(bucket, mode="clip")
        self._padded.take(places, mode="clip", out=point)
        np.add(places, point < values, out=places)
        self._padded.take(places, mode="clip", out=point)
        further = np.flatnonzero(point < values)
        if len(further):
            places[further] = self.points.searchsorted(values[further])
            point[further] = self._padded[places[further]]

"""Counts of real values: exact for few distinct values, of bounded relative error for many.

The idea is that of the uniformly collapsing DDSketch (UDDSketch, Epicoco et al. 2020), on the bit patterns of IEEE 754
doubles instead of logarithms: a value's key is its bit pattern, and dropping the key's lowest `level` bits merges
neighbours. While at most `limit` distinct values were seen the level is 0 and nothing is lost. Beyond that the level
is the smallest at which at most `limit` cells are occupied, which depends on the set of values alone, so combining in
any order gives the same sketch.

Values in [0, 1] are keyed symmetrically about 1/2, so that probabilities next to 1 are distinguished as finely as those
next to 0: an over-confident classifier keeps its ranking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import FloatArray, IntArray

_HALF: Final = int(np.float64(0.5).view(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class ValueSketch:
    """`keys` (k,) sorted; `counts` (k, c): how many values of each of the `c` groups fell on each key."""

    keys: IntArray
    counts: IntArray
    level: int
    limit: int

    @classmethod
    def empty(cls, *, groups: int, limit: int) -> Self:
        """Return the identity of `combine` for sketches with `groups` columns of counts."""
        return cls(np.zeros(0, np.int64), np.zeros((0, groups), np.int64), 0, limit)

    @classmethod
    def fold(cls, values: FloatArray, group: IntArray | None = None, *, groups: int = 1, limit: int) -> Self:
        """Count finite `values` (n,), each in column `group` (n,) of `groups`."""
        if group is None and groups == 1:
            return cls.of_sorted(np.sort(values), limit=limit)
        if not len(values):
            return cls.empty(groups=groups, limit=limit)
        distinct, position = np.unique(values, return_inverse=True)
        columns = position * groups + (0 if group is None else group)
        counts = np.bincount(columns, minlength=len(distinct) * groups).reshape(-1, groups)
        return cls.collapsed(*_summed(_keys(distinct), counts), level=0, limit=limit)

    @classmethod
    def counted(cls, values: FloatArray, counts: IntArray, *, limit: int) -> Self:
        """Return the sketch of distinct finite values (k,) in ascending order, each with its counts (k, c)."""
        occurring = counts.any(axis=1)
        return cls.collapsed(*_summed(_keys(values[occurring]), counts[occurring]), level=0, limit=limit)

    @classmethod
    def of_sorted(cls, ordered: FloatArray, *, limit: int) -> Self:
        """Count finite values (n,) in ascending order, all of one group."""
        if not len(ordered):
            return cls.empty(groups=1, limit=limit)
        keys = _keys(ordered)
        bounds = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1, [len(keys)]])
        counts = (bounds[1:] - bounds[:-1]).reshape(-1, 1)
        return cls.collapsed(keys[bounds[:-1]], counts, level=0, limit=limit)

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add the counts of at least one sketch; refuses sketches of different shape."""
        shapes = {(part.counts.shape[1], part.limit) for part in parts}
        if len(shapes) != 1:
            raise ValueError(f"cannot combine sketches of different (groups, limit): {sorted(shapes)}")
        level = max(part.level for part in parts)
        keys = np.concatenate([part.keys >> (level - part.level) for part in parts])
        counts = np.concatenate([part.counts for part in parts])
        order = np.argsort(keys, kind="stable")
        return cls.collapsed(*_summed(keys[order], counts[order]), level=level, limit=parts[0].limit)

    @classmethod
    def collapsed(cls, keys: IntArray, counts: IntArray, *, level: int, limit: int) -> Self:
        """Return the sketch of these sorted cells at the smallest level from `level` up that needs at most `limit`."""
        if len(keys) > limit:
            # Neighbours merge once every bit is dropped in which they differ, and all but `limit` - 1 pairs must.
            apart = np.bitwise_xor(keys[1:], keys[:-1]).view(np.uint64)
            last = len(apart) - limit
            dropped = int(np.partition(apart, last)[last]).bit_length()
            level += dropped
            keys, counts = _summed(keys >> dropped, counts)
        return cls(keys, counts, level, limit)

    @property
    def total(self) -> int:
        """The number of values counted."""
        return int(self.counts.sum())

    def quantile(self, q: float) -> float | None:
        """Return the q-quantile, 0 <= q <= 1, interpolated as `numpy.quantile` does; None without values."""
        ends = np.cumsum(self.counts.sum(axis=1))
        if not len(ends):
            return None
        rank = q * (ends[-1] - 1)
        low, high = np.searchsorted(ends, [np.floor(rank), np.ceil(rank)], side="right")
        values = _values(self.keys[[low, high]], self.level)
        return float(values[0] + (values[1] - values[0]) * (rank - np.floor(rank)))

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {"keys": self.keys, "counts": self.counts, "level": self.level, "limit": self.limit}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the sketch that `to_state` described."""
        return cls(**state)


def _summed(keys: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """Add the counts of equal keys, which are sorted."""
    starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1 if len(keys) else 0))
    return keys[starts], np.add.reduceat(counts, starts, axis=0) if len(starts) else counts


def _bits(values: FloatArray) -> IntArray:
    return np.ascontiguousarray(values).view(np.int64)


def _keys(ordered: FloatArray) -> IntArray:
    """Map sorted finite doubles to sorted int64, strictly increasing on [0, 1] and to within one bit outside."""
    ordered = ordered + 0.0  # -0.0 and 0.0 are one value
    ends = [*ordered.searchsorted([0.0, 0.5]), ordered.searchsorted(1.0, side="right")]
    below, low, high, above = np.split(ordered, ends)
    return np.concatenate(
        [
            -_HALF - (_bits(-below) >> 1),
            _bits(low) - _HALF,
            _HALF - _bits(1.0 - high),
            _HALF + (_bits(above - 1.0) >> 1),
        ]
    )


def _values(keys: IntArray, level: int) -> FloatArray:
    """Return the value in the middle of each cell: the inverse of `_keys` up to the cell's width."""
    middle = (keys << level) + ((1 << level) >> 1)
    low = np.clip(middle + _HALF, 0, _HALF).view(np.float64)
    high = 1.0 - np.clip(_HALF - middle, 0, _HALF).view(np.float64)
    below = -(np.maximum(-_HALF - middle, 0) << 1).view(np.float64)
    above = 1.0 + (np.maximum(middle - _HALF, 0) << 1).view(np.float64)
    return np.select([middle < -_HALF, middle < 0, middle <= _HALF], [below, low, high], above)

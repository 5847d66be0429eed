"""The fixed grid on which a model's columns are counted.

A numeric grid is a sorted list of points. Its cells alternate: below the first point, at it, between it and the
next, …, at the last, above it: `2 * len(points) + 1` cells. Counting reference and window on the same cells keeps the
Kolmogorov-Smirnov distance exact as long as every distinct reference value is a point: between two of them the
reference's distribution function is flat and the window's monotone, so the largest gap sits at a cell's end.
Bin edges and outlier fences are points too, hence PSI bins and outliers are sums of whole cells.

A category grid has one cell per category and a last one for reference categories beyond the limit. Categories the
reference never had have no cell; they are counted by name (see `aggregates.distribution`).

A layout puts the cells of all columns side by side in one index space, so that counting a whole batch is one pass.
This module knows neither where the points come from (`reference`) nor what is counted (`aggregates`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Final, Self

import numpy as np

from driftgauge.columns import BoolArray, FloatArray, IntArray
from driftgauge.lookup import Lookup

# The name under which the model's output is counted next to its features; no decoded feature can be called this.
OUTPUT: Final = "\x00output"
# The same for the classes of rows without a score, where the output is a score.
CLASS: Final = "\x00class"
# The labels, on a layout of their own.
LABEL: Final = "\x00label"
# Occupied cells (k,) in ascending order, how many values fell on each, and their sums (of numbers: from `center` on).
Tally = tuple[IntArray, IntArray, FloatArray]
# Bits of the floats that all is counted in.
DOUBLE: Final = 64
# Of fewer values each is searched for: making the table takes as long as looking up this many.
_MANY_VALUES: Final = 8192
# Cells per value up to which an array of all cells is quicker than sorting the values by cell.
_DENSE: Final = 8


def in_precision(values: FloatArray, bits: int) -> FloatArray:
    """Return values (n,) rounded to floats of 32 or 16 bits; those beyond such floats are the largest of them."""
    if bits == DOUBLE:
        return values
    narrow = np.float32 if bits == np.finfo(np.float32).bits else np.float16
    largest = float(np.finfo(narrow).max)
    with np.errstate(over="ignore"):
        return np.clip(values, -largest, largest).astype(narrow).astype(np.float64)


@dataclass(frozen=True, eq=False)
class NumericGrid:
    """`points` (G,) float64, strictly increasing and finite; `bits` of the floats that the reference has."""

    points: FloatArray
    bits: int = DOUBLE

    def __reduce__(self) -> tuple[type[Self], tuple[FloatArray, int]]:
        """Travel without the table, which takes less time to make than to be sent."""
        return type(self), (self.points, self.bits)

    @cached_property
    def _lookup(self) -> Lookup | None:
        return Lookup.of(self.points) if len(self.points) else None

    @property
    def center(self) -> float:
        """The point in the middle, which sums are of distances from: sums of large values would lose their spread."""
        return float(self.points[len(self.points) // 2]) if len(self.points) else 0.0

    @property
    def centered(self) -> FloatArray:
        """The points (G,) less `center`, as sums are; infinite where that is no number."""
        with np.errstate(over="ignore"):
            return self.points - self.center

    @property
    def cells(self) -> int:
        """The number of cells, 2 G + 1."""
        return 2 * len(self.points) + 1

    def locate(self, values: FloatArray) -> IntArray:
        """Return the cell of each finite value (n,)."""
        if len(values) >= _MANY_VALUES and self._lookup is not None:
            return self._lookup.cells(values)
        if not len(self.points):
            return np.zeros(len(values), np.int64)
        left = self.points.searchsorted(values)
        cells: IntArray = 2 * left + (self.points.take(left, mode="clip") == values)
        return cells

    def tallies(self, values: FloatArray, ends: IntArray) -> list[Tally]:
        """Count each group of values (n,) that follow each other, in any order; what is not finite is left out.

        The sums are of `values - center`. ends: (p,) where each group ends and the next begins, the last of them n.
        """
        finite = np.isfinite(values)
        if not finite.all():
            values, ends = values[finite], ends_among(finite, ends)
        # The distance of two huge values overflows; the snapshot leaves infinities out.
        with np.errstate(over="ignore"):
            distances = values - self.center
        return tallied(self.locate(values), distances, ends, width=self.cells)

    def rounded(self, values: FloatArray, bits: int) -> FloatArray:
        """Return the values of a column of floats of `bits` bits as they are counted on this grid.

        All are rounded to the fewer bits of the two sides. Where these are not the reference's, a value becomes the
        last of the points that are rounded to it.
        """
        if min(bits, self.bits) == DOUBLE:
            return values
        found = in_precision(values, min(bits, self.bits))
        if bits >= self.bits or not len(self.points):
            return found
        points = in_precision(self.points, bits)
        at = np.maximum(points.searchsorted(found, side="right") - 1, 0)
        return np.where(points[at] == found, self.points[at], found)

    def cell_at(self, point: float) -> int:
        """Return the cell of a value that is one of the points."""
        return int(self.locate(np.array([point]))[0])


def ends_among(kept: BoolArray, ends: IntArray) -> IntArray:
    """Return where each group, given by its end (p,), ends among the rows that are kept (n,)."""
    return ends if kept.all() else np.flatnonzero(kept).searchsorted(ends)


def tallied(cells: IntArray, values: FloatArray | None, ends: IntArray, *, width: int) -> list[Tally]:
    """Count the cells (n,), each below `width`, that the members of each group fell on.

    values: (n,) what is summed up; None: nothing, so that all sums are 0. ends: (p,) where each group ends.
    """
    size = width * len(ends)
    keys = cells if len(ends) == 1 else cells + np.repeat(np.arange(0, size, width), np.diff(ends, prepend=0))
    # A huge outlier overflows a sum; the snapshot leaves infinities out.
    with np.errstate(over="ignore", invalid="ignore"):
        is_dense = size <= _DENSE * len(keys)
        occupied, counts, sums = _densely(keys, values, size) if is_dense else _sparsely(keys, values)
    bounds = [0, *occupied.searchsorted(np.arange(1, len(ends) + 1) * width).tolist()]
    return [
        (occupied[start:end] - group * width, counts[start:end], sums[start:end])
        for group, (start, end) in enumerate(pairwise(bounds))
    ]


def _densely(keys: IntArray, values: FloatArray | None, size: int) -> Tally:
    counts = np.bincount(keys, minlength=size)
    # Booleans are searched several times as fast as numbers.
    occupied = np.flatnonzero(counts != 0)
    sums = np.bincount(keys, values, size)[occupied] if values is not None else np.zeros(len(occupied))
    return occupied, counts[occupied], sums.astype(np.float64)


def _sparsely(keys: IntArray, values: FloatArray | None) -> Tally:
    order = np.argsort(keys)
    keys = keys[order]
    # Not np.diff with a value in front, which takes longer than the rest for few values.
    bounds = np.flatnonzero(np.concatenate([[len(keys) > 0], keys[1:] != keys[:-1], [True]]))
    starts = bounds[:-1]
    sums = np.add.reduceat(values[order], starts) if values is not None else np.zeros(len(starts))
    return keys[starts], np.diff(bounds), sums


@dataclass(frozen=True)
class CategoryGrid:
    """`categories` have a cell each, in this order; the reference's `others` share the last one."""

    categories: tuple[str, ...]
    others: frozenset[str] = frozenset()

    @property
    def cells(self) -> int:
        """The number of cells, the shared one included."""
        return len(self.categories) + 1

    @cached_property
    def positions(self) -> dict[str, int]:
        """The cell of every category the reference had."""
        return dict.fromkeys(self.others, len(self.categories)) | {c: n for n, c in enumerate(self.categories)}


@dataclass(frozen=True, eq=False)
class Layout:
    """The grids of a model's columns in a fixed order, with `OUTPUT` among them where output drift is measured."""

    grids: Mapping[str, NumericGrid | CategoryGrid] = field(default_factory=dict)

    @cached_property
    def offsets(self) -> dict[str, int]:
        """The first flat cell of every column."""
        starts = np.cumsum([0, *(grid.cells for grid in self.grids.values())])
        return {name: int(start) for name, start in zip(self.grids, starts[:-1], strict=True)}

    @cached_property
    def cells(self) -> int:
        """The number of cells of all columns together."""
        return sum(grid.cells for grid in self.grids.values())

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest: equal for layouts whose counts may be added, different otherwise."""
        digest = hashlib.blake2b(b"sums from the center on", digest_size=16)
        for name, grid in self.grids.items():
            digest.update(f"{type(grid).__name__}:{name!r}:{grid.cells};".encode())
            if isinstance(grid, NumericGrid):
                digest.update(f"{grid.bits}:".encode() + np.ascontiguousarray(grid.points, dtype="<f8").tobytes())
            else:
                digest.update(repr((grid.categories, sorted(grid.others))).encode())
        return digest.hexdigest()

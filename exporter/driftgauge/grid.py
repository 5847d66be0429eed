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

from driftgauge.columns import FloatArray, IntArray
from driftgauge.lookup import Lookup

# The name under which the model's output is counted beside its features; no decoded feature can be called this.
OUTPUT: Final = "\x00output"
# Occupied cells (k,) in ascending order, how many values fell on each, and their sums.
Tally = tuple[IntArray, IntArray, FloatArray]
# From so many points on, to look values up takes less time than to sort them.
_MANY_POINTS: Final = 1024
# As much time as looking up so many saves is what making the table takes.
_MANY_VALUES: Final = 8192
# Up to so many rows for every two points.
_MANY_ROWS: Final = 12


@dataclass(frozen=True, eq=False)
class NumericGrid:
    """`points` (G,) float64, strictly increasing and finite."""

    points: FloatArray

    def __reduce__(self) -> tuple[type[Self], tuple[FloatArray]]:
        """Travel without the table, which takes less time to make than to be sent."""
        return type(self), (self.points,)

    @cached_property
    def lookup(self) -> Lookup | None:
        """The table in which values are looked up, if it takes less time than to sort them."""
        return Lookup.of(self.points) if len(self.points) >= _MANY_POINTS else None

    @property
    def cells(self) -> int:
        """The number of cells, 2 G + 1."""
        return 2 * len(self.points) + 1

    def locate(self, values: FloatArray) -> IntArray:
        """Return the cell of each finite value (n,)."""
        if len(values) >= _MANY_VALUES and self.lookup is not None:
            places = np.empty(len(values), np.int64)
            is_point = self.lookup.places(values, out=places)
            places *= 2
            places += is_point
            return places
        # Sorted, values are found among the points in half the time, which is more than sorting takes.
        order = np.argsort(values)
        cells = np.empty(len(values), np.int64)
        cells[order] = self._cells(values[order])
        return cells

    def _cells(self, values: FloatArray) -> IntArray:
        left = self.points.searchsorted(values)
        return 2 * left + (self.points.take(left, mode="clip") == values) if len(self.points) else left

    def is_quick_to_count(self, rows: int) -> bool:
        """Whether `count` takes less time for so many values of a part than `tally` and to sort them before.

        Of fewer, each is searched for; for more, to search for all points is little beside sorting.
        """
        return len(self.points) <= 2 * rows <= _MANY_ROWS * len(self.points) and self.lookup is not None

    def count(self, values: FloatArray, ends: IntArray, *, scratch: FloatArray) -> list[Tally]:
        """Return what `tally` does of each part of finite values (n,) in any order.

        ends: (p,) where each part ends and the next begins. scratch: (n,) memory to use. Raises ValueError where there
        is no table, see `is_quick_to_count`.
        """
        if self.lookup is None:
            raise ValueError(f"a grid of {len(self.points)} points has no table to look values up in")
        places = scratch.view(np.int64)
        is_point = self.lookup.places(values, out=places)
        # Mostly no value is a point, and only every other cell can be met.
        step = 1 if is_point.any() else 2
        if step == 1:
            places *= 2
            places += is_point
        cells = self.cells // step + step - 1
        for part, (start, end) in enumerate(pairwise(ends.tolist()), start=1):
            places[start:end] += part * cells
        counts = np.bincount(places, minlength=cells * len(ends))
        # Truth values are looked through several times as fast as numbers.
        occupied = np.flatnonzero(counts != 0)
        # A huge outlier overflows a sum; the snapshot leaves infinities out.
        with np.errstate(over="ignore"):
            sums = np.asarray(np.bincount(places, values, cells * len(ends)), np.float64)[occupied]
        counts = counts[occupied]
        bounds = [0, *occupied.searchsorted(np.arange(1, len(ends)) * cells).tolist(), len(occupied)]
        return [
            ((occupied[start:end] - part * cells) * step, counts[start:end], sums[start:end])
            for part, (start, end) in enumerate(pairwise(bounds))
        ]

    def tally(self, ordered: FloatArray) -> Tally:
        """Return the occupied cells (k,) of sorted finite values (n,), how many fell on each, and their sums.

        Of values and points the fewer are looked up among the others: the cost is that of sorting.
        """
        if not len(ordered):
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        if len(ordered) > len(self.points):
            ends = self._ends(ordered)
            # Not np.diff, which copies all of them to prepend a zero.
            counts = ends.copy()
            counts[1:] -= ends[:-1]
            # Truth values are looked through several times as fast as numbers.
            cells = np.flatnonzero(counts != 0)
            counts = counts[cells]
            starts = ends[cells] - counts
        else:
            by_value = self._cells(ordered)
            starts = np.flatnonzero(np.diff(by_value, prepend=-1))
            cells, counts = by_value[starts], np.diff(starts, append=len(ordered))
        # A huge outlier overflows a sum; the snapshot leaves infinities out.
        with np.errstate(over="ignore"):
            return cells, counts, np.add.reduceat(ordered, starts)

    def _ends(self, ordered: FloatArray) -> IntArray:
        """Return how many of the sorted values lie in or before each cell (cells,)."""
        below = ordered.searchsorted(self.points)
        upto = below.copy()
        met = np.flatnonzero(ordered.take(below, mode="clip") == self.points)
        upto[met] = ordered.searchsorted(self.points[met], side="right")
        ends = np.empty(self.cells, np.int64)
        ends[0:-1:2], ends[1::2], ends[-1] = below, upto, len(ordered)
        return ends

    def cell_at(self, point: float) -> int:
        """Return the cell of a value that is one of the points."""
        return int(self.locate(np.array([point]))[0])


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
        digest = hashlib.blake2b(digest_size=16)
        for name, grid in self.grids.items():
            digest.update(f"{type(grid).__name__}:{name!r}:{grid.cells};".encode())
            if isinstance(grid, NumericGrid):
                digest.update(np.ascontiguousarray(grid.points, dtype="<f8").tobytes())
            else:
                digest.update(repr((grid.categories, sorted(grid.others))).encode())
        return digest.hexdigest()

"""The columns of a reference in at most ten bins each, and counts of a distribution in them.

Bins of numbers are those of PSI (`drift.bins`), joined where they are more; of categories the nine most frequent ones
and all others together, those that the reference never had included. Bins are whole cells of the reference's grid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

import numpy as np

from driftgauge.aggregates.distribution import Distribution
from driftgauge.columns import BoolArray, FloatArray, IntArray
from driftgauge.grid import DOUBLE, CategoryGrid, NumericGrid, in_precision
from driftgauge.reference import CategoryProfile, NumericProfile, Reference

MOST_BINS: Final = 10
_OF_NO_BIN: Final = -1
_EXACT: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Bins of the columns `names`, C of them.

    shares: (C, 10) of the reference's rows in each bin, 0 in places without one. used: (C, 10) which places are bins.
    starts: (k,) first flat cells of stretches of cells, ascending; places: (k,) to which of the C * 10 places each
    belongs, -1 for none. rest: by categorical column the place of categories that the reference never had.
    """

    names: tuple[str, ...]
    shares: FloatArray
    used: BoolArray
    starts: IntArray
    places: IntArray
    rest: Mapping[str, int]

    @classmethod
    def of(cls, reference: Reference, names: Sequence[str], *, bits: Mapping[str, int] = _EXACT) -> Self:
        """Return the bins of columns that the reference has.

        bits: of columns whose values are rounded to fewer bits than the reference's. As many bins as there are keep
        their places, with the shares that rounding gives them.
        """
        rows = {name: place for place, name in enumerate(names)}
        shares, used = np.zeros((len(names), MOST_BINS)), np.zeros((len(names), MOST_BINS), np.bool_)
        starts, places, rest = [], [], {}
        for name, grid in reference.layout.grids.items():
            offset = reference.layout.offsets[name]
            if name not in rows:
                starts.append(np.array([offset]))
                places.append(np.array([_OF_NO_BIN]))
                continue
            row = rows[name]
            ends, counts = _bins(grid, reference.profiles[name], bits.get(name, DOUBLE))
            shares[row, : len(ends)] = counts / max(1, int(counts.sum()))
            used[row, : len(ends)] = True
            starts.append(offset + np.concatenate([[0], ends[:-1] + 1]))
            places.append(row * MOST_BINS + np.arange(len(ends)))
            if isinstance(grid, CategoryGrid):
                rest[name] = row * MOST_BINS + len(ends) - 1
        return cls(tuple(names), shares, used, np.concatenate(starts), np.concatenate(places), rest)

    def counts(self, distribution: Distribution) -> IntArray:
        """Return how many rows (C, 10) of a distribution on the reference's layout are in each bin."""
        # Of bins that begin at the same cell all but the last are empty.
        places = self.places[self.starts.searchsorted(distribution.cells, side="right") - 1]
        kept = places != _OF_NO_BIN
        found = np.bincount(places[kept], distribution.counts[kept], self.shares.size)
        for name, place in self.rest.items():
            if name in distribution.unseen:
                found[place] += distribution.unseen[name].total
        return found.astype(np.int64).reshape(self.shares.shape)


def _bins(
    grid: NumericGrid | CategoryGrid, profile: NumericProfile | CategoryProfile, bits: int
) -> tuple[IntArray, IntArray]:
    """Return the last cell of each bin (b,) and how many rows of the reference are in it."""
    if isinstance(profile, CategoryProfile):
        ends = np.append(np.arange(min(MOST_BINS, grid.cells) - 1), grid.cells - 1)
        counts = np.diff(profile.counts.cumsum()[ends], prepend=0)
        return ends, counts
    ends = profile.bin_ends
    if len(ends) >= MOST_BINS:
        ends = ends[np.linspace(0, len(ends), MOST_BINS + 1)[1:-1].astype(np.int64)]
    if isinstance(grid, NumericGrid) and bits < grid.bits and len(ends):
        points = in_precision(grid.points, bits)
        # A value is counted at the last of the points that are rounded to it.
        ends = 2 * (points.searchsorted(points[ends // 2], side="right") - 1) + 1
    ends = np.append(ends, grid.cells - 1)
    return ends, np.diff(profile.ends[ends].astype(np.int64), prepend=0)

"""Counts of a model's columns on the cells of its layout: all that drift is computed from.

Only occupied cells are kept, as parallel arrays sorted by flat cell, so a pane costs at most 16 bytes per value folded
and at most that per cell of the grid, whatever the traffic, or 20 once a cell was met two thousand million times.
A cell also keeps the sum of its values: with it the Wasserstein distance does not depend on where inside a cell the
values lie.

Categories the reference never had are counted by name. Of each column the `limit` alphabetically first names are
kept and the rest are counted together; since a name among the first of the whole is among the first of every part,
the kept counts are exact in any order of combination.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from driftgauge.columns import FloatArray, IntArray, TextArray, ValueArray
from driftgauge.grid import DOUBLE, CategoryGrid, Layout, NumericGrid, Tally, ends_among, tallied


def as_floats(values: ValueArray) -> FloatArray:
    """Return an Arrow column of doubles as numpy (n,), NaN where null."""
    floats: FloatArray = values.to_numpy(zero_copy_only=False)
    return floats


# As they are kept: cells, and counts in the first of `_COUNT_TYPES` that holds them. Panes are most of what is kept.
CellArray = npt.NDArray[np.int32]
CountArray = npt.NDArray[np.signedinteger[Any]]
_COUNT_TYPES: Final = (np.int16, np.int32, np.int64)
# Up to this many cells in all, 32 MB, the faster way is taken; above, the one with less memory.
_SMALL_SIZE: Final = 2**21


@dataclass(frozen=True, slots=True)
class Unseen:
    """Counts of one column's categories that the reference never had: by name, and of the names beyond the limit."""

    named: Mapping[str, int]
    rest: int = 0

    @property
    def total(self) -> int:
        """The number of rows with such a category."""
        return sum(self.named.values()) + self.rest

    @classmethod
    def combine(cls, parts: Sequence[Self], *, limit: int) -> Self:
        """Add name by name and keep the `limit` alphabetically first."""
        named: dict[str, int] = {}
        for part in parts:
            for name, count in part.named.items():
                named[name] = named.get(name, 0) + count
        kept = sorted(named)[:limit]
        total = sum(named.values())
        return cls(
            {name: named[name] for name in kept}, sum(p.rest for p in parts) + total - sum(named[n] for n in kept)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Occupied `cells` (k,) of the layout with this `fingerprint`, their `counts` (k,) and `sums` (k,) of values.

    precision: the bits of columns of which some values had fewer than the reference's.
    """

    fingerprint: str
    limit: int
    cells: CellArray
    counts: CountArray
    sums: FloatArray
    unseen: Mapping[str, Unseen]
    precision: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        fingerprint: str,
        limit: int,
        tally: Tally,
        unseen: Mapping[str, Unseen],
        precision: Mapping[str, int] = MappingProxyType({}),
    ) -> Self:
        """Return the distribution with this tally, in the smallest types that can represent it."""
        cells, counts, sums = tally
        most = int(counts.max(initial=0))
        narrow = next(kind for kind in _COUNT_TYPES if most <= np.iinfo(kind).max)
        return cls(fingerprint, limit, cells.astype(np.int32), counts.astype(narrow), sums, unseen, dict(precision))

    @classmethod
    def empty(cls, layout: Layout, *, limit: int) -> Self:
        """Return the identity of `combine` for this layout."""
        nothing = np.zeros(0, np.int64)
        return cls.of(layout.fingerprint, limit, (nothing, nothing, np.zeros(0)), {})

    @classmethod
    def fold(
        cls,
        layout: Layout,
        numbers: Mapping[str, FloatArray],
        texts: Mapping[str, TextArray],
        ends: IntArray,
        *,
        limit: int,
        precision: Mapping[str, int] = MappingProxyType({}),
    ) -> list[Self]:
        """Count numbers (n,) that are finite and texts (n,) that are not null, for each group of rows.

        precision: the bits of columns of numbers that have fewer than a double.
        ends: (p,) where each group ends and the next begins. Columns not on the layout are left out. One that is
        missing, or not of the kind that the layout has, has no values.
        """
        found: list[list[Tally]] = [[] for _ in ends]
        unseen: list[dict[str, Unseen]] = [{} for _ in ends]
        narrower: dict[str, int] = {}
        for name, grid in layout.grids.items():
            if isinstance(grid, NumericGrid) and name in numbers:
                bits = precision.get(name, DOUBLE)
                if bits < grid.bits:
                    narrower[name] = bits
                tallies = grid.tallies(grid.rounded(numbers[name], bits), ends)
            elif isinstance(grid, CategoryGrid) and name in texts:
                tallies, strangers = _categories(grid, texts[name], ends)
                for group, named in enumerate(strangers):
                    if named:
                        unseen[group][name] = Unseen.combine([Unseen(named)], limit=limit)
            else:
                continue
            for of_group, (cells, counts, sums) in zip(found, tallies, strict=True):
                of_group.append((cells + layout.offsets[name], counts, sums))
        return [
            cls.of(layout.fingerprint, limit, _side_by_side(tallies), strangers, narrower)
            for tallies, strangers in zip(found, unseen, strict=True)
        ]

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add the counts of at least one distribution; refuses different layouts."""
        grids = {(part.fingerprint, part.limit) for part in parts}
        if len(grids) != 1:
            raise ValueError(f"cannot combine distributions on different (layout, limit): {sorted(grids)}")
        first = parts[0]
        if len(parts) == 1:
            return first
        names = sorted({name for part in parts for name in part.unseen})
        unseen = {
            name: Unseen.combine([p.unseen[name] for p in parts if name in p.unseen], limit=first.limit)
            for name in names
        }
        precision: dict[str, int] = {}
        for part in parts:
            for name, bits in part.precision.items():
                precision[name] = min(bits, precision.get(name, bits))
        return cls.of(first.fingerprint, first.limit, _added(parts), unseen, precision)

    @property
    def size(self) -> int:
        """How many cells are occupied."""
        return len(self.cells)

    def dense(self, start: int, end: int) -> tuple[IntArray, FloatArray]:
        """Return counts and sums of the flat cells from `start` up to `end`, zeros included."""
        # Of another type, all cells would be converted first.
        occupied = slice(*self.cells.searchsorted(np.array([start, end], np.int32)))
        counts, sums = np.zeros(end - start, np.int64), np.zeros(end - start)
        cells = self.cells[occupied].astype(np.intp) - start
        counts[cells], sums[cells] = self.counts[occupied], self.sums[occupied]
        return counts, sums

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {
            "fingerprint": self.fingerprint,
            "limit": self.limit,
            # Consecutive cells are mostly close, so their differences take a quarter of the bytes.
            "steps": np.diff(self.cells, prepend=np.int32(0)),
            "counts": self.counts,
            "sums": self.sums,
            "unseen": {name: [u.named, u.rest] for name, u in self.unseen.items()},
            "precision": self.precision,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the distribution that `to_state` described."""
        unseen = {name: Unseen(named, rest) for name, (named, rest) in state["unseen"].items()}
        tally = np.cumsum(state["steps"]), state["counts"], state["sums"]
        return cls.of(state["fingerprint"], state["limit"], tally, unseen, state["precision"])


def _added(parts: Sequence[Distribution]) -> Tally:
    """Add the parts cell by cell."""
    size = max((int(part.cells[-1]) + 1 for part in parts if len(part.cells)), default=0)
    # To add in place takes less time than to sort from about a fifth as many on, and no more memory from half as many.
    share = 5 if size <= _SMALL_SIZE else 2
    # A huge outlier overflows a sum; the snapshot leaves infinite values out.
    with np.errstate(over="ignore", invalid="ignore"):
        return _densely(parts, size) if share * sum(len(part.cells) for part in parts) > size else _sparsely(parts)


def _densely(parts: Sequence[Distribution], size: int) -> Tally:
    """Add parts whose cells are below `size`, at least one, in memory and time for all of these."""
    counts, sums = np.zeros(size, np.int64), np.zeros(size)
    for part in parts:
        # No cell comes twice in a part.
        cells = part.cells.astype(np.intp)
        counts[cells] += part.counts
        sums[cells] += part.sums
    cells = np.flatnonzero(counts != 0)
    return cells, counts[cells], sums[cells]


def _sparsely(parts: Sequence[Distribution]) -> Tally:
    """Add parts in memory and time for the cells that they occupy."""
    cells, counts, sums = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("cells", "counts", "sums")
    )
    # This sort finds the parts, which are in order already, and only merges them.
    order = np.argsort(cells, kind="stable")
    cells = cells[order]
    starts = np.flatnonzero(np.concatenate([[len(cells) > 0], cells[1:] != cells[:-1]]))
    return cells[starts], np.add.reduceat(counts[order], starts, dtype=np.int64), np.add.reduceat(sums[order], starts)


def _side_by_side(tallies: Sequence[Tally]) -> Tally:
    """Return the tallies of different columns, in the order of their cells, as one."""
    if not tallies:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    cells, counts, sums = (np.concatenate(arrays) for arrays in zip(*tallies, strict=True))
    return cells, counts, sums


def _categories(grid: CategoryGrid, text: TextArray, ends: IntArray) -> tuple[list[Tally], list[dict[str, int]]]:
    """Count in each group the texts that have a cell, and by name those that have none."""
    encoded = text.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    ends = ends_among(encoded.is_valid().to_numpy(zero_copy_only=False), ends)
    codes = encoded.indices.drop_null().to_numpy().astype(np.int64)
    cells = np.array([grid.positions.get(name, -1) for name in names], np.int64)[codes]
    known = cells >= 0
    tallies = tallied(cells[known], None, ends_among(known, ends), width=grid.cells)
    if known.all():
        return tallies, [{} for _ in ends]
    strangers = tallied(codes[~known], None, ends_among(~known, ends), width=len(names))
    return tallies, [
        {names[code]: count for code, count in zip(found.tolist(), counts.tolist(), strict=True)}
        for found, counts, _ in strangers
    ]

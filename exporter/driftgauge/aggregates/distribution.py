"""Counts of a model's columns on the cells of its layout: all that drift is computed from.

Only occupied cells are kept, as parallel arrays sorted by flat cell, so a pane costs at most 16 bytes per value folded
and at most that per cell of the grid, whatever the traffic, or 20 once a cell was met two thousand million times.
Beside its count, a cell keeps the sum of its values: with it the Wasserstein distance does not depend on where inside a
cell the values lie.

Categories the reference never had are counted by name. Of each column the `limit` alphabetically first names are
kept and the rest are counted together; since a name among the first of the whole is among the first of every part,
the kept counts are exact in any order of combination.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftgauge.columns import Columns, FloatArray, IntArray, TextArray, ValueArray
from driftgauge.grid import CategoryGrid, Layout, NumericGrid, Tally


def output_numbers(columns: Columns) -> FloatArray | None:
    """Return the model's output as numbers (n,): the score, or a regression's prediction; None for bare classes."""
    if pa.types.is_floating(columns.predicted.type):
        return as_floats(columns.predicted)
    return columns.score if np.isfinite(columns.score).any() else None


def as_floats(values: ValueArray) -> FloatArray:
    """Return an Arrow column of doubles as numpy (n,), NaN where null."""
    floats: FloatArray = values.to_numpy(zero_copy_only=False)
    return floats


# How numpy is told not to look for places beyond the end, which takes as long as taking what is there.
UNCHECKED: Final = "clip"
# As they are kept: cells, and counts in the first of `_COUNT_TYPES` that holds them. Panes are most of what is kept.
CellArray = npt.NDArray[np.int32]
CountArray = npt.NDArray[np.signedinteger[Any]]
_COUNT_TYPES: Final = (np.int16, np.int32, np.int64)
# Up to so many cells in all, 32 MB, time counts for more than memory.
_SMALL_SIZE: Final = 2**21
# As many cells are added in a fifth of a millisecond.
_AT_ONCE: Final = 2**16


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
    """Occupied `cells` (k,) of the layout with this `fingerprint`, their `counts` (k,) and `sums` (k,) of values."""

    fingerprint: str
    limit: int
    cells: CellArray
    counts: CountArray
    sums: FloatArray
    unseen: Mapping[str, Unseen]

    @classmethod
    def of(cls, fingerprint: str, limit: int, tally: Tally, unseen: Mapping[str, Unseen]) -> Self:
        """Return the distribution with this tally, in as little memory as holds it."""
        cells, counts, sums = tally
        most = int(counts.max(initial=0))
        narrow = next(kind for kind in _COUNT_TYPES if most <= np.iinfo(kind).max)
        return cls(fingerprint, limit, cells.astype(np.int32), counts.astype(narrow), sums, unseen)

    @classmethod
    def empty(cls, layout: Layout, *, limit: int) -> Self:
        """Return the identity of `combine` for this layout."""
        nothing = np.zeros(0, np.int64)
        return cls.of(layout.fingerprint, limit, (nothing, nothing, np.zeros(0)), {})

    @classmethod
    def fold(cls, layout: Layout, tallies: Mapping[str, Tally], texts: Mapping[str, TextArray], *, limit: int) -> Self:
        """Put together the tallies of numeric columns on their grids, and count the texts (n,) of others.

        Columns not on the layout are left out. One that is missing, or not of the kind that the layout has, has no
        values.
        """
        found: list[Tally] = []
        unseen: dict[str, Unseen] = {}
        for name, grid in layout.grids.items():
            if isinstance(grid, NumericGrid):
                if name in tallies:
                    found.append(_shifted(tallies[name], layout.offsets[name]))
            elif name in texts:
                tally, strangers = _tally_categories(grid, texts[name], limit)
                found.append(_shifted(tally, layout.offsets[name]))
                if strangers.total:
                    unseen[name] = strangers
        if not found:
            return cls.empty(layout, limit=limit)
        cells, counts, sums = (np.concatenate(part) for part in zip(*found, strict=True))
        return cls.of(layout.fingerprint, limit, (cells, counts, sums), unseen)

    @classmethod
    def fold_groups(
        cls,
        layout: Layout,
        numbers: Mapping[str, FloatArray],
        texts: Mapping[str, TextArray],
        group: IntArray,
        *,
        groups: int,
        limit: int,
    ) -> list[Self]:
        """Return what `fold` does for each of so many `groups` of rows; numbers (n,) need be neither sorted nor finite.

        group: (n,) to which of them a row belongs. All groups and columns are counted in one pass, which for groups of
        few rows is cheaper than looking at each.
        """
        keys, values = [np.zeros(0, np.int64)], [np.zeros(0)]
        unseen: list[dict[str, Unseen]] = [{} for _ in range(groups)]
        for name, grid in layout.grids.items():
            if isinstance(grid, NumericGrid) and name in numbers:
                counted, members, finite = numbers[name], group, np.isfinite(numbers[name])
                if not finite.all():
                    counted, members = counted[finite], members[finite]
                cells = grid.locate(counted)
            elif isinstance(grid, CategoryGrid) and name in texts:
                cells, members, strangers = _located(grid, texts[name], group)
                for at, found in strangers.items():
                    unseen[at][name] = Unseen.combine([Unseen(found)], limit=limit)
                counted = np.zeros(len(cells))
            else:
                continue
            keys.append(members * layout.cells + layout.offsets[name] + cells)
            values.append(counted)
        flat, counts, sums = _summed(np.concatenate(keys), np.concatenate(values))
        bounds = flat.searchsorted(np.arange(1, groups) * layout.cells)
        return [
            cls.of(layout.fingerprint, limit, (cells - at * layout.cells, counted, summed), unseen[at])
            for at, (cells, counted, summed) in enumerate(
                zip(*(np.split(array, bounds) for array in (flat, counts, sums)), strict=True)
            )
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
        return cls.of(first.fingerprint, first.limit, _added(parts), unseen)

    def dense(self, start: int, end: int) -> tuple[IntArray, FloatArray]:
        """Return counts and sums of the flat cells from `start` up to `end`, zeros included."""
        cells, *tally = self.between(start, end)
        counts, sums = np.zeros(end - start, np.int64), np.zeros(end - start)
        counts[cells], sums[cells] = tally
        return counts, sums

    def between(self, start: int, end: int) -> tuple[CellArray, CountArray, FloatArray]:
        """Return the occupied ones of the flat cells from `start` up to `end`, counted from there."""
        # Of another type, all cells would be converted first.
        occupied = slice(*self.cells.searchsorted(np.array([start, end], np.int32)))
        return self.cells[occupied] - start, self.counts[occupied], self.sums[occupied]

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {
            "fingerprint": self.fingerprint,
            "limit": self.limit,
            # From cell to cell it is seldom far, so that the steps take a quarter of what the cells would.
            "steps": np.diff(self.cells, prepend=np.int32(0)),
            "counts": self.counts,
            "sums": self.sums,
            "unseen": {name: [u.named, u.rest] for name, u in self.unseen.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the distribution that `to_state` described."""
        unseen = {name: Unseen(named, rest) for name, (named, rest) in state["unseen"].items()}
        tally = np.cumsum(state["steps"]), state["counts"], state["sums"]
        return cls.of(state["fingerprint"], state["limit"], tally, unseen)


def _added(parts: Sequence[Distribution]) -> Tally:
    """Add the parts cell by cell."""
    size = max((int(part.cells[-1]) + 1 for part in parts if len(part.cells)), default=0)
    # To add in place takes less time than to sort from about a fifth as many on, and no more memory from half as many.
    share = 5 if size <= _SMALL_SIZE else 2
    return _added_densely(parts, size) if share * sum(len(part.cells) for part in parts) > size else _merged(parts)


def _added_densely(parts: Sequence[Distribution], size: int) -> Tally:
    """Add parts whose cells are below `size`, at least one, in memory and time for all of these.

    It goes in steps, because within each numpy lets no other thread run.
    """
    counts, sums = np.zeros(size, np.int64), np.zeros(size)
    for part in parts:
        for start in range(0, len(part.cells), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            # Twice as fast as `counts[cells] += …`; of other types, numpy takes ten times as long.
            occupied = part.cells[some].astype(np.intp)
            np.add.at(counts, occupied, part.counts[some].astype(np.int64))
            # Arrays from another process bring a type object of their own, which numpy does not take for its floats.
            np.add.at(sums, occupied, part.sums[some].view(np.float64))
    cells, found = np.empty(size, np.int64), 0
    for start in range(0, size, _AT_ONCE):
        occupied = np.flatnonzero(counts[start : start + _AT_ONCE] != 0)
        np.add(occupied, start, out=cells[found : found + len(occupied)])
        found += len(occupied)
    cells = cells[:found]
    return cells, counts[cells], sums[cells]


def _merged(parts: Sequence[Distribution]) -> Tally:
    """Add parts in memory and time for the cells that they occupy."""
    cells, counts, sums = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("cells", "counts", "sums")
    )
    # This sort finds the parts, which are in order already, and only merges them.
    order = np.argsort(cells, kind="stable")
    ordered = cells.take(order, mode=UNCHECKED)
    again = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    is_first = np.ones(len(order), np.bool_)
    is_first[again] = False
    first, others = order[is_first], order[again]
    # A cell that has come again belongs to the last first one before it; all others before it have come again too.
    at = again - np.arange(1, len(again) + 1)
    counted, summed = counts.take(first, mode=UNCHECKED).astype(np.int64), sums.take(first, mode=UNCHECKED)
    # Of another type, numpy takes ten times as long.
    np.add.at(counted, at, counts[others].astype(np.int64))
    np.add.at(summed, at, sums[others])
    return ordered[is_first], counted, summed


def _summed(cells: IntArray, values: FloatArray) -> Tally:
    """Return the distinct cells, how often each occurs, and the sums of its values."""
    if not len(cells):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    order, cells = _in_order(cells)
    starts = np.concatenate([[0], np.flatnonzero(cells[1:] != cells[:-1]) + 1])
    # A huge outlier overflows a sum; the snapshot leaves infinities out.
    with np.errstate(over="ignore"):
        sums: FloatArray = np.add.reduceat(values[order], starts)
    return cells[starts], np.diff(starts, append=len(cells)), sums


def _in_order(cells: IntArray) -> tuple[IntArray, IntArray]:
    """Return the places of cells (n,) in ascending order, and these cells; at least one."""
    bits = len(cells).bit_length()
    if int(cells.max()) >> (63 - bits):
        order = np.argsort(cells)
        return order, cells[order]
    # With their places behind them, cells are sorted in a third of the time that it takes to find their order.
    both = cells << bits
    both |= np.arange(len(cells))
    both.sort()
    return both & ((1 << bits) - 1), both >> bits


def _located(
    grid: CategoryGrid, text: TextArray, group: IntArray
) -> tuple[IntArray, IntArray, dict[int, dict[str, int]]]:
    """Return cell and group of each text that has a cell, and in each group how often the other names occur."""
    encoded = text.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = encoded.indices.drop_null().to_numpy().astype(np.int64)
    members = group[encoded.is_valid().to_numpy(zero_copy_only=False)]
    cells = np.array([grid.positions.get(name, -1) for name in names], np.int64)[codes]
    stranger = cells < 0
    return cells[~stranger], members[~stranger], _counted(names, codes[stranger], members[stranger])


def _counted(names: Sequence[str], codes: IntArray, group: IntArray) -> dict[int, dict[str, int]]:
    """Return how often each name, by its position, occurs in each group."""
    found: dict[int, dict[str, int]] = {}
    pairs, counts = np.unique(group * max(len(names), 1) + codes, return_counts=True)
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        at, code = divmod(pair, len(names))
        found.setdefault(at, {})[names[code]] = count
    return found


def _shifted(tally: Tally, offset: int) -> Tally:
    cells, counts, sums = tally
    return cells + offset, counts, sums


def _tally_categories(grid: CategoryGrid, text: TextArray, limit: int) -> tuple[Tally, Unseen]:
    """Count categories on their cells, and by name those that have none."""
    counted = text.drop_null().value_counts()
    names, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    positions = grid.positions
    dense = np.zeros(grid.cells, np.int64)
    strangers: dict[str, int] = {}
    for name, count in zip(names, counts, strict=True):
        if name in positions:
            dense[positions[name]] += count
        else:
            strangers[name] = count
    cells = np.flatnonzero(dense)
    return (cells, dense[cells], np.zeros(len(cells))), Unseen.combine([Unseen(strangers)], limit=limit)

"""Counts of a model's columns on the cells of its layout: all that drift is computed from.

Only occupied cells are kept, as parallel arrays sorted by flat cell, so a pane costs at most 24 bytes per value folded
and at most that per cell of the grid, whatever the traffic. Beside its count, a cell keeps the sum of its values: with
it the Wasserstein distance does not depend on where inside a cell the values lie.

Categories the reference never had are counted by name. Of each column the `limit` alphabetically first names are
kept and the rest are counted together; since a name among the first of the whole is among the first of every part,
the kept counts are exact in any order of combination.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.columns import Columns, FloatArray, IntArray, TextArray, ValueArray
from driftgauge.grid import OUTPUT, CategoryGrid, Layout, NumericGrid, cell_sums

_MISSING: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Rows placed on a layout once, so that several panes can be folded from them.

    cells: (t, n) flat cell of each of the layout's `t` columns, -1 where missing or unseen.
    values: (t, n) the number itself; 0 where there is none.
    unseen: column -> (n,) text, null except where the category is one the reference never had.
    """

    cells: IntArray
    values: FloatArray
    unseen: Mapping[str, TextArray]

    def take(self, rows: IntArray) -> "Coded":
        """Return the chosen rows."""
        return Coded(
            self.cells[:, rows], self.values[:, rows], {name: text.take(rows) for name, text in self.unseen.items()}
        )


def encode(layout: Layout, columns: Columns) -> Coded:
    """Place every row on the layout; a column the batch does not have is missing in every row."""
    cells = np.full((len(layout.grids), len(columns)), _MISSING, dtype=np.int64)
    values = np.zeros((len(layout.grids), len(columns)))
    unseen: dict[str, TextArray] = {}
    for track, (name, grid) in enumerate(layout.grids.items()):
        offset = layout.offsets[name]
        if isinstance(grid, NumericGrid):
            numbers = output_numbers(columns) if name == OUTPUT else columns.numbers.get(name)
            if numbers is not None:
                present = np.flatnonzero(np.isfinite(numbers))
                cells[track, present] = grid.locate(numbers[present]) + offset
                values[track, present] = numbers[present]
        else:
            text = columns.predicted if name == OUTPUT else columns.categories.get(name)
            if text is not None:
                cells[track], strangers = _locate_categories(grid, text, offset)
                if strangers is not None:
                    unseen[name] = strangers
    return Coded(cells, values, unseen)


def output_numbers(columns: Columns) -> FloatArray | None:
    """Return the model's output as numbers (n,): the score, or a regression's prediction; None for bare classes."""
    if pa.types.is_floating(columns.predicted.type):
        return as_floats(columns.predicted)
    return columns.score if np.isfinite(columns.score).any() else None


def as_floats(values: ValueArray) -> FloatArray:
    """Return an Arrow column of doubles as numpy (n,), NaN where null."""
    floats: FloatArray = values.to_numpy(zero_copy_only=False)
    return floats


def _locate_categories(grid: CategoryGrid, text: TextArray, offset: int) -> tuple[IntArray, TextArray | None]:
    encoded = text.dictionary_encode()
    positions = grid.positions()
    # One more entry, so that index -1 (missing) reads it.
    by_code = np.array([positions.get(c, -2) for c in encoded.dictionary.to_pylist()] + [-1], dtype=np.int64)
    found = by_code[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    strangers = found == -2
    cells = np.where(found >= 0, found + offset, _MISSING)
    return cells, pc.if_else(pa.array(strangers), text, pa.scalar(None, text.type)) if strangers.any() else None


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
    cells: IntArray
    counts: IntArray
    sums: FloatArray
    unseen: Mapping[str, Unseen]

    @classmethod
    def empty(cls, layout: Layout, *, limit: int) -> Self:
        """Return the identity of `combine` for this layout."""
        nothing = np.zeros(0, np.int64)
        return cls(layout.fingerprint, limit, nothing, nothing, np.zeros(0), {})

    @classmethod
    def fold(cls, layout: Layout, coded: Coded, *, limit: int) -> Self:
        """Count rows that `encode` placed on this layout."""
        taken = coded.cells != _MISSING
        flat, values = coded.cells[taken], coded.values[taken]
        if len(flat) * 4 < layout.cells:
            cells, position = np.unique(flat, return_inverse=True)
            counts, sums = np.bincount(position), cell_sums(position, values, len(cells))
        else:
            dense = np.bincount(flat, minlength=layout.cells)
            cells = np.flatnonzero(dense)
            counts, sums = dense[cells], cell_sums(flat, values, layout.cells)[cells]
        unseen = {name: _count_names(text, limit) for name, text in coded.unseen.items()}
        return cls(layout.fingerprint, limit, cells, counts, sums, {n: u for n, u in unseen.items() if u.total})

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add the counts of at least one distribution; refuses different layouts."""
        grids = {(part.fingerprint, part.limit) for part in parts}
        if len(grids) != 1:
            raise ValueError(f"cannot combine distributions on different (layout, limit): {sorted(grids)}")
        first = parts[0]
        if len(parts) == 1:
            return first
        cells, counts, sums = _added(parts)
        names = sorted({name for part in parts for name in part.unseen})
        unseen = {
            name: Unseen.combine([p.unseen[name] for p in parts if name in p.unseen], limit=first.limit)
            for name in names
        }
        return cls(first.fingerprint, first.limit, cells, counts, sums, unseen)

    def dense(self, layout: Layout) -> tuple[IntArray, FloatArray]:
        """Return counts and sums of all cells of the layout, zeros included."""
        counts, sums = np.zeros(layout.cells, np.int64), np.zeros(layout.cells)
        counts[self.cells], sums[self.cells] = self.counts, self.sums
        return counts, sums

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {
            "fingerprint": self.fingerprint,
            "limit": self.limit,
            "cells": self.cells.astype(np.int32),
            "counts": self.counts,
            "sums": self.sums,
            "unseen": {name: [u.named, u.rest] for name, u in self.unseen.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the distribution that `to_state` described."""
        unseen = {name: Unseen(named, rest) for name, (named, rest) in state["unseen"].items()}
        return cls(**(state | {"unseen": unseen, "cells": state["cells"].astype(np.int64)}))


def _added(parts: Sequence[Distribution]) -> tuple[IntArray, IntArray, FloatArray]:
    """Add the parts cell by cell; densely unless they occupy little of the index space, where sorting is cheaper."""
    size = max((int(part.cells[-1]) + 1 for part in parts if len(part.cells)), default=0)
    if sum(len(part.cells) for part in parts) * 4 < size:
        cells, position = np.unique(np.concatenate([part.cells for part in parts]), return_inverse=True)
        counts = np.zeros(len(cells), np.int64)
        np.add.at(counts, position, np.concatenate([part.counts for part in parts]))
        return cells, counts, cell_sums(position, np.concatenate([part.sums for part in parts]), len(cells))
    dense, totals = np.zeros(size, np.int64), np.zeros(size)
    for part in parts:
        dense[part.cells] += part.counts
        totals[part.cells] += part.sums
    cells = np.flatnonzero(dense)
    return cells, dense[cells], totals[cells]


def _count_names(text: TextArray, limit: int) -> Unseen:
    counted = text.drop_null().value_counts()
    names = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return Unseen.combine([Unseen(dict(names))], limit=limit)

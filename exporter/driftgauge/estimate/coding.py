"""One byte per feature of a row: its bin among those of the reference that drift is measured on, or its category.

Labels come late, and the features of their predictions are not kept. These bytes are, so that what is computed of
labelled rows can still ask which slice of the inputs a row was in. Codes of another reference mean something else: rows
that have such codes count as rows of which nothing is known.

A number's code is its PSI bin, counted from 0. A category's code is its place among the reference's largest, and one
more for all others. `MISSING` stands for a missing value. Where the reference has strata (`strata`), one more byte says
in which of them a row is, which is decided by the features themselves and by the prediction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.aggregates.distribution import as_floats
from driftgauge.columns import BoolArray, CodeArray, Codes, Columns, FloatArray, TextArray
from driftgauge.estimate.tree import SingleArray, Tree, single
from driftgauge.grid import DOUBLE, CategoryGrid, in_precision
from driftgauge.reference import NumericProfile, Reference

MISSING: Final = 255
# Of a categorical feature this many have a code of their own.
MOST_CATEGORIES: Final = 10
# Where a reference that is a slice of another one has the coding of that: among what was learned.
LEARNED: Final = "coding"
# Where the tree is that divides rows into strata: in what was learned under this name, as `tree`.
STRATA: Final = "strata"
# Digits of a bin's ends in its name; more where these would not tell two ends apart.
_DIGITS: Final = 4
_MOST_DIGITS: Final = 17


@dataclass(frozen=True, slots=True, eq=False)
class NumericCodes:
    """Bins of a numeric feature: (edge, edge] between ascending `edges` (b - 1,), the outer ones open.

    bits: of the floats that the reference has.
    """

    name: str
    edges: FloatArray
    bits: int = DOUBLE

    @property
    def count(self) -> int:
        """How many codes there are, beside `MISSING`."""
        return len(self.edges) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """What each code means, for people."""
        ends = _written(self.edges)
        if not ends:
            return (self.name,)
        between = (f"{self.name} {low} to {high}" for low, high in pairwise(ends))
        return (f"{self.name} up to {ends[0]}", *between, f"{self.name} above {ends[-1]}")

    def of(self, values: FloatArray, bits: int) -> CodeArray:
        """Return the code of each value (n,), which were written with floats of `bits` bits."""
        fewer = min(bits, self.bits)
        edges = self.edges if bits >= self.bits else in_precision(self.edges, bits)
        found = edges.searchsorted(in_precision(values, fewer)).astype(np.uint8)
        found[~np.isfinite(values)] = MISSING
        return found


@dataclass(frozen=True, slots=True, eq=False)
class CategoryCodes:
    """The largest `categories` of a categorical feature, the largest first."""

    name: str
    categories: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many codes there are, beside `MISSING`."""
        return len(self.categories) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """What each code means, for people."""
        return (*(f"{self.name} = {category}" for category in self.categories), f"{self.name}: others")

    def of(self, text: TextArray) -> CodeArray:
        """Return the code of each text (n,)."""
        encoded = text.dictionary_encode()
        positions = {category: code for code, category in enumerate(self.categories)}
        others = len(self.categories)
        codes = [*(positions.get(name, others) for name in encoded.dictionary.to_pylist()), MISSING]
        at = pc.fill_null(encoded.indices, len(codes) - 1).to_numpy(zero_copy_only=False)
        found: CodeArray = np.array(codes, np.uint8)[at]
        return found


Column = NumericCodes | CategoryCodes


@dataclass(frozen=True, eq=False)
class Coding:
    """How the features of one reference are coded: d `columns`, in the reference's order.

    tree: of strata, over these columns and the prediction; None where there are none.
    """

    columns: tuple[Column, ...]
    tree: Tree | None = None

    @classmethod
    def of(cls, reference: Reference) -> Self:
        """Return the coding of a whole reference, of all features that every batch should have."""
        tree = reference.learned.get(STRATA, {}).get("tree")
        columns = tuple(_column(name, reference) for name in reference.features)
        return cls(columns, tree and Tree.from_state(tree))

    @property
    def width(self) -> int:
        """How many bytes are kept of a row."""
        return len(self.columns) + (self.tree is not None)

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest: codes of equal ones mean the same."""
        digest = blake2b(digest_size=8)
        for column in self.columns:
            digest.update(f"{type(column).__name__}:{column.name!r}:".encode())
            if isinstance(column, NumericCodes):
                digest.update(f"{column.bits}:".encode() + column.edges.astype("<f8").tobytes())
            else:
                digest.update(repr(column.categories).encode())
        if self.tree is not None:
            digest.update(self.tree.fingerprint.encode())
        return digest.hexdigest()

    def known(self, rows: Columns) -> BoolArray:
        """Return of which rows (n,) the codes are known: all whose features are at hand, and what this coding kept."""
        if rows.codes is None:
            return np.ones(len(rows), np.bool_)
        is_ours = pc.and_(
            pc.equal(rows.codes.coding, self.fingerprint),
            pc.equal(pc.binary_length(rows.codes.values), self.width),
        )
        return np.asarray(pc.fill_null(is_ours, fill_value=False).to_numpy(zero_copy_only=False))

    def codes(self, rows: Columns) -> CodeArray:
        """Return the codes (n, d) of rows, of which those that are not `known` have nothing but `MISSING`."""
        if rows.codes is not None:
            return self._stored(rows)[:, : len(self.columns)]
        found = np.full((len(rows), len(self.columns)), MISSING, np.uint8)
        for at, column in enumerate(self.columns):
            if isinstance(column, NumericCodes) and column.name in rows.numbers:
                bits = rows.facts.precision.get(column.name, DOUBLE)
                found[:, at] = column.of(rows.numbers[column.name], bits)
            elif isinstance(column, CategoryCodes) and column.name in rows.categories:
                found[:, at] = column.of(rows.categories[column.name])
        return found

    def strata(self, rows: Columns) -> CodeArray:
        """Return the leaf of the tree that each row (n,) is in, `MISSING` where that is not known.

        Where rows have no column of a name that the tree asks for, nothing is known: that is no missing value.
        """
        if self.tree is None:
            raise ValueError("this coding has no strata")
        if rows.codes is not None:
            return self._stored(rows)[:, -1]
        asked = [self.columns[at].name for at in self.tree.columns if at < len(self.columns)]
        if not {*rows.numbers, *rows.categories}.issuperset(asked):
            return np.full(len(rows), MISSING, np.uint8)
        return self.tree.apply(self.inputs(rows), len(rows)).astype(np.uint8)

    def inputs(self, rows: Columns) -> list[SingleArray]:
        """Return what the tree divides rows (n,) by: numbers as they are, categories by code, and the prediction.

        Columns that a tree does not ask for are empty.
        """
        wanted = range(len(self.columns) + 1) if self.tree is None else self.tree.columns
        found = [np.zeros(0, np.float32)] * (len(self.columns) + 1)
        for at in wanted:
            column = self.columns[at] if at < len(self.columns) else None
            if column is None:
                found[at] = single(as_floats(rows.predicted))
            elif isinstance(column, NumericCodes):
                found[at] = single(rows.numbers.get(column.name, np.full(len(rows), np.nan)))
            elif column.name in rows.categories:
                codes = column.of(rows.categories[column.name]).astype(np.float32)
                found[at] = np.where(codes == MISSING, np.float32(np.nan), codes)
            else:
                found[at] = np.full(len(rows), np.nan, np.float32)
        return found

    def kept(self, rows: Columns) -> Codes:
        """Return what is to be kept of rows whose features are at hand: `width` bytes of each."""
        found = self.codes(rows)
        if self.tree is not None:
            found = np.column_stack([found, self.strata(rows)])
        ends = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(self.width)
        flat = np.ascontiguousarray(found).reshape(-1)
        values = pa.BinaryArray.from_buffers(pa.binary(), len(rows), [None, pa.py_buffer(ends), pa.py_buffer(flat)])
        return Codes(pa.repeat(pa.scalar(self.fingerprint), len(rows)), values)

    def _stored(self, rows: Columns) -> CodeArray:
        """Return the bytes (n, width) of rows that come back, `MISSING` where they are not `known`."""
        found = np.full((len(rows), self.width), MISSING, np.uint8)
        if rows.codes is not None:
            known = self.known(rows)
            found[known] = _bytes_of(rows.codes.values.filter(pa.array(known)), self.width)
        return found

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {
            "columns": [
                {"name": column.name, "edges": column.edges, "bits": column.bits}
                if isinstance(column, NumericCodes)
                else {"name": column.name, "categories": column.categories}
                for column in self.columns
            ],
            "tree": self.tree and self.tree.to_state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the coding that `to_state` described."""
        columns = tuple(
            NumericCodes(column["name"], column["edges"], column["bits"])
            if "edges" in column
            else CategoryCodes(column["name"], tuple(column["categories"]))
            for column in state["columns"]
        )
        return cls(columns, state["tree"] and Tree.from_state(state["tree"]))


def coding_of(reference: Reference) -> Coding:
    """Return how the rows are coded that are compared with a reference.

    The slice of a reference for a segment has the coding of the whole, since a row is coded once, whatever segments it
    is in.
    """
    learned = reference.learned.get(LEARNED)
    return Coding.of(reference) if learned is None else Coding.from_state(learned)


def nothing_kept(rows: int) -> Codes:
    """Return the codes of rows of which nothing is kept."""
    return Codes(pa.nulls(rows, pa.string()), pa.nulls(rows, pa.binary()))


def _column(name: str, reference: Reference) -> Column:
    grid, profile = reference.layout.grids[name], reference.profiles[name]
    if isinstance(grid, CategoryGrid):
        return CategoryCodes(name, grid.categories[:MOST_CATEGORIES])
    # A point's cell is 2 i + 1.
    ends = profile.bin_ends if isinstance(profile, NumericProfile) else np.zeros(0, np.int64)
    return NumericCodes(name, grid.points[(ends - 1) // 2], grid.bits)


def _bytes_of(values: Any, width: int) -> CodeArray:
    """Return texts of bytes (n,), each `width` long, as an array (n, width)."""
    ends = np.frombuffer(values.buffers()[1], np.int32)[values.offset :][: len(values) + 1]
    if not len(values) or not width:
        return np.empty((len(values), width), np.uint8)
    flat = np.frombuffer(values.buffers()[2], np.uint8)[ends[0] : ends[-1]]
    return flat.reshape(len(values), width)


def _written(numbers: Iterable[float]) -> list[str]:
    """Return ascending numbers as short as tells them apart."""
    values: Sequence[float] = list(numbers)
    for digits in range(_DIGITS, _MOST_DIGITS):
        found = [f"{value:.{digits}g}" for value in values]
        if len(set(found)) == len(found):
            return found
    return [repr(float(value)) for value in values]

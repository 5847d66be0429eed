"""The row matrix: the features of rows as numbers that can be added, multiplied and measured together.

A number is standardised by the reference's mean and standard deviation. A category becomes a number in two ways:
by its *share* of the reference's rows, as NannyML has it (`CountEncoder(normalize=True)`), for components; and by the
*midrank* of its cell among the reference's rows, the most frequent first, where categories of like size must not
become one. Both are standardised too, over all reference rows as they are encoded, the missing ones included.

A missing number is the mean. A missing category is the most frequent one among shares, as NannyML imputes it, and the
mean among midranks. A category that the reference never had has the share 0 and ranks behind all others. Columns that
are the same in all reference rows are left out. Everything follows from the compiled reference.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from driftgauge.columns import Columns, FloatArray, IntArray, TextArray
from driftgauge.grid import CategoryGrid
from driftgauge.reference import CategoryProfile, NumericProfile, Reference

# More features are not looked at together: what it takes grows with their square.
MOST_FEATURES: Final = 500
# A larger reference is represented by rows at even distances, with this many values in all: 134 MB.
MOST_VALUES: Final = 2**24
# Rows at a time: as many as stay in the processor's cache, but not so few that beginning takes longer than the work.
_BLOCK: Final = 16_384
_SMALL_BLOCK: Final = 4_096
_CACHED: Final = 2**19
# Standardised values of one category that cannot be told from rounding.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Block:
    """Some of the rows that are folded, in memory that the next block takes over.

    shares: (a, m) float64, the columns of `RowMatrix.share_names`. ranks: (b, m) those of `rank_names`.
    start: where its rows begin. first: the group of its first row. starts: (g,) where this group and each one that
    begins in the block begins, from the block's first row on.
    """

    shares: FloatArray
    ranks: FloatArray
    start: int
    first: int
    starts: IntArray

    @property
    def rows(self) -> slice:
        """Where its rows are among all that are folded."""
        return slice(self.start, self.start + self.ranks.shape[1])

    def add_to(self, sums: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
        """Add values (k, m) to the sums (k, p) of the p groups."""
        if len(self.starts) == 1:
            # Twice as fast.
            sums[:, self.first] += np.einsum("ij->i", values, dtype=sums.dtype)
            return
        found = np.add.reduceat(values, self.starts, axis=1, dtype=sums.dtype)
        sums[:, self.first : self.first + len(self.starts)] += found


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A categorical feature. shares, ranks: (cells + 1,) what stands for each cell, and last for what has none.

    missing: what stands among shares for a missing value; among ranks it is 0.
    """

    name: str
    grid: CategoryGrid
    shares: FloatArray
    ranks: FloatArray
    missing: float

    def cells(self, text: TextArray) -> IntArray:
        """Return the cell of each text (n,); after the last one that of the unseen, and of the missing."""
        encoded = text.dictionary_encode()
        unseen = self.grid.cells
        known = self.grid.positions
        cells = [known.get(name, unseen) for name in encoded.dictionary.to_pylist()]
        codes = encoded.indices.fill_null(len(cells)).to_numpy(zero_copy_only=False)
        found: IntArray = np.array([*cells, unseen + 1], np.int64)[codes]
        return found


@dataclass(frozen=True, eq=False)
class RowMatrix:
    """How rows become numbers. names: the numeric features, with their means and deviations (p,).

    categories: those that vary. uneven: (c,) which of these have shares that differ, and so a column of shares.
    """

    names: tuple[str, ...]
    means: FloatArray
    deviations: FloatArray
    categories: tuple[Category, ...]
    uneven: tuple[bool, ...]

    @classmethod
    def of(cls, reference: Reference) -> Self:
        """Return that of the reference's features that vary."""
        profiles = {name: reference.profiles[name] for name in reference.features}
        scaled = [(name, *_scale(profile)) for name, profile in profiles.items() if isinstance(profile, NumericProfile)]
        varying = [(name, mean, deviation) for name, mean, deviation in scaled if np.isfinite(mean) and deviation > 0]
        categories = [
            _category(name, reference.layout.grids[name], profile)
            for name, profile in profiles.items()
            if isinstance(profile, CategoryProfile)
        ]
        kept = tuple(category for category in categories if category is not None)
        return cls(
            names=tuple(name for name, _, _ in varying),
            means=np.array([mean for _, mean, _ in varying], np.float64),
            deviations=np.array([deviation for _, _, deviation in varying], np.float64),
            categories=kept,
            uneven=tuple(bool(category.shares.any()) for category in kept),
        )

    @property
    def share_names(self) -> tuple[str, ...]:
        """The columns of `Block.shares`: categories, then numbers."""
        return (*(category.name for category in self._with_shares), *self.names)

    @property
    def rank_names(self) -> tuple[str, ...]:
        """The columns of `Block.ranks`: numbers, then categories."""
        return (*self.names, *(category.name for category in self.categories))

    @cached_property
    def fingerprint(self) -> str:
        """Equal where the same rows become the same numbers."""
        digest = blake2b(repr((self.share_names, self.rank_names)).encode(), digest_size=16)
        for array in (self.means, self.deviations):
            digest.update(array.astype("<f8").tobytes())
        for category in self.categories:
            digest.update(repr((category.grid.categories, sorted(category.grid.others))).encode())
            values = np.concatenate([category.shares, category.ranks, [category.missing]])
            digest.update(values.astype("<f8").tobytes())
        return digest.hexdigest()

    def blocks(self, rows: Columns, ends: IntArray) -> Iterator[Block]:
        """Yield the rows, in groups that follow each other and end at `ends` (p,), block by block."""
        ahead, behind = len(self._with_shares), len(self.categories)
        height = ahead + len(self.names) + behind
        if not len(rows) or not height:
            return
        step = min(len(rows), max(_SMALL_BLOCK, min(_BLOCK, _CACHED // height)))
        memory = np.empty((height, step))
        for start in range(0, len(rows), step):
            stop = min(start + step, len(rows))
            some = memory[:, : stop - start]
            self._standardise(rows.numbers, slice(start, stop), some[ahead : height - behind])
            self._encode(rows.categories, slice(start, stop), some)
            first, last = ends.searchsorted([start, stop - 1], side="right").tolist()
            starts = np.concatenate([[0], ends[first:last] - start])
            yield Block(some[: height - behind], some[ahead:], start, first, starts)

    def sampled_shares(self, chunks: Sequence[Columns]) -> FloatArray:
        """Return `Block.shares` of reference rows, all or some at even distances, in their order."""
        return self._sampled(chunks, len(self.share_names), attrgetter("shares"))

    def sampled_ranks(self, chunks: Sequence[Columns]) -> FloatArray:
        """Return `Block.ranks` of the same rows."""
        return self._sampled(chunks, len(self.rank_names), attrgetter("ranks"))

    def _sampled(self, chunks: Sequence[Columns], height: int, of: Callable[[Block], FloatArray]) -> FloatArray:
        rows, values = sum(map(len, chunks)), len(self._with_shares) + len(self.rank_names)
        step = max(1, -(-rows * values // MOST_VALUES))
        found, before, done = np.empty((height, -(-rows // step))), 0, 0
        for chunk in chunks:
            chosen = chunk.take(np.arange(-before % step, len(chunk), step)) if step > 1 else chunk
            for block in self.blocks(chosen, np.array([len(chosen)])):
                found[:, done + block.rows.start : done + block.rows.stop] = of(block)
            before += len(chunk)
            done += len(chosen)
        return found

    @cached_property
    def _with_shares(self) -> tuple[Category, ...]:
        return tuple(category for category, uneven in zip(self.categories, self.uneven, strict=True) if uneven)

    def _standardise(self, numbers: Mapping[str, FloatArray], rows: slice, found: FloatArray) -> None:
        """Fill `found` (p, m) with the numeric columns, 0 where missing."""
        for at, name in enumerate(self.names):
            if name not in numbers:
                found[at] = 0.0
                continue
            values = numbers[name][rows]
            # Values near the largest double overflow: infinitely far out.
            with np.errstate(over="ignore", invalid="ignore"):
                np.subtract(values, self.means[at], out=found[at])
                found[at] /= self.deviations[at]
            finite = np.isfinite(values)
            if not finite.all():
                found[at, ~finite] = 0.0

    def _encode(self, texts: Mapping[str, TextArray], rows: slice, found: FloatArray) -> None:
        """Fill the first rows of `found` with shares and the last with midranks."""
        shares, ranks = iter(found[: len(self._with_shares)]), iter(found[len(found) - len(self.categories) :])
        for category, uneven in zip(self.categories, self.uneven, strict=True):
            cells = category.cells(texts[category.name][rows]) if category.name in texts else None
            columns = [(ranks, category.ranks, 0.0)] + [(shares, category.shares, category.missing)] * uneven
            for column, values, missing in columns:
                into = next(column)
                into[:] = missing if cells is None else np.append(values, missing)[cells]


def too_few(reference: Reference, columns: int, *, rows: int, per_column: int) -> str:
    """Return why a reference does not do for looking at so many of its columns together, "" if it does.

    rows: how many it needs in any case; per_column: and for each column.
    """
    if columns < 2:
        return f"needs 2 features that vary in the reference, but has {columns}"
    if columns > MOST_FEATURES:
        return f"looks at up to {MOST_FEATURES} features together, but the reference has {columns}"
    needed = max(rows, per_column * columns)
    if reference.rows < needed:
        return f"needs {needed} reference rows for {columns} features, but has {reference.rows}"
    return ""


def digest_of(*parts: "np.ndarray[Any, Any] | str") -> str:
    """Return a hex digest of arrays of numbers, and texts."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part.astype("<f8").tobytes())
    return digest.hexdigest()


def halves(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return every other row of columns (d, n): what is fitted on one half is tried on the other."""
    return columns[:, ::2], columns[:, 1::2]


def _scale(profile: NumericProfile) -> tuple[float, float]:
    """Return the mean, and the standard deviation with the missing values at the mean; 0 where that is no number."""
    if profile.constant or not np.isfinite(profile.stddev):
        return profile.mean, 0.0
    return profile.mean, profile.stddev * float(np.sqrt(profile.rows / (profile.rows + profile.missing)))


def _category(name: str, grid: Any, profile: CategoryProfile) -> Category | None:
    """Return what stands for the cells of a column, None if all rows are in one."""
    counts = profile.counts.astype(np.float64)
    if np.count_nonzero(counts) < 2:
        return None
    rows = profile.rows + profile.missing
    imputed = counts.copy()
    imputed[0] += profile.missing
    # Of names that share a cell only the mean share is known.
    shares = imputed / rows
    shares[-1] /= max(1, len(grid.others))
    ends = np.cumsum(counts)
    ranks = (ends - counts / 2) / profile.rows
    return Category(
        name,
        grid,
        _standardised(np.append(shares, 0.0), imputed / rows),
        _standardised(np.append(ranks, 1.0), counts / rows),
        missing=_standardised(np.append(shares, 0.0), imputed / rows)[0],
    )


def _standardised(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return values (k + 1,), of which the first k have these weights (k,), as deviations from their mean.

    What the weights lack to 1 is at the mean. All are 0 if the values are the same.
    """
    inside = values[:-1]
    mean = float(weights @ inside / weights.sum())
    deviation = float(np.sqrt(weights @ np.square(inside - mean)))
    return (values - mean) / deviation if deviation > _ROUNDING else np.zeros_like(values)

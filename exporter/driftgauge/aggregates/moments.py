"""Count, mean and sum of squared deviations per named column, merged by Chan's formula.

Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979): unlike
plain sums of squares it does not cancel when the mean is large against the spread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from driftgauge.columns import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Moment:
    """`count` numbers, their `mean`, and `m2`, the sum of squared deviations from it; `others` are no numbers."""

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0
    others: int = 0

    @classmethod
    def fold(cls, values: FloatArray) -> Self:
        """Summarise finite values (n,)."""
        if not len(values):
            return cls()
        # An outlier near the largest double overflows the sum of squares; the snapshot leaves infinities out.
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            # Not a dot product: BLAS would wake its threads for each of thousands of small columns.
            return cls(len(values), mean, float(np.square(values - mean).sum()))

    def merge(self, other: Self) -> Self:
        """Return the summary of both samples together."""
        others = self.others + other.others
        if not self.count or not other.count:
            return replace(self if self.count else other, others=others)
        count = self.count + other.count
        delta = np.float64(other.mean) - self.mean
        with np.errstate(over="ignore", invalid="ignore"):
            mean = self.mean + delta * other.count / count
            m2 = self.m2 + other.m2 + delta * delta * self.count * other.count / count
        return type(self)(count, float(mean), float(m2), others)

    @property
    def present(self) -> int:
        """Values that are not missing, numbers or not."""
        return self.count + self.others

    @property
    def variance(self) -> float | None:
        """Population variance (ddof = 0); None without numbers."""
        return self.m2 / self.count if self.count else None


@dataclass(frozen=True, eq=False)
class Moments:
    """A `Moment` per column, as arrays (k,) in the order of `names`, which are sorted.

    rows: all that were folded, whichever columns they had; answered: those whose request did not fail; scored: those
    whose column of predictions showed that it holds scores.
    """

    names: tuple[str, ...] = ()
    counts: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    means: FloatArray = field(default_factory=lambda: np.zeros(0))
    m2: FloatArray = field(default_factory=lambda: np.zeros(0))
    others: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    rows: int = 0
    answered: int = 0
    scored: int = 0

    @classmethod
    def fold(cls, numbers: Mapping[str, FloatArray], others: Mapping[str, BoolArray], ends: IntArray) -> list[Self]:
        """Summarise columns separately for each group of rows, none of them empty unless there are no rows at all.

        Of `numbers` (n,) the finite ones count; `others` (n,) says which rows have something else in a column. ends:
        (p,) where each group ends and the next begins.
        """
        if not ends[-1]:
            return [cls() for _ in ends]
        names = tuple(sorted({*numbers, *others}))
        at = {name: column for column, name in enumerate(names)}
        shape = len(ends), len(names)
        sizes, starts = np.diff(ends, prepend=0), np.concatenate([[0], ends[:-1]])
        counts, (means, m2) = np.zeros(shape, np.int64), np.zeros((2, *shape))
        with np.errstate(over="ignore", invalid="ignore"):
            for name, values in numbers.items():
                column = at[name]
                finite = np.isfinite(values)
                is_whole = finite.all()
                count = sizes if is_whole else np.add.reduceat(finite, starts, dtype=np.int64)
                # What is not finite adds nothing, neither to the sum nor to the deviations.
                known = values if is_whole else np.where(finite, values, 0.0)
                mean = np.add.reduceat(known, starts) / np.maximum(count, 1)
                deviations = known - mean.repeat(sizes)
                if not is_whole:
                    deviations[~finite] = 0.0
                counts[:, column], means[:, column] = count, mean
                m2[:, column] = np.add.reduceat(np.square(deviations, out=deviations), starts)
        strange = np.zeros(shape, np.int64)
        for name, present in others.items():
            strange[:, at[name]] = np.add.reduceat(present, starts, dtype=np.int64)
        return [cls(names, *found) for found in zip(counts, means, m2, strange, strict=True)]

    @cached_property
    def columns(self) -> Mapping[str, Moment]:
        """The moments by name."""
        rows = zip(self.counts.tolist(), self.means.tolist(), self.m2.tolist(), self.others.tolist(), strict=True)
        return {name: Moment(*row) for name, row in zip(self.names, rows, strict=True)}

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Merge column by column; `combine([])` is the identity."""
        if len({part.names for part in parts}) > 1:
            names = tuple(sorted({name for part in parts for name in part.names}))
            parts = [part.named(names) for part in parts]
        if len(parts) < 2:
            return parts[0] if parts else cls()
        rows, answered = sum(part.rows for part in parts), sum(part.answered for part in parts)
        scored = sum(part.scored for part in parts)
        counts = np.stack([part.counts for part in parts])
        means = np.stack([part.means for part in parts])
        total = counts.sum(axis=0)
        # Chan's formula for many parts at once: weights instead of sums, so that large means do not overflow.
        with np.errstate(over="ignore", invalid="ignore"):
            mean = (means * (counts / np.maximum(total, 1))).sum(axis=0)
            between = (counts * np.square(means - mean)).sum(axis=0)
            m2 = np.stack([part.m2 for part in parts]).sum(axis=0) + between
        others = np.stack([part.others for part in parts]).sum(axis=0)
        return cls(parts[0].names, total, mean, m2, others, rows, answered, scored)

    def named(self, names: tuple[str, ...]) -> Self:
        """Return the same moments in the order of `names`, which has all of them."""
        columns = {name: column for column, name in enumerate(names)}
        at = [columns[name] for name in self.names]
        counts, others = np.zeros((2, len(names)), np.int64)
        means, m2 = np.zeros((2, len(names)))
        counts[at], means[at], m2[at], others[at] = self.counts, self.means, self.m2, self.others
        return type(self)(names, counts, means, m2, others, self.rows, self.answered, self.scored)

    def joined(self, column: str, other: str) -> Self:
        """Return the moments with the numbers of the `other` column in `column` as well, where they were no numbers."""
        if not {column, other} <= set(self.names):
            return self
        one, two = self.columns[column], self.columns[other]
        both, at = one.merge(two), self.names.index(column)
        counts, means, m2, others = self.counts.copy(), self.means.copy(), self.m2.copy(), self.others.copy()
        counts[at], means[at], m2[at], others[at] = both.count, both.mean, both.m2, one.others - two.count
        return replace(self, counts=counts, means=means, m2=m2, others=others)

    @property
    def size(self) -> int:
        """A few numbers per column are of no account."""
        return 0

    def to_state(self) -> dict[str, Any]:
        """Return the fields as `codec` takes them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the moments that `to_state` described."""
        return cls(**(state | {"names": tuple(state["names"])}))

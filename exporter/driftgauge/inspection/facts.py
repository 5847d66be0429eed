"""What is found in files, one or several of a role: values that add up."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import numpy as np

from driftgauge.batch.explanation import Use
from driftgauge.columns import FloatArray, Note
from driftgauge.schema import Kind

EXAMPLES: Final = 3
# Of the values of a column so many are kept to compare it with others.
SAMPLED: Final = 2_000
CATEGORIES: Final = 1_000
DISTINCT: Final = 51
_NEARLY_ALL: Final = 0.9
_MISFIT: Final = "another_shape"


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column: what it is taken for, of what kind it is, and how many of `rows` rows have a value in it.

    sample: some of its values as text.
    """

    use: Use
    kind: str
    rows: int
    present: int
    example: str
    sample: frozenset[str]

    def joined(self, other: Self) -> Self:
        """Return the same column of two blocks or files."""
        return replace(
            self,
            kind=other.kind if self.kind == "empty" else self.kind,
            rows=self.rows + other.rows,
            present=self.present + other.present,
            example=self.example or other.example,
            sample=_some({*self.sample, *other.sample}),
        )


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFacts:
    """A feature: the kinds that its values have by themselves, and some of them.

    numbers: (n,) finite. categories: how often each occurs.
    """

    shown: frozenset[Kind]
    numbers: FloatArray
    categories: Counter[str]

    def joined(self, other: Self) -> Self:
        """Return the same feature of two blocks or files."""
        return replace(
            self,
            shown=self.shown | other.shown,
            numbers=thinned(np.concatenate([self.numbers, other.numbers])),
            categories=Counter(dict((self.categories + other.categories).most_common(CATEGORIES))),
        )


@dataclass(frozen=True, slots=True)
class OutcomeFacts:
    """What the column of predictions, scores or labels holds: how many numbers and other values, and some of each.

    classes: distinct values that are no fractions. low, high: the range of the numbers.
    """

    numbers: int
    others: int
    fractions: int
    low: float
    high: float
    classes: frozenset[str]

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers, but for a few mistakes."""
        return self.numbers > _NEARLY_ALL * (self.numbers + self.others)

    @property
    def is_whole(self) -> bool:
        """Whether none of its numbers is a fraction."""
        return not self.fractions

    def joined(self, other: Self) -> Self:
        """Return the facts of two blocks or files."""
        return replace(
            self,
            numbers=self.numbers + other.numbers,
            others=self.others + other.others,
            fractions=self.fractions + other.fractions,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            classes=frozenset(sorted(self.classes | other.classes)[:DISTINCT]),
        )


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """The number of a row in its file, from 1, and what it has in the columns that tell."""

    file: str
    row: int
    shown: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """How many rows were rejected for a reason, and some of them."""

    rows: int = 0
    examples: tuple[RejectedRow, ...] = ()

    def joined(self, other: Self) -> Self:
        """Return both."""
        return replace(self, rows=self.rows + other.rows, examples=(*self.examples, *other.examples)[:EXAMPLES])


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What was found in one file, or in several of one role.

    problems: by path, why a file could not be read, as (reason, text). chunks: times and keys of the usable rows.
    """

    files: int = 0
    rows: int = 0
    columns: Mapping[tuple[str, str], ColumnFacts] = field(default_factory=dict)
    features: Mapping[str, FeatureFacts] = field(default_factory=dict)
    outcomes: Mapping[str, OutcomeFacts] = field(default_factory=dict)
    rejected: Mapping[str, Rejected] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    classes: frozenset[str] = frozenset()
    problems: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    chunks: tuple[tuple[Any, Any], ...] = ()

    @property
    def is_misfit(self) -> bool:
        """Whether it is one file, of another shape."""
        return any(reason == _MISFIT for reason, _ in self.problems.values())

    @property
    def usable(self) -> int:
        """How many rows were not rejected."""
        return self.rows - sum(rejected.rows for rejected in self.rejected.values())

    @property
    def newest(self) -> int | None:
        """The latest time of a usable row, in µs since 1970."""
        return max((int(times.max()) for times, _ in self.chunks if len(times)), default=None)

    @property
    def oldest(self) -> int | None:
        """The earliest time of a usable row, in µs since 1970."""
        return min((int(times.min()) for times, _ in self.chunks if len(times)), default=None)

    def taken_for(self, role: str) -> list[ColumnFacts]:
        """Return the columns of a role."""
        return [column for column in self.columns.values() if column.use.role == role]

    @classmethod
    def combine(cls, parts: Sequence["Facts"]) -> "Facts":
        """Return the facts of all the files; of those that are of another shape only that, unless all are."""
        problems = {path: problem for part in parts for path, problem in part.problems.items()}
        files = sum(part.files for part in parts)
        parts = [part for part in parts if not part.is_misfit] or parts
        said = {(note.reason, note.column): note for part in reversed(parts) for note in part.notes}
        return Facts(
            files=files,
            rows=sum(part.rows for part in parts),
            columns=_joined(part.columns for part in parts),
            features=_joined(part.features for part in parts),
            outcomes=_joined(part.outcomes for part in parts),
            rejected=_joined(part.rejected for part in parts),
            notes=tuple(said.values()),
            classes=frozenset[str]().union(*(part.classes for part in parts)),
            problems=problems,
            chunks=tuple(chunk for part in parts for chunk in part.chunks),
        )


def _joined(parts: Iterable[Mapping[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for part in parts:
        for key, value in part.items():
            found[key] = found[key].joined(value) if key in found else value
    return found


def _some(texts: set[str]) -> frozenset[str]:
    return frozenset(texts if len(texts) <= SAMPLED else sorted(texts)[:SAMPLED])


def thinned(values: FloatArray) -> FloatArray:
    """Return at most about `SAMPLED` values, evenly chosen."""
    return values[:: max(1, len(values) // SAMPLED)]

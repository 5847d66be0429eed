"""One file, read as the exporter reads it, and what is worth saying of it: what a worker does.

Nothing is read a second time here: what is told is what `batch.decode` decided about each block.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch import decode
from driftgauge.batch.explanation import Block, Use, uses
from driftgauge.batch.reasons import CODES
from driftgauge.batch.rows import UNUSABLE_TEXT, is_unusable
from driftgauge.batch.shape import Role
from driftgauge.batch.values import class_text, first_present, loose_text, numbers, without_missing
from driftgauge.columns import FloatArray, Note
from driftgauge.config import ModelConfig
from driftgauge.errors import BatchError
from driftgauge.feed import Opener
from driftgauge.schema import UNKNOWN_VERSION, Kind

EXAMPLES: Final = 3
# Of the values of a column so many are kept to compare it with others.
_SAMPLED: Final = 2_000
_CATEGORIES: Final = 1_000
_DISTINCT: Final = 51
_NEARLY_ALL: Final = 0.9
_SHOWN: Final = 40
_OUTCOMES: Final = ("prediction", "score", "label")
_MISFIT: Final = "another_shape"
_LISTS: Final = "(a list, an object or bytes)"
# The roles whose values show why a row was rejected; for other reasons its first columns do.
_TELLING: Final[Mapping[str, tuple[str, ...]]] = {
    "bad_timestamp": ("timestamp",),
    "bad_prediction": ("prediction", "score"),
    "bad_label": ("label",),
}
_KINDS: Final = (
    (pa.types.is_boolean, "true/false"),
    (pa.types.is_integer, "whole numbers"),
    (pa.types.is_floating, "numbers"),
    (pa.types.is_timestamp, "times"),
    (pa.types.is_duration, "durations"),
    (pa.types.is_binary, "lists, objects"),
    (pa.types.is_null, "empty"),
)


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
            numbers=_thinned(np.concatenate([self.numbers, other.numbers])),
            categories=Counter(dict((self.categories + other.categories).most_common(_CATEGORIES))),
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
            classes=frozenset(sorted(self.classes | other.classes)[:_DISTINCT]),
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


@dataclass(frozen=True, slots=True)
class Job:
    """A file to look at; `most` chunks of it, None for all. time: µs since 1970, of rows without one."""

    opener: Opener
    name: str
    role: Role
    model: ModelConfig
    time: int
    version: str | None
    kinds: Mapping[str, Kind] | None
    max_bytes: int
    most: int | None = None


def look(_: None, job: Job) -> Facts:
    """Return what a file holds; one that cannot be read has a problem, and what was read until then."""
    blocks: list[Facts] = []
    chunks: list[tuple[Any, Any]] = []
    notes: list[Note] = []
    problems: dict[str, tuple[str, str]] = {}
    row = 0

    def watch(block: Block) -> None:
        nonlocal row
        blocks.append(_of_block(block, job, row))
        row += len(block.rows)

    try:
        with job.opener() as file:
            decoded = decode(
                file,
                name=job.name,
                role=job.role,
                model=job.model,
                default_time=job.time,
                default_version=job.version or UNKNOWN_VERSION,
                kinds=job.kinds,
                max_bytes=job.max_bytes,
                watch=watch,
            )
            for chunk in islice(decoded, job.most):
                chunks.append((chunk.time, chunk.key))
                notes.extend(chunk.notes)
    except BatchError as error:
        problems[job.name] = (error.reason, str(error))
    whole = replace(Facts.combine(blocks), files=1, notes=tuple(notes), chunks=tuple(chunks), problems=problems)
    # None of the rows of a file of another shape counts, as a rejected one neither.
    return replace(whole, rows=0, rejected={}) if whole.is_misfit else whole


def _of_block(block: Block, job: Job, start: int) -> Facts:
    columns = {
        (use.path, use.role): _column(use, block) for use in uses(block, job.model, of_labels=job.role == "labels")
    }
    return Facts(
        rows=len(block.rows),
        columns=columns,
        features={name: _feature(name, block) for name in block.features},
        outcomes=dict(_outcomes(block)),
        rejected=dict(_rejected(block, job.name, start)),
        classes=frozenset(block.roles.class_scores),
    )


def _column(use: Use, block: Block) -> ColumnFacts:
    column = without_missing(block.rows.columns[use.path])
    present = len(column) - column.null_count
    if is_unusable(column):
        return ColumnFacts(use, _kind(use, column, block), len(column), present, _LISTS if present else "", frozenset())
    texts = pc.unique(loose_text(column.drop_null().slice(0, _SAMPLED))).to_pylist()
    values = [_LISTS if text == UNUSABLE_TEXT else text for text in texts]
    return ColumnFacts(
        use, _kind(use, column, block), len(column), present, values[0][:_SHOWN] if values else "", frozenset(values)
    )


def _kind(use: Use, column: Any, block: Block) -> str:
    name = use.role.removeprefix("feature ")
    if name != use.role:
        return "categorical" if name in block.columns.categories else "numeric"
    kind = next((name for check, name in _KINDS if check(column.type)), "text")
    if kind == "text" and block.rows.untyped:
        read = numbers(column)
        if not read.bad.any():
            return "empty" if np.isnan(read.values).all() else "numbers"
    return "empty" if column.null_count == len(column) else kind


def _feature(name: str, block: Block) -> FeatureFacts:
    shown = frozenset({block.shown[name]} if name in block.shown else ())
    if name in block.columns.categories:
        counted = block.columns.categories[name].drop_null().value_counts().to_pylist()
        counts = Counter({each["values"]: each["counts"] for each in counted})
        return FeatureFacts(shown, np.zeros(0), Counter(dict(counts.most_common(_CATEGORIES))))
    values = block.columns.numbers[name]
    return FeatureFacts(shown, _thinned(values[np.isfinite(values)]), Counter())


def _outcomes(block: Block) -> Iterator[tuple[str, OutcomeFacts]]:
    for role in _OUTCOMES:
        column = first_present(block.rows, block.roles.paths[role])
        if column.null_count == len(column):
            continue
        read = numbers(column)
        values = read.values[np.isfinite(read.values)]
        fractions = np.trunc(read.values) != read.values
        named = class_text(column.filter(pa.array(~fractions | np.isnan(read.values))))
        low, high = (float(values.min()), float(values.max())) if len(values) else (np.inf, -np.inf)
        yield (
            role,
            OutcomeFacts(
                numbers=0 if pa.types.is_boolean(column.type) else len(values),
                others=len(values) if pa.types.is_boolean(column.type) else int(read.bad.sum()),
                fractions=int((values % 1 != 0).sum()),
                low=low,
                high=high,
                classes=frozenset(pc.unique(named.drop_null()).slice(0, _DISTINCT).to_pylist()),
            ),
        )


def _rejected(block: Block, file: str, start: int) -> Iterator[tuple[str, Rejected]]:
    for reason, code in CODES.items():
        at = np.flatnonzero(block.reasons == code)
        if len(at):
            rows = (RejectedRow(file, start + int(row) + 1, _row(block, int(row), reason)) for row in at[:EXAMPLES])
            yield reason, Rejected(len(at), tuple(rows))


def _row(block: Block, row: int, reason: str) -> str:
    """Return the values of a row that tell why it was rejected, or its first ones."""
    telling = [path for role in _TELLING.get(reason, ()) for path in block.roles.paths[role]]
    shown = []
    for path in telling or block.rows.columns:
        text = loose_text(block.rows.columns[path].slice(row, 1))[0].as_py()
        if text is not None:
            shown.append(f"{path}={_LISTS if text == UNUSABLE_TEXT else text[:_SHOWN]}")
    return ", ".join(shown[:EXAMPLES])


def _joined(parts: Iterable[Mapping[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for part in parts:
        for key, value in part.items():
            found[key] = found[key].joined(value) if key in found else value
    return found


def _some(texts: set[str]) -> frozenset[str]:
    return frozenset(texts if len(texts) <= _SAMPLED else sorted(texts)[:_SAMPLED])


def _thinned(values: FloatArray) -> FloatArray:
    """Return at most about `_SAMPLED` values, evenly chosen."""
    return values[:: max(1, len(values) // _SAMPLED)]

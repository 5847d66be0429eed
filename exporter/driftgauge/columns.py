"""Decoded rows: what `batch` makes of a file and what everything after it reads.

One array per column, already mapped from spellings to roles. This module knows no file formats.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftgauge.schema import ReadAs

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
CodeArray = npt.NDArray[np.uint8]
# pyarrow ships no types: these names say what is in the array.
TextArray = Any  # pyarrow.StringArray
ValueArray = Any  # pyarrow.StringArray (classes) or pyarrow.DoubleArray (regression)


@dataclass(frozen=True, slots=True)
class Note:
    """Something in a file that was read but may not mean what it seems to, to be said once.

    reason: a short fixed word. column: its path in the file. example: one of its values. text: what it may be, and the
    remedy.
    """

    reason: str
    column: str
    example: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the columns of some rows beside their values.

    precision: the bits of columns, the output's among them, that were written with fewer than a double has: 32 or 16.
    has_scores: the column of predictions holds scores. has_classes: classes were written, and do not all follow from
    scores.
    Of a reference: how its features are read, also those that are left out (`readings`); and with their role the
    columns that have one there, and are features only where live rows have them as such (`roles`); and the columns that
    the output was read from (`output`).
    """

    precision: Mapping[str, int] = field(default_factory=dict)
    has_scores: bool = False
    has_classes: bool = True
    readings: Mapping[str, ReadAs] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    output: tuple[str, ...] = ()

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Return what is known of all rows together: of each column the fewest bits."""
        precision: dict[str, int] = {}
        for name, bits in (item for part in parts for item in part.precision.items()):
            precision[name] = min(bits, precision.get(name, bits))
        return cls(
            precision=precision,
            has_scores=any(part.has_scores for part in parts),
            has_classes=any(part.has_classes for part in parts),
            readings={name: reading for part in parts for name, reading in part.readings.items()},
            roles={name: role for part in parts for name, role in part.roles.items()},
            output=tuple(dict.fromkeys(path for part in parts for path in part.output)),
        )


@dataclass(frozen=True, slots=True)
class Where:
    """Where `n` rows are, to tell apart rows of one key.

    file: (n,) int64, which file. place: (n,) int64, their order in it. number: (n,) int64 as an Arrow array, what the
    file itself numbers them by, null where it does not.
    """

    file: IntArray
    place: IntArray
    number: Any

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the places of the rows of all parts."""
        return cls(
            np.concatenate([part.file for part in parts]),
            np.concatenate([part.place for part in parts]),
            pa.concat_arrays([part.number for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Codes:
    """What was kept of the features of `n` rows that are not at hand, as a `Coding` (`estimate.coding`) made it.

    coding: (n,) text, the fingerprint of that coding. values: (n,) binary. Both are null where nothing was kept.
    """

    coding: TextArray
    values: Any

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the codes of the rows of all parts."""
        return cls(pa.concat_arrays([part.coding for part in parts]), pa.concat_arrays([part.values for part in parts]))


@dataclass(frozen=True, slots=True)
class Columns:
    """`n` accepted rows of one file, in file order.

    time: (n,) int64, microseconds since 1970-01-01 UTC.
    version: (n,) text, never null.
    key: (n,) text, null where the row has no join key.
    predicted, label: (n,) null where absent; class names ("0"/"1" when binary) or float64 for regression.
    score: (n,) probability of the positive class, NaN where absent (binary only).
    class_scores: class name -> (n,) float64, NaN where absent (multiclass only).
    latency: (n,) seconds, NaN where absent. failed: (n,) true where the request itself failed.
    numbers: feature -> (n,) float64, NaN where missing. categories: feature -> (n,) text, null where missing.
    rows_read: rows of the file this chunk consumed, the rejected ones included: the cursor moves by it.
    where: the places of the rows, None where no labels are joined. gaps: the rows with a key that were rejected, with
    whatever values they have.
    rejected: reason -> rows not usable. verdicts: (rows_read,) 0 for each row that is here, else a code of its reason;
    None where nobody asks. notes: what is to be said about the file from this chunk on.
    facts: what else is known of the columns. codes: what was kept of features that are not at hand, else None.
    """

    time: IntArray
    version: TextArray
    key: TextArray
    predicted: ValueArray
    label: ValueArray
    score: FloatArray
    latency: FloatArray
    failed: BoolArray
    class_scores: Mapping[str, FloatArray] = field(default_factory=dict)
    numbers: Mapping[str, FloatArray] = field(default_factory=dict)
    categories: Mapping[str, TextArray] = field(default_factory=dict)
    rows_read: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    verdicts: CodeArray | None = None
    notes: tuple[Note, ...] = ()
    facts: Facts = field(default_factory=Facts)
    where: Where | None = None
    gaps: "Columns | None" = None
    codes: Codes | None = None

    def __len__(self) -> int:
        """Return the number of accepted rows."""
        return len(self.time)

    @property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """The names of class scores and features, and the facts; `concat` takes parts that are equal in these."""
        precision = (f"{name}:{bits}" for name, bits in sorted(self.facts.precision.items()))
        output = ("scores",) * self.facts.has_scores + ("no classes",) * (not self.facts.has_classes)
        return (*map(tuple, (self.class_scores, self.numbers, self.categories)), (*precision, *output))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of one or more parts of equal `names` without what is said of files."""
        if len(parts) == 1:
            return parts[0]
        classes, numbers, categories, _ = parts[0].names
        return cls(
            time=np.concatenate([part.time for part in parts]),
            version=pa.concat_arrays([part.version for part in parts]),
            key=pa.concat_arrays([part.key for part in parts]),
            predicted=pa.concat_arrays([part.predicted for part in parts]),
            label=pa.concat_arrays([part.label for part in parts]),
            score=np.concatenate([part.score for part in parts]),
            latency=np.concatenate([part.latency for part in parts]),
            failed=np.concatenate([part.failed for part in parts]),
            class_scores={name: np.concatenate([part.class_scores[name] for part in parts]) for name in classes},
            numbers={name: np.concatenate([part.numbers[name] for part in parts]) for name in numbers},
            categories={name: pa.concat_arrays([part.categories[name] for part in parts]) for name in categories},
            facts=parts[0].facts,
            where=_all_places([part.where for part in parts]),
            codes=_all_codes([part.codes for part in parts]),
        )

    def span(self, rows: slice) -> "Columns":
        """Return consecutive rows, as views; what is said of the file is not carried over."""
        return self._each(lambda values: values[rows])

    def take(self, rows: IntArray | BoolArray) -> "Columns":
        """Return the chosen rows (positions or a mask); what is said of the file is not carried over."""
        at = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return self._each(lambda values: values.take(at))

    def _each(self, select: Callable[[Any], Any]) -> "Columns":
        """Return the columns, each passed through `select`, which takes numpy and Arrow arrays."""
        return Columns(
            time=select(self.time),
            version=select(self.version),
            key=select(self.key),
            predicted=select(self.predicted),
            label=select(self.label),
            score=select(self.score),
            latency=select(self.latency),
            failed=select(self.failed),
            class_scores={name: select(values) for name, values in self.class_scores.items()},
            numbers={name: select(values) for name, values in self.numbers.items()},
            categories={name: select(values) for name, values in self.categories.items()},
            facts=self.facts,
            where=self.where and Where(select(self.where.file), select(self.where.place), select(self.where.number)),
            codes=self.codes and Codes(select(self.codes.coding), select(self.codes.values)),
        )


def _all_places(parts: Sequence[Where | None]) -> Where | None:
    known = [part for part in parts if part is not None]
    return Where.concat(known) if len(known) == len(parts) else None


def _all_codes(parts: Sequence[Codes | None]) -> Codes | None:
    known = [part for part in parts if part is not None]
    return Codes.concat(known) if len(known) == len(parts) else None

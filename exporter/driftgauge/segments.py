"""Segments: named slices of a model's rows, by conditions on features that must all hold.

A row may be in several segments, or in none. A row whose feature is missing is in no segment with a condition on it.
Values compare by value, whatever type a file gives them. Some are named by the file, others it asks of the reference
(`each: reference`). This module does not know what is computed for a segment.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.cells import read_booleans, read_numbers
from driftgauge.batch.values import category_text, mask, number_text, numbers
from driftgauge.columns import BoolArray, Columns, FloatArray, TextArray
from driftgauge.config import Condition, Limits, ModelConfig, Scalar
from driftgauge.config.groups import word
from driftgauge.reference import Reference

# Segment names are label values; the empty one stands for all rows.
ALL_ROWS: Final = ""
_BOOLEANS: Final = pa.array(["true", "false"])
# Files have larger whole numbers as floats only.
_LARGEST_WHOLE: Final = 2**64
# Doubles are exact up to here.
_EXACT_WHOLE: Final = 2**53
# Of a column with more values in the reference, or a pair of columns, the most frequent ones.
_MOST_VALUES: Final = 1000
# Names are labels.
_LONGEST_NAME: Final = 200
Conditions = Mapping[str, Condition]


@dataclass(frozen=True)
class Segment:
    """One configured segment: its name, and a condition for each of one or more features."""

    name: str
    conditions: Mapping[str, Condition]

    @cached_property
    def identity(self) -> str:
        """Hex digest that changes with the name or what the conditions say: what was counted as one is no other."""
        conditions = sorted((feature, repr(condition)) for feature, condition in self.conditions.items())
        return hashlib.blake2b(repr((self.name, conditions)).encode(), digest_size=8).hexdigest()

    def members(self, rows: Columns) -> BoolArray:
        """Return which rows (n,) are in it."""
        found = np.ones(len(rows), np.bool_)
        for feature, condition in self.conditions.items():
            if feature in rows.numbers:
                found &= _among_numbers(rows.numbers[feature], condition)
            elif feature in rows.categories:
                found &= _among_texts(rows.categories[feature], condition)
            else:
                found[:] = False
        return found


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of a model that are in effect, in the order of the file, and the names of those beyond the limit."""

    kept: tuple[Segment, ...] = ()
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: ModelConfig, limits: Limits, reference: Reference | None = None) -> Self:
        """Return what `limits.max_segments` leaves of the configured segments.

        reference: what those ask that stand for its values; without one they stand for nothing.
        """
        found: dict[str, Segment] = {}
        for name, conditions in model.segments.items():
            for segment in _meant(name, conditions, reference):
                found.setdefault(segment.name, segment)
        kept = [name for name in found if len(name) <= _LONGEST_NAME][: limits.max_segments]
        return cls(tuple(found[name] for name in kept), tuple(name for name in found if name not in kept))


def asked_of_reference(model: ModelConfig) -> dict[str, tuple[str, ...]]:
    """Return by name the segments that stand for values of the reference: of which features."""
    asked = {name: _asked(conditions) for name, conditions in model.segments.items()}
    return {name: features for name, features in asked.items() if features}


def values_of_reference(model: ModelConfig, chunks: Sequence[Columns]) -> dict[str, list[list[Scalar]]]:
    """Return by name which values, or pairs of them, those segments stand for: the most frequent first.

    chunks: the rows of the reference. A value counts that has `drift.min_samples` of them: of fewer nothing is judged.
    """
    return {name: _frequent(model, name, features, chunks) for name, features in asked_of_reference(model).items()}


def _asked(conditions: Conditions) -> tuple[str, ...]:
    return tuple(feature for feature, condition in conditions.items() if condition.every)


def _meant(name: str, conditions: Conditions, reference: Reference | None) -> Iterator[Segment]:
    """Yield the segments that an entry of the configuration stands for."""
    asked = _asked(conditions)
    if not asked:
        yield Segment(name, conditions)
        return
    for values in reference.segment_values.get(name, ()) if reference else ():
        # What was learned of another entry of this name is learned anew before any row is read.
        if len(values) == len(asked):
            one = {feature: Condition(values=(value,)) for feature, value in zip(asked, values, strict=True)}
            yield Segment(f"{name}: {', '.join(map(word, values))}", {**conditions, **one})


def _frequent(
    model: ModelConfig, name: str, features: tuple[str, ...], chunks: Sequence[Columns]
) -> list[list[Scalar]]:
    others = {feature: each for feature, each in model.segments[name].items() if not each.every}
    parts = [_present(chunk.take(Segment(name, others).members(chunk)), features) for chunk in chunks]
    found = pa.concat_tables([part for part in parts if part is not None] or [pa.table({})])
    if not found.num_rows:
        return []
    counted = found.group_by(found.column_names).aggregate([([], "count_all")])
    counted = counted.filter(pc.greater_equal(counted["count_all"], model.drift.min_samples))
    order = [("count_all", "descending"), *((column, "ascending") for column in found.column_names)]
    ranked = counted.sort_by(order).slice(0, _MOST_VALUES).select(found.column_names).to_pylist()
    return [[_as_scalar(value) for value in row.values()] for row in ranked]


def _present(rows: Columns, features: tuple[str, ...]) -> Any:
    """Return the values of features as an Arrow table, without rows in which one is missing; None if a column is."""
    columns: dict[str, Any] = {}
    for place, feature in enumerate(features):
        if feature in rows.numbers:
            values = rows.numbers[feature]
            columns[str(place)] = pa.array(values, mask=~np.isfinite(values))
        elif feature in rows.categories:
            columns[str(place)] = rows.categories[feature]
        else:
            return None
    return pa.table(columns).drop_null()


def _as_scalar(value: str | float) -> Scalar:
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_WHOLE
    return int(value) if is_whole else value


def listed(segments: Sequence[Segment], members: Sequence[BoolArray], *, rows: int) -> Any:
    """Return for each row the identities of its segments, as an Arrow column of lists; members: (n,) by segment."""
    if not segments:
        return pa.nulls(rows, pa.list_(pa.string()))
    at, of = np.nonzero(np.stack([np.zeros(rows, np.bool_), *members], axis=1))
    identities = pa.array(["", *(segment.identity for segment in segments)], pa.string()).take(pa.array(of))
    ends = np.bincount(at, minlength=rows).cumsum()
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]), pa.int32()), identities)


def listed_members(segments: Sequence[Segment], lists: Any) -> list[BoolArray]:
    """Return what `listed` was made of: for each segment, which rows (n,) have its identity."""
    rows, identities = pc.list_parent_indices(lists).to_numpy(), lists.flatten()
    found = [np.zeros(len(lists), np.bool_) for _ in segments]
    for members, segment in zip(found, segments, strict=True):
        members[rows[mask(pc.equal(identities, segment.identity))]] = True
    return found


def _among_numbers(values: FloatArray, condition: Condition) -> BoolArray:
    """Return which numbers (n,), NaN where missing, meet the condition."""
    if condition.values:
        flag = bool(2 * ((values == 0) | (values == 1)).sum() >= (~np.isnan(values)).sum())
        wanted = np.array([number for value in condition.values for number in _as_numbers(value, flag)], np.float64)
        return np.isin(values, wanted)
    found = ~np.isnan(values)
    if condition.at_least is not None:
        found &= _in_single(values, condition.at_least) >= condition.at_least
    if condition.below is not None:
        found &= _in_single(values, condition.below) < condition.below
    return found


def _in_single(values: FloatArray, bound: float) -> FloatArray:
    """Return the values with the single-precision number nearest to `bound` as `bound`, for columns of float32."""
    return np.where(values == _single(bound), bound, values)


def _single(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _as_numbers(value: Scalar, flag: bool) -> list[float]:  # noqa: FBT001 - of the column, not of the way
    """Return the numbers that are equal to a value in a numeric column: in double and in single precision.

    flag: the column has mostly 0 and 1, for which words may stand.
    """
    number = float(read_numbers(pa.array([value]), flag=flag).values[0]) if isinstance(value, str) else float(value)
    return [] if np.isnan(number) else [number, _single(number)]


def _among_texts(texts: TextArray, condition: Condition) -> BoolArray:
    """Return which texts (n,), null where missing, meet the condition; a range is of those that are numbers."""
    if condition.values:
        written = pa.array([_as_text(value) for value in condition.values], pa.string())
        # A column of booleans is mostly "true" and "false", whatever words the condition uses.
        booleans = mask(pc.is_in(texts, value_set=_BOOLEANS)).sum()
        are_booleans = 2 * booleans >= len(texts) - texts.null_count
        wanted = read_booleans(written) if are_booleans else category_text(written)
        return mask(pc.is_in(texts, value_set=wanted.drop_null()))
    return _among_numbers(numbers(texts).values, condition)


def _as_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    # Not as a float, which whole numbers next to each other can share.
    return number_text(value if abs(value) < _LARGEST_WHOLE else float(value))

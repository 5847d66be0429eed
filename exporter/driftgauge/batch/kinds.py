"""What the values of a column look like, and how a feature of such values is read.

A column is one of numbers when at least half of its values are, of dates when at least half are, and so on; words for
missing values do not count. Text of whole numbers is text where a format has types, because "007" is not 7; text of
decimal fractions is numbers everywhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.cells import CLOCK, folded, is_missing
from driftgauge.batch.uuids import UUID
from driftgauge.batch.values import mask, numbers, without_missing
from driftgauge.schema import BOOLEAN_WORDS, Kind, ReadAs

_FRACTION: Final = r"^\s*[+-]?\d*\.\d+\s*$"
_DATE: Final = (
    r"^(?:(?:1[89]|2[01])\d{2}[-/.](?:0?[1-9]|1[0-2]|[A-Za-z]{3})(?:[-/.]\d{1,2})?|\d{8}T\d{4,6}"
    r"|\d{1,2}[-/.](?:\d{1,2}|[A-Za-z]{3})[-/.](?:\d{4}|\d{2})"
    r"|(?:[A-Za-z]{3,9},? )?(?:\d{1,2} [A-Za-z]{3,9}|[A-Za-z]{3,9} \d{1,2}),? \d{4})"
    r"(?:[T ]\d{1,2}:\d{2}.{0,40}|Z)?$"
)
# As `seconds_in` reads them; Arrow needs no groups, but a digit.
_PERIOD: Final = r"^[+-]?PT?\d[\dDTHMS.]*$"
_DOCUMENT: Final = r"^\s*(?:\{\s*[\"}]|\[)"
_PAIRS: Final = tuple(pa.array(pair) for pair in BOOLEAN_WORDS)


@dataclass(frozen=True, slots=True)
class Shown:
    """How many values of a column look like what; those that are missing are not counted.

    numbers: `fractions` of them are text with a decimal point, `bits` are 0 or 1, `texts` text that the format could
    have written as a number. booleans: typed ones. words: for each pair of `BOOLEAN_WORDS`. identifiers: UUIDs, of
    which `distinct` are different. others: any other text.
    """

    numbers: int = 0
    fractions: int = 0
    bits: int = 0
    texts: int = 0
    booleans: int = 0
    words: tuple[int, ...] = (0,) * len(BOOLEAN_WORDS)
    clocks: int = 0
    dates: int = 0
    identifiers: int = 0
    distinct: int = 0
    documents: int = 0
    others: int = 0

    def __add__(self, other: "Shown") -> "Shown":
        """Return the counts of two columns together."""
        words = tuple(map(sum, zip(self.words, other.words, strict=True)))
        names = (field.name for field in fields(self) if field.name != "words")
        return Shown(words=words, **{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def present(self) -> int:
        """How many values there are."""
        named = self.numbers + self.booleans + sum(self.words) + self.clocks
        return named + self.dates + self.identifiers + self.documents + self.others

    @property
    def is_boolean(self) -> bool:
        """Whether all values are booleans: typed ones, words of one pair, and 1 and 0 beside these.

        Of true and false, which mean nothing else, it is enough that they are at least half of the values.
        """
        pairs = sum(count > 0 for count in self.words)
        named = self.booleans + sum(self.words)
        plain = self.booleans + self.words[0]
        mostly = plain > 0 and self.numbers == self.bits and 2 * (plain + self.bits) >= self.present
        return mostly or (pairs <= 1 and named > 0 and named + self.bits == self.present)

    def reading(self, *, chosen: bool = False) -> ReadAs | None:
        """Return how the column is read, None where it has no values; chosen: the configuration makes it a category."""
        present = self.present
        if not present:
            return "categorical" if chosen else None
        if self.is_boolean or (chosen and self.bits == present):
            return "boolean"
        if chosen:
            return "categorical"
        is_id = 2 * self.identifiers >= present and 2 * self.distinct > self.identifiers
        if 2 * self.dates >= present or 2 * self.documents >= present or is_id:
            return "left_out"
        is_text = 2 * self.texts > self.numbers and 2 * self.fractions < self.numbers
        if 2 * (self.numbers + self.clocks) < present or (is_text and not self.clocks):
            return "categorical"
        return "flag" if self.bits == present else "numeric"

    def most(self) -> str:
        """Return what most of the values are that cannot be compared."""
        counts = {"identifiers": self.identifiers, "dates": self.dates, "documents": self.documents}
        return max(counts, key=lambda name: counts[name])


def shown(column: Any, *, untyped: bool) -> Shown:
    """Count what the values of a column look like; untyped: text may stand for any value."""
    kind = column.type
    present = len(column) - column.null_count
    if pa.types.is_boolean(kind):
        return Shown(booleans=present)
    if pa.types.is_timestamp(kind):
        return Shown(dates=present)
    if pa.types.is_string(kind):
        return _shown_in_text(without_missing(column).drop_null(), untyped=untyped)
    if pa.types.is_binary(kind):
        return Shown(others=present)
    values = numbers(column).values
    return Shown(numbers=int((~np.isnan(values)).sum()), bits=int(((values == 0) | (values == 1)).sum()))


def total(parts: Iterable[Shown]) -> Shown:
    """Return the counts of several columns together."""
    found = Shown()
    for part in parts:
        found = found + part
    return found


def kind_of(reading: ReadAs | None) -> Kind | None:
    """Return the kind of a feature that is read like this, None where it is none."""
    if reading in ("numeric", "flag"):
        return "numeric"
    return "categorical" if reading in ("categorical", "boolean") else None


def _shown_in_text(text: Any, *, untyped: bool) -> Shown:
    values, bad = numbers(text)
    is_number = ~np.isnan(values)
    count = int(is_number.sum())
    found = Shown(
        numbers=count,
        fractions=0 if untyped or not count else _matching(text.filter(pa.array(is_number)), _FRACTION),
        bits=int(((values == 0) | (values == 1)).sum()),
        texts=0 if untyped else count,
    )
    if not bad.any():
        return found
    rest = text.filter(pa.array(bad))
    return found + _shown_in_words(rest.filter(pc.invert(is_missing(rest))))


def _shown_in_words(text: Any) -> Shown:
    """Count what text looks like that is no number."""
    words = folded(text)
    of_pairs = tuple(int(mask(pc.is_in(words, value_set=pair)).sum()) for pair in _PAIRS)
    trimmed = pc.utf8_trim_whitespace(text)
    clocks = _matching(trimmed, CLOCK) + _matching(trimmed, _PERIOD)
    uuids = mask(pc.match_substring_regex(trimmed, pattern=UUID))
    dates, documents = _matching(trimmed, _DATE), _matching(trimmed, _DOCUMENT)
    named = sum(of_pairs) + clocks + int(uuids.sum()) + dates + documents
    return Shown(
        words=of_pairs,
        clocks=clocks,
        dates=dates,
        identifiers=int(uuids.sum()),
        distinct=len(pc.unique(trimmed.filter(pa.array(uuids)))) if uuids.any() else 0,
        documents=documents,
        others=max(0, len(text) - named),
    )


def _matching(text: Any, pattern: str) -> int:
    return int(mask(pc.match_substring_regex(text, pattern=pattern)).sum())

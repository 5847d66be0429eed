"""The cells of a feature, once it is known how the feature is read: numbers, flags, categories or booleans.

Clocks and durations are numbers of seconds, in text as in types: 08:03:00 is 28,980, and so is 0 days 08:03:00. What
is no number in a column of numbers is a missing value. Floats of 32 bits are written as short as these bits allow.
"""

import re
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.numerals import whole_numbers
from driftgauge.batch.values import MISSING, Numbers, category_text, mask, number_text, numbers
from driftgauge.columns import TextArray
from driftgauge.schema import BOOLEAN_WORDS

# How a time of day or a duration is written, for Arrow and for Python alike.
CLOCK: Final = r"^(?:(-?\d{1,6}) days?,? ?)?([+-]?)(\d{1,4}):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?(?: ?([AaPp])[Mm])?$"
_PERIOD: Final = re.compile(r"^([+-]?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$", re.ASCII)
# What stands for a number that is not there, beside `MISSING`.
PLACEHOLDERS: Final = pa.array(
    [
        *("#n/a", "#na", "n/a", "na", "n.a.", "nan", "null", "?", "-", "--", "---", ".", "#ref!", "#div/0!", "#value!"),
        *("#name?", "#num!", "#null!", "inf", "+inf", "-inf", "infinity", "-infinity"),
    ]
)
TRUE: Final = pa.array(["1", *(true for true, _ in BOOLEAN_WORDS)])
FALSE: Final = pa.array(["0", *(false for _, false in BOOLEAN_WORDS)])
_CLOCK: Final = re.compile(CLOCK, re.ASCII)
_LONGEST: Final = 60
_DAY: Final = 86_400


def read_numbers(column: Any, *, flag: bool = False) -> Numbers:
    """Read a column as numbers; clocks are seconds and, in a column of flags, words are 1 and 0."""
    read = numbers(column)
    if not (pa.types.is_string(column.type) and read.bad.any()):
        return read
    at = np.flatnonzero(read.bad)
    encoded = column.take(pa.array(at)).dictionary_encode()
    words = folded(encoded.dictionary)
    found = np.array([seconds_in(text) for text in encoded.dictionary.to_pylist()], np.float64)
    if flag:
        found = np.select(
            [mask(pc.is_in(words, value_set=TRUE)), mask(pc.is_in(words, value_set=FALSE))], [1, 0], found
        )
    values, bad = read.values.copy(), read.bad.copy()
    values[at] = found[encoded.indices.to_numpy()]
    bad[at] = np.isnan(values[at])
    return Numbers(values, bad)


def read_categories(column: Any, *, bits: int = 64, untyped: bool = False) -> TextArray:
    """Read a column as categories; bits: of the floats that it was written with.

    untyped: its file has no types, so 1e+05 among numbers is 100000.
    """
    if untyped and pa.types.is_string(column.type):
        _, column = whole_numbers(column)
    narrow = bits < np.finfo(np.float64).bits and pa.types.is_floating(column.type)
    return category_text(_short_text(column, bits) if narrow else column)


def read_booleans(column: Any, *, bits: int = 64) -> TextArray:
    """Read a column as "true" and "false", whatever words it uses; null where these are missing."""
    text = read_categories(column, bits=bits)
    words = folded(text)
    found = pc.if_else(is_missing(text), pa.scalar(None, pa.string()), text)
    found = pc.if_else(pc.is_in(words, value_set=TRUE), "true", found)
    return pc.if_else(pc.is_in(words, value_set=FALSE), "false", found)


def folded(text: TextArray) -> TextArray:
    """Return text in lower case without blanks around it."""
    return pc.utf8_lower(pc.utf8_trim_whitespace(text))


def is_missing(text: TextArray) -> Any:
    """Return where text stands for a value that is not there, as an Arrow array."""
    missing = pc.is_in(pc.utf8_trim_whitespace(text), value_set=MISSING)
    return pc.or_(missing, pc.is_in(folded(text), value_set=PLACEHOLDERS))


def seconds_in(text: str | None) -> float:
    """Read a time of day or a duration in seconds, NaN where there is none."""
    short = (text or "").strip()[:_LONGEST]
    if clock := _CLOCK.fullmatch(short):
        days, sign, hours, minutes, rest, half = clock.groups()
        hour = int(hours) % 12 + 12 * (half in "Pp") if half else int(hours)
        seconds = hour * 3600 + int(minutes) * 60 + float(rest or 0)
        return int(days or 0) * _DAY + (-seconds if sign == "-" else seconds)
    period = _PERIOD.fullmatch(short)
    if period is None or not any(period.groups()[1:]):
        return np.nan
    sign, *parts = period.groups()
    lengths = zip((_DAY, 3600, 60, 1), parts, strict=True)
    seconds = sum(length * float(part or 0) for length, part in lengths)
    return -seconds if sign == "-" else seconds


def _short_text(column: Any, bits: int) -> TextArray:
    encoded = column.dictionary_encode()
    narrow = np.float32 if bits == np.finfo(np.float32).bits else np.float16
    texts = [number_text(float(str(narrow(value)))) for value in encoded.dictionary.to_pylist()]
    return pa.array([None if text == "nan" else text for text in texts], pa.string()).take(encoded.indices)

"""What a value means, whichever type a format gave it: numbers, category text, keys, versions.

The same value compares equal across formats, so all of this is decided here and only here:

- Missing: null and NaN everywhere; empty text everywhere; and, where a number is expected, the words that
  data frames write for it (NA, NaN, null, None, …). A category may be called "NA" (Namibia) or "None".
- Category text: booleans are "true" and "false" (pandas writes True and False, spreadsheets TRUE); numbers are
  written the shortest way, so 1, 1.0, "1" and "1.0" are one category; all other text stays exactly as it is, so
  "007" is not "7".
- Long text is cut and ends with a digest of the whole: it may end up in a metric label.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.rows import UNUSABLE_TEXT, Rows
from driftgauge.columns import BoolArray, FloatArray, TextArray
from driftgauge.schema import MISSING_WORDS, NO_CLASS_WORDS, NO_KEY_WORDS

KEY_SEPARATOR: Final = "\x1f"
MAX_CATEGORY: Final = 200
CATEGORY_KEPT: Final = 160
MAX_VERSION: Final = 100
VERSION_KEPT: Final = 80
# Of a value in a message.
MAX_EXAMPLE: Final = 60

MISSING: Final = pa.array(MISSING_WORDS)
_NO_CLASS: Final = pa.array(NO_CLASS_WORDS)
_NO_KEY: Final = pa.array(NO_KEY_WORDS)
_TICKS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NO_TEXT: Final = pa.array(["", UNUSABLE_TEXT])
_BOOLEANS: Final = pa.array(["True", "False"])
_LOUD_BOOLEANS: Final = pa.array(["TRUE", "FALSE"])
_NULL_TEXT: Final = pa.scalar(None, pa.string())
_NUMBER: Final = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_WHOLE_FLOAT: Final = r"^(-?\d+)\.0$"
# PromQL refuses the replacement character of damaged text in a string, so a series with it could not be asked for.
_CONTROLS: Final = r"[\x00-\x1f\x7f-\x9f\x{fffd}]"


class Numbers(NamedTuple):
    """values: (n,) float64, NaN where missing or bad. bad: (n,) there is a value that is not a finite number."""

    values: FloatArray
    bad: BoolArray


def mask(array: Any) -> BoolArray:
    """Return a pyarrow boolean array as numpy, null as false."""
    filled = pc.fill_null(array, fill_value=False) if array.null_count else array
    found: BoolArray = np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.bool_)
    return found


def numbers(column: Any) -> Numbers:
    """Read a column of any type as finite numbers; booleans count as 0 and 1, durations in seconds."""
    kind = column.type
    if pa.types.is_null(kind):
        return Numbers(np.full(len(column), np.nan), np.zeros(len(column), dtype=np.bool_))
    if pa.types.is_string(kind):
        return _numbers_in_text(column)
    if pa.types.is_duration(kind):
        return _finite(_seconds(column), np.zeros(len(column), dtype=np.bool_))
    if pa.types.is_binary(kind) or pa.types.is_timestamp(kind):
        return Numbers(np.full(len(column), np.nan), mask(column.is_valid()))
    return _finite(_floats(column), np.zeros(len(column), dtype=np.bool_))


def unusable(column: Any) -> BoolArray:
    """Return where (n,) there is a list or an object in place of a value."""
    if pa.types.is_binary(column.type):
        return mask(column.is_valid())
    if pa.types.is_string(column.type):
        return mask(pc.equal(column, UNUSABLE_TEXT))
    return np.zeros(len(column), dtype=np.bool_)


def without_missing(column: Any) -> Any:
    """Return the column with null for NaN and for empty text."""
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return _text_or_null(column, _NO_TEXT.slice(0, 1)) if pa.types.is_string(column.type) else column


def first_present(rows: Rows, paths: Sequence[str]) -> Any:
    """Return, row by row, the first value of these columns that is not missing; nulls when there are no columns."""
    if not paths:
        return pa.nulls(len(rows))
    chosen = without_missing(rows.columns[paths[0]])
    for path in paths[1:]:
        other = without_missing(rows.columns[path])
        if chosen.type != other.type:
            chosen, other = loose_text(chosen), loose_text(other)
        chosen = pc.coalesce(chosen, other)
    return chosen


def loose_text(column: Any) -> TextArray:
    """Write values of any type as a CSV file would hold them, unusable ones as `UNUSABLE_TEXT`."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_binary(kind):
        return pc.if_else(column.is_valid(), UNUSABLE_TEXT, _NULL_TEXT)
    if pa.types.is_floating(kind):
        return _float_text(column)
    if pa.types.is_duration(kind):
        return _float_text(pa.array(_seconds(column)))
    return column.cast(pa.string())


def example_of(column: Any) -> str:
    """Return the first value that is present, as a message shows it; "" where there is none."""
    if pa.types.is_null(column.type):
        return ""
    present = loose_text(column.drop_null().slice(0, 1))
    text = str(present[0].as_py()) if len(present) else ""
    return "a list or an object" if text == UNUSABLE_TEXT else text[:MAX_EXAMPLE]


def number_text(value: float) -> str:
    """Write a number the shortest way: 1.0 as "1"."""
    return str(int(value)) if isinstance(value, int) or _is_whole(value) else repr(value)


def category_text(column: Any) -> TextArray:
    """Return canonical category text, null where missing or unusable; see the module's rules."""
    text = _lowered(plain_text(column), _LOUD_BOOLEANS)
    return _changed(text, longer_than=MAX_CATEGORY, change=_cut_category)


def class_text(column: Any) -> TextArray:
    """Return canonical text of classes, as `category_text`, null where a data frame would write a missing value."""
    text = _text_or_null(category_text(column), _NO_CLASS)
    return pc.utf8_trim_whitespace(text)


def key_text(column: Any) -> TextArray:
    """Return canonical text of any length, null also where a data frame or Python would write a missing id."""
    return _text_or_null(plain_text(column), _NO_KEY)


def plain_text(column: Any) -> TextArray:
    """Return values of any type as canonical text of any length, null where missing or unusable."""
    return _tidy(_plain_text(column))


def without_long(text: TextArray, longest: int) -> TextArray:
    """Return the text with null for what has more than `longest` characters."""
    return _changed(text, longer_than=longest, change=lambda _: None)


def version_text(column: Any, default: str) -> TextArray:
    """Return model versions, never null, as they can be labels of a metric: trimmed, cut, without control characters.

    Text is not read as a number: "1.10" is not 1.1.
    """
    # There are few of them in many rows, and each is looked at once.
    encoded = _plain_text(column).dictionary_encode()
    trimmed = _text_or_null(pc.utf8_trim_whitespace(encoded.dictionary), _NO_KEY)
    text = _changed(trimmed, longer_than=MAX_VERSION, change=_cut_version)
    clean = pc.replace_substring_regex(text, pattern=_CONTROLS, replacement="?")
    return pc.fill_null(clean.take(encoded.indices), default)


def _numbers_in_text(column: Any) -> Numbers:
    text = _text_or_null(column, MISSING)
    bad = np.zeros(len(column), dtype=np.bool_)
    try:
        parsed = text.cast(pa.float64())
    except pa.ArrowInvalid:
        text = pc.utf8_trim_whitespace(text)
        readable = pc.match_substring_regex(text, pattern=_NUMBER)
        bad = mask(pc.invert(readable))
        parsed = pc.if_else(readable, text, _NULL_TEXT).cast(pa.float64())
    return _finite(_floats(parsed), bad)


def _floats(column: Any) -> FloatArray:
    # In a small file each call of Arrow's costs more than the values do.
    floats = column if column.type == pa.float64() else column.cast(pa.float64(), safe=False)
    filled = pc.fill_null(floats, np.nan) if floats.null_count else floats
    found: FloatArray = filled.to_numpy(zero_copy_only=False)
    return found


def _seconds(durations: Any) -> FloatArray:
    return _floats(durations.cast(pa.int64())) / _TICKS[durations.type.unit]


def _finite(values: FloatArray, bad: BoolArray) -> Numbers:
    infinite = np.isinf(values)
    if infinite.any():
        return Numbers(np.where(infinite, np.nan, values), bad | infinite)
    return Numbers(values, bad)


def _plain_text(column: Any) -> TextArray:
    return _text_or_null(loose_text(column), _NO_TEXT)


def _text_or_null(text: TextArray, missing: Any) -> TextArray:
    blank = pc.is_in(text, value_set=missing)
    return pc.if_else(blank, _NULL_TEXT, text) if pc.any(blank).as_py() else text


def _float_text(column: Any) -> TextArray:
    """Write floats the shortest way; whole ones, such as keys in a column with nulls, all at once."""
    present = without_missing(column)
    values = _floats(present.drop_null())
    if np.all(np.trunc(values) == values) and np.all(np.abs(values) < 2**63):
        return present.cast(pa.int64()).cast(pa.string())
    distinct = present.dictionary_encode()
    texts = [number_text(value) for value in distinct.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(distinct.indices)


def _is_whole(value: float) -> bool:
    return value.is_integer() and abs(value) < 2**63


def _tidy(text: TextArray) -> TextArray:
    """Undo what data frames do to booleans and to whole numbers in a column with a missing value."""
    text = _lowered(text, _BOOLEANS)
    if pc.any(pc.ends_with(text, ".0")).as_py():
        return pc.replace_substring_regex(text, pattern=_WHOLE_FLOAT, replacement=r"\1")
    return text


def _lowered(text: TextArray, words: Any) -> TextArray:
    found = pc.is_in(text, value_set=words)
    return pc.if_else(found, pc.utf8_lower(text), text) if pc.any(found).as_py() else text


def _changed(text: TextArray, *, longer_than: int, change: Callable[[str], str | None]) -> TextArray:
    longest = pc.max(pc.utf8_length(text)).as_py() or 0
    if longest <= longer_than:
        return text
    texts = text.to_pylist()
    return pa.array([change(t) if t is not None and len(t) > longer_than else t for t in texts], pa.string())


def _cut_category(text: str) -> str:
    return _cut(text, CATEGORY_KEPT)


def _cut_version(text: str) -> str:
    return _cut(text, VERSION_KEPT)


def _cut(text: str, kept: int) -> str:
    return f"{text[:kept]}…{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"

"""Join keys: one text per row, equal where the values are, whatever wrote them.

- Instants: a column of times is compared by the instant, in whatever notation and zone, and so is text that is a date
  or a date with a time.
- UUIDs: text in upper or lower case, with or without hyphens, braces or `urn:uuid:`, and sixteen bytes, are one.
- Numbers: 7, 7.0 and "7" are one. A column of a file without types whose cells are all numbers holds numbers: 1e+05 is
  100000. Any other text stays as it is: "007" is not 7.
- A whole number that was written as a float of 2⁵³ or more, or as one of few digits (1.23457E+17), may have been
  another one. Such keys are inexact, and the row has none.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.numerals import EXACT, whole_numbers
from driftgauge.batch.roles import Roles
from driftgauge.batch.rows import Rows
from driftgauge.batch.times import instants
from driftgauge.batch.uuids import uuids_by_value
from driftgauge.batch.values import (
    KEY_SEPARATOR,
    MAX_EXAMPLE,
    example_of,
    first_present,
    key_text,
    mask,
    without_long,
)
from driftgauge.columns import BoolArray, IntArray, Note, TextArray

MAX_KEY: Final = 1_000
_DATE: Final = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:?\d\d.{0,40})?$"
_SHORTEST_DATE: Final = 10
_ABSENT: Final = -1
# Stands before a character that separates parts, or is this one, in a key of several parts.
_ESCAPE: Final = "\x1e"

_LOST: Final = "the ids are floats and have lost digits, so they are not joined; write them as whole numbers or text"


class Keys(NamedTuple):
    """text: (n,) null where there is no usable key. inexact: (n,) there is one that has lost digits.

    near: (n,) the time in it as int64 µs, where times need not be equal and so are no part of the text; else None.
    """

    text: TextArray
    inexact: BoolArray
    near: Any = None


def join_keys(rows: Rows, roles: Roles, zone: str, *, near: bool = False) -> Keys:
    """Return the join key of each row; null when a part is missing or inexact, or the key is over `MAX_KEY`.

    zone: whose clock a time without a zone shows. near: the time is returned apart.
    """
    inexact = np.zeros(len(rows), dtype=np.bool_)
    texts, at = [], None
    for paths, is_time in zip(roles.key, roles.key_times, strict=True):
        column = first_present(rows, paths)
        if is_time and near:
            at = _instant(column, zone)
            texts.append(pc.if_else(at.is_valid(), "", pa.scalar(None, pa.string())))
            continue
        if is_time:
            texts.append(_instant_text(column, zone))
            continue
        lost, text = _part(column, untyped=rows.untyped)
        inexact |= lost
        texts.append(_by_value(text, zone) if not pa.types.is_timestamp(column.type) else _instant_text(column, zone))
    joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*map(_escaped, texts), KEY_SEPARATOR)
    if inexact.any():
        joined = pc.if_else(pa.array(inexact), pa.scalar(None, pa.string()), joined)
    return Keys(without_long(joined, MAX_KEY), inexact, at)


def inexact_note(rows: Rows, roles: Roles, keys: Keys) -> Note | None:
    """Return what is to be said of keys that have lost digits."""
    if not keys.inexact.any():
        return None
    at = int(np.argmax(keys.inexact))
    for paths in roles.key:
        if example := example_of(first_present(rows, paths).slice(at, 1)):
            return Note("inexact_key", paths[0], example, _LOST)
    return None


def shown_key(key: str) -> str:
    """Return a key as a message shows it."""
    return key.replace(KEY_SEPARATOR, " + ")[:MAX_EXAMPLE]


def row_numbers(rows: Rows, roles: Roles) -> Any:
    """Return (n,) the numbers that a file gives to its rows, as int64, null where it has none."""
    for path in roles.row_numbers:
        column = rows.columns[path]
        try:
            return column.cast(pa.int64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return pa.nulls(len(rows), pa.int64())


def _escaped(part: TextArray) -> TextArray:
    """Return a part of a key without the separator, and other parts as other text."""
    for character in (_ESCAPE, KEY_SEPARATOR):
        if pc.any(pc.match_substring(part, character)).as_py():
            part = pc.replace_substring(part, character, f"{_ESCAPE}{ord(character):x}")
    return part


def _part(column: Any, *, untyped: bool) -> tuple[BoolArray, TextArray]:
    """Return where a column has lost digits, and its values as text."""
    lost = np.zeros(len(column), dtype=np.bool_)
    if pa.types.is_floating(column.type):
        lost = mask(pc.greater_equal(pc.abs(column), float(EXACT)))
    if untyped and pa.types.is_string(column.type):
        lost, column = whole_numbers(column)
    return lost, key_text(column)


def _instant(column: Any, zone: str) -> Any:
    read = instants(column, _ABSENT, zone=zone)
    return pa.array(read.micros, mask=read.bad | (read.micros == _ABSENT))


def _instant_text(column: Any, zone: str) -> TextArray:
    read = instants(column, _ABSENT, zone=zone)
    return _written(read.micros, read.bad | (read.micros == _ABSENT))


def _written(micros: IntArray, absent: BoolArray) -> TextArray:
    text = pa.array(micros).cast(pa.timestamp("us", "UTC")).cast(pa.string())
    return pc.if_else(pa.array(absent), pa.scalar(None, pa.string()), text) if absent.any() else text


def _by_value(text: TextArray, zone: str) -> TextArray:
    """Write instants and UUIDs among text in one way each."""
    lengths = pc.fill_null(pc.binary_length(text), 0).to_numpy(zero_copy_only=False)
    text = uuids_by_value(text, lengths)
    if (lengths >= _SHORTEST_DATE).any():
        dated = mask(pc.equal(pc.utf8_slice_codeunits(text, 4, 5), "-"))
        if dated.any():
            return _with_instants(text, dated, zone)
    return text


def _with_instants(text: TextArray, dated: BoolArray, zone: str) -> TextArray:
    dated &= mask(pc.match_substring_regex(text, pattern=_DATE))
    if not dated.any():
        return text
    read = instants(text.filter(pa.array(dated)), _ABSENT, zone=zone)
    dated[dated] = ~read.bad
    written = _written(read.micros[~read.bad], np.zeros(int(dated.sum()), np.bool_))
    return pc.replace_with_mask(text, pa.array(dated), written)

"""Points in time, in every notation that records use, as microseconds since 1970 (UTC).

- Text: ISO 8601, with a zone or without, a date alone, a space for the T; or a number as below.
- Numbers: time since 1970 in seconds, milliseconds, microseconds or nanoseconds. The unit is decided value by
  value from its size: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
  Each unit then covers all of 1973 to 2200.
- Date keys such as 20260105 are dates (`datekeys`); other numbers below 1e8, which would be times before March of
  1973, are durations, hours or years that someone took for a time, and are refused.
- Without a zone, text, date keys and timestamps show the clock of the model's `timezone` (`zones`), by default UTC.
- Anything outside 1970 to 2200 is a mistake of the sender. Whether a time lies in the future is for others to say.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.datekeys import date_keys
from driftgauge.batch.values import MISSING, mask
from driftgauge.batch.zones import UTC as UTC_NAME
from driftgauge.batch.zones import to_utc
from driftgauge.columns import BoolArray, FloatArray, IntArray

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
# The earliest number that is a time: seconds of March 1973. What is smaller has another meaning.
FIRST_NUMBER: Final = 10**8
_EXACT: Final = 2**53
# From these sizes on a number counts milliseconds, microseconds and nanoseconds.
MILLIS, MICROS, NANOS = 10**11, 10**14, 10**17
_UNITS_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# No notation needs more; and the patterns below would take the square of the length.
_LONGEST: Final = 100
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d*)?(?:E[+-]?\d+)?", re.ASCII)
_NAMED_ZONE: Final = re.compile(r"\s*(?:UTC|GMT)$")
_SPACED_OFFSET: Final = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")


class Instants(NamedTuple):
    """micros: (n,) int64, the default where missing or bad. bad: (n,) there is a value that is not a point in time."""

    micros: IntArray
    bad: BoolArray


def instants(column: Any, default: int, *, zone: str = UTC_NAME) -> Instants:
    """Read a column of any type; `default` (microseconds) is taken where the column has no value.

    zone: whose clock a time without a zone shows.
    """
    present = mask(column.is_valid())
    micros = np.full(len(column), default, dtype=np.int64)
    read = _READERS.get(_family(column.type))
    if read is None:
        return Instants(micros, present)
    values, usable, missing = read(column, zone)
    np.copyto(micros, values, where=usable)
    return Instants(micros, present & ~usable & ~missing)


def notation(column: Any, zone: str) -> str:
    """Return how the first time of a column is written and read, in words; "" when it has none."""
    first = column.drop_null().slice(0, 1)
    if not len(first) or instants(first, 0, zone=zone).bad.any():
        return ""
    family = _family(first.type)
    clock = f"no zone: clock of {zone}"
    if family == "timestamp":
        return "timestamps with a zone" if first.type.tz else f"timestamps, {clock}"
    text = str(first[0].as_py()).strip().upper()
    if not _NUMBER.fullmatch(text):
        compact = _SPACED_OFFSET.sub("", _NAMED_ZONE.sub("Z", text))
        return "ISO 8601 with a zone" if datetime.fromisoformat(compact).tzinfo else f"ISO 8601, {clock}"
    value = float(text)
    if date_keys(np.array([int(value)])).looks.any():
        return f"date keys, {clock}"
    sizes = ((MILLIS, "s"), (MICROS, "ms"), (NANOS, "µs"))
    unit = next((unit for size, unit in sizes if value < size), "ns")
    return f"{unit} since 1970, by size"


_Read = tuple[IntArray, BoolArray, BoolArray]  # microseconds, usable, missing although not null


def _family(kind: Any) -> str:
    for name, check in (
        ("timestamp", pa.types.is_timestamp),
        ("integer", pa.types.is_integer),
        ("float", pa.types.is_floating),
        ("text", pa.types.is_string),
    ):
        if check(kind):
            return name
    return "null" if pa.types.is_null(kind) else "unusable"


def _read_nothing(column: Any, _zone: str) -> _Read:
    none = np.zeros(len(column), dtype=np.bool_)
    return np.zeros(len(column), dtype=np.int64), none, none


def _read_timestamps(column: Any, zone: str) -> _Read:
    """Timestamps with a zone hold UTC, by Arrow's convention."""
    ticks = _int64(column)
    per_second = _UNITS_PER_SECOND[column.type.unit]
    in_range = (ticks >= 0) & (ticks < _END // 10**6 * per_second)
    safe = np.where(in_range, ticks, 0)
    micros = safe * (10**6 // per_second) if per_second <= 10**6 else safe // (per_second // 10**6)
    known = micros if column.type.tz else to_utc(micros, zone)
    return known, mask(column.is_valid()) & in_range, np.zeros(len(column), dtype=np.bool_)


def _read_integers(column: Any, zone: str) -> _Read:
    values = _int64(column)
    positive = np.where(values < 0, 0, values)
    micros = np.select(
        [positive < MILLIS, positive < MICROS, positive < NANOS],
        [positive % MILLIS * 10**6, positive % MICROS * 10**3, positive],
        positive // 10**3,
    )
    keys = date_keys(values)
    if keys.looks.any():
        micros = np.where(keys.looks, to_utc(keys.micros, zone), micros)
    usable = np.where(keys.looks, keys.valid, (values >= FIRST_NUMBER) & (micros < _END)) & mask(column.is_valid())
    return micros, usable, np.zeros(len(column), dtype=np.bool_)


def _read_floats(column: Any, zone: str) -> _Read:
    values: FloatArray = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    missing = np.isnan(values)
    whole = np.where((np.abs(values) < _EXACT) & (np.trunc(values) == values), values, 0).astype(np.int64)
    keys = date_keys(whole)
    if keys.looks.any():
        # Beside a missing value whole numbers become floats.
        rest = _read_floats(pa.array(np.where(keys.looks, np.nan, values)), zone)
        micros = np.where(keys.looks, to_utc(keys.micros, zone), rest[0])
        return micros, np.where(keys.looks, keys.valid, rest[1]), missing
    sane = ~missing & (values >= FIRST_NUMBER) & (values < 1e19)
    safe = np.where(sane, values, 0.0)
    factor = np.select([safe < MILLIS, safe < MICROS, safe < NANOS], [1e6, 1e3, 1.0], 1e-3)
    micros = np.rint(safe * factor)
    usable = sane & (micros < _END)
    return np.where(usable, micros, 0.0).astype(np.int64), usable, missing


def _read_text(column: Any, zone: str) -> _Read:
    missing = mask(pc.is_in(column, value_set=MISSING))
    text = pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), column) if missing.any() else column
    first = text.drop_null().slice(0, 1)
    for target, read in _UNIFORM:
        try:
            # Arrow tries every row before it fails, so the first row is tried alone.
            first.cast(target)
            cast = text.cast(target)
        except pa.ArrowInvalid:
            continue
        micros, usable, _ = read(cast, zone)
        return micros, usable, missing
    parsed = pa.array([None if value is None else _parse(value, zone) for value in text.to_pylist()], pa.int64())
    return _int64(parsed), mask(parsed.is_valid()), missing


def _int64(column: Any) -> IntArray:
    ints: IntArray = pc.fill_null(column.cast(pa.int64(), safe=False), 0).to_numpy(zero_copy_only=False)
    return ints


def _parse(text: str, zone: str) -> int | None:
    """Read one text of a column that mixes notations, or uses one that Arrow does not know."""
    if len(text) > _LONGEST:
        return None
    compact = _SPACED_OFFSET.sub("", _NAMED_ZONE.sub("Z", text.strip().upper()))
    if _NUMBER.fullmatch(compact):
        return _parse_number(compact, zone)
    try:
        moment = datetime.fromisoformat(compact)
    except ValueError:
        return None
    written = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    micros = written // timedelta(microseconds=1)
    if moment.tzinfo is None:
        micros = int(to_utc(np.array([micros]), zone)[0])
    return micros if 0 <= micros < _END else None


def _parse_number(text: str, zone: str) -> int | None:
    """Read digits exactly where they fit 64 bits: a float cannot hold nanoseconds since 1970."""
    whole = text.isdecimal() and len(text) <= 19 and int(text) < 2**63
    micros, usable, _ = (
        _read_integers(pa.array([int(text)]), zone) if whole else _read_floats(pa.array([float(text)]), zone)
    )
    return int(micros[0]) if usable[0] else None


_READERS: Final[dict[str, Callable[[Any, str], _Read]]] = {
    "null": _read_nothing,
    "timestamp": _read_timestamps,
    "integer": _read_integers,
    "float": _read_floats,
    "text": _read_text,
}
# Notations tried on a whole column of text, most likely first; numbers before they could be taken for compact dates.
_UNIFORM: Final = (
    (pa.timestamp("us"), _read_timestamps),
    (pa.timestamp("us", "UTC"), _read_timestamps),
    (pa.int64(), _read_integers),
    (pa.float64(), _read_floats),
)

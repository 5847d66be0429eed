"""Durations of requests: seconds from any unit, which the type, the configuration or the name of a column says.

type              an Arrow duration, or text such as 8.1ms, 00:00:00.0081 and 0 days 00:00:00.0081
configuration     `latency_unit`
name              its last word: latency_us, duration_ns, latencyMs, latency_millis, took_s
otherwise         seconds
"""

import re
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.batch.values import numbers
from driftgauge.columns import FloatArray, Note
from driftgauge.schema import LATENCY_UNITS

_WORDS: Final = re.compile(r"[A-Z]?[a-zµμ]+|[A-Z]+")
_CLOCK: Final = re.compile(r"(?:(\d+) days? )?\+?(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")
_WITH_UNIT: Final = re.compile(r"(\d+(?:\.\d*)?) ?([a-zµμ]+)")
# Longer or shorter requests exist, but half of all requests are not like that.
_LONGEST, _SHORTEST = 3600.0, 1e-6


def latencies(column: Any, path: str, unit: str | None) -> FloatArray:
    """Return seconds (n,), NaN where there is no duration; `unit` is what the configuration says."""
    read = numbers(column)
    seconds = read.values if pa.types.is_duration(column.type) else read.values * _seconds_per(path, unit)
    if pa.types.is_string(column.type) and read.bad.any():
        at = np.flatnonzero(read.bad)
        seconds[at] = [_parsed(text) for text in column.take(pa.array(at)).to_pylist()]
    return _positive(seconds)


def unit_of(column: Any, path: str, unit: str | None) -> str:
    """Return in which unit a column is read and what says so, in words."""
    if pa.types.is_duration(column.type):
        return f"{column.type.unit}, by its type"
    if unit:
        return f"{unit}, by latency_unit"
    word = _last_word(path)
    return f"{word}, by its name" if word in LATENCY_UNITS else "s, for nothing says otherwise"


def implausible(seconds: FloatArray, path: str) -> Note | None:
    """Return what is to be said of a column whose median is over an hour or under a microsecond."""
    present = seconds[~np.isnan(seconds)]
    median = float(np.median(present)) if len(present) else 1.0
    if _SHORTEST <= median <= _LONGEST or not present.any():
        return None
    size = "over" if median > _LONGEST else "under"
    return Note(
        "implausible_latency",
        path,
        f"{present[0]:g}",
        f'half of the values of "{path}" are {size} {median:g} s; write its unit: latency_unit: ms (or s, us, ns)',
    )


def _seconds_per(path: str, unit: str | None) -> float:
    return LATENCY_UNITS.get(unit or _last_word(path), 1.0)


def _last_word(path: str) -> str:
    words: list[str] = _WORDS.findall(path)
    return words[-1].lower() if words else ""


def _positive(seconds: FloatArray) -> FloatArray:
    return np.where(seconds >= 0, seconds, np.nan)


def _parsed(text: str) -> float:
    """Read one text as a clock or a number with a unit, NaN when it is neither."""
    short = text.strip()[:60]
    if clock := _CLOCK.fullmatch(short):
        days, hours, minutes, rest = clock.groups()
        return int(days or 0) * 86_400 + int(hours) * 3600 + int(minutes) * 60 + float(rest)
    match = _WITH_UNIT.fullmatch(short)
    return float(match[1]) * LATENCY_UNITS[match[2]] if match and match[2] in LATENCY_UNITS else np.nan

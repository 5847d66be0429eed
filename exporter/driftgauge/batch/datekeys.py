"""Times written as date keys: 20260105, 202601051030, 20260105103000 or with milliseconds 20260105103000250.

Digits of a date are small as a time since 1970: they would be seconds or milliseconds of the seventies, or of a year
after 2500. No sender means those, so what has as many digits as a key and is no date is a mistake.
"""

from typing import Final, NamedTuple

import numpy as np

from driftgauge.columns import BoolArray, IntArray

# Digits after the date -> the largest value and microseconds of each two or three of them, from the left.
_FORMS: Final[dict[int, tuple[int, ...]]] = {0: (), 4: (2, 2), 6: (2, 2, 2), 9: (2, 2, 2, 3)}
_LIMITS: Final = (24, 60, 60, 1000)
_MICROS: Final = (3600 * 10**6, 60 * 10**6, 10**6, 1000)
_FIRST, _LAST = 1970_01_01, 2200_01_01
_DAY: Final = 86_400 * 10**6


class DateKeys(NamedTuple):
    """micros: (n,) since 1970 by the clock that wrote the key. looks: (n,) as many digits as a key. valid: (n,)."""

    micros: IntArray
    looks: BoolArray
    valid: BoolArray


def date_keys(values: IntArray) -> DateKeys:
    """Read whole numbers (n,) that are the digits of dates between 1970 and 2200."""
    micros = np.zeros(len(values), dtype=np.int64)
    looks, valid = np.zeros(len(values), dtype=np.bool_), np.zeros(len(values), dtype=np.bool_)
    for digits, widths in _FORMS.items():
        scale = 10**digits
        form = (values >= _FIRST * scale) & (values < _LAST * scale)
        if form.any():
            looks |= form
            at = np.flatnonzero(form)
            days, fine = _days(values[at] // scale)
            time, in_day = _time(values[at] % scale, digits, widths)
            micros[at], valid[at] = days * _DAY + time, fine & in_day
    return DateKeys(micros, looks, valid)


def _days(dates: IntArray) -> tuple[IntArray, BoolArray]:
    """Return days since 1970 of YYYYMMDD, and which of them are in the calendar."""
    years, months, days = dates // 10_000, dates // 100 % 100, dates % 100
    named = (months >= 1) & (months <= 12) & (days >= 1)
    first = ((years - 1970) * 12 + np.where(named, months, 1) - 1).astype("datetime64[M]")
    moments = first.astype("datetime64[D]") + np.where(named, days - 1, 0)
    return moments.astype(np.int64), named & (moments.astype("datetime64[M]") == first)


def _time(rest: IntArray, digits: int, widths: tuple[int, ...]) -> tuple[IntArray, BoolArray]:
    """Return the microseconds of the digits after the date, and which of them are a time of day."""
    micros, fine = np.zeros(len(rest), dtype=np.int64), np.ones(len(rest), dtype=np.bool_)
    for width, limit, unit in zip(widths, _LIMITS, _MICROS, strict=False):
        digits -= width
        part = rest // 10**digits % 10**width
        micros += part * unit
        fine &= part < limit
    return micros, fine

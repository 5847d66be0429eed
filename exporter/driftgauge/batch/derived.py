"""Numbers derived from dates and times: an age in days, an hour, a day of the week."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch.times import instants
from driftgauge.batch.values import Numbers, mask, without_missing
from driftgauge.batch.zones import to_utc
from driftgauge.columns import BoolArray, FloatArray, IntArray
from driftgauge.schema import DateUnit

_DAY: Final = 86_400 * 10**6
_NONE: Final = np.iinfo(np.int64).min


def moments_as(column: Any, unit: DateUnit, *, time: FloatArray, zone: str) -> Numbers:
    """Return what is asked of the dates of a column (n,), and where there is a value that is no date.

    age_days: up to `time` (n,) in µs, NaN where that is not known. hour: 0 to 23, weekday: 0 for Monday to 6, as the
    clock of `zone` shows them, which is also that of dates without a zone.
    """
    column = without_missing(column)
    micros, bad = _moments(column, zone)
    known = micros != _NONE
    if unit == "age_days":
        with np.errstate(invalid="ignore"):
            return Numbers(np.where(known, (time - micros) / _DAY, np.nan), bad)
    shown = pa.array(micros, pa.timestamp("us", "UTC"), mask=~known).cast(pa.timestamp("us", zone))
    parts = pc.hour(shown) if unit == "hour" else pc.day_of_week(shown)
    return Numbers(pc.fill_null(parts.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False), bad)


def _moments(column: Any, zone: str) -> tuple[IntArray, BoolArray]:
    """Return µs since 1970, before it as well, `_NONE` where there are none; and where values are no dates."""
    if pa.types.is_string(column.type):
        column = _typed(column)
    if pa.types.is_timestamp(column.type):
        ticks = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        present = mask(ticks.is_valid())
        micros = pc.fill_null(ticks, 0).to_numpy(zero_copy_only=False)
        return np.where(present, micros if column.type.tz else to_utc(micros, zone), _NONE), np.zeros(len(column), bool)
    if not pa.types.is_string(column.type):
        return instants(column, _NONE, zone=zone)
    encoded = column.dictionary_encode()
    texts = encoded.dictionary
    micros, bad = instants(texts, _NONE, zone=zone)
    for at in np.flatnonzero(bad):
        # Times of records are none before 1970, but dates of birth are.
        one = _typed(texts.slice(at, 1))
        if pa.types.is_timestamp(one.type):
            (micros[at],), (bad[at],) = _moments(one, zone)
    known = pa.array(micros).take(encoded.indices), pa.array(bad).take(encoded.indices)
    return pc.fill_null(known[0], _NONE).to_numpy(zero_copy_only=False), mask(known[1])


def _typed(text: Any) -> Any:
    """Return text as timestamps, where all of it is that."""
    for target in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return text.cast(target)
        except pa.ArrowInvalid:
            continue
    return text

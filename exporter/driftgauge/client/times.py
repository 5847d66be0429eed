"""Points in time as serving code has them: seconds since 1970, datetimes, ISO 8601 text, NumPy's datetime64.

A time without a zone is UTC. A value that cannot be read, or is outside 1970 to 2200, becomes the current time, so that
the row is kept.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa

from driftgauge.client.values import Array

_TYPE: Final = pa.timestamp("us", "UTC")
_MICROSECONDS: Final = 1_000_000
_END: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


def time_column(values: Any, now: float) -> Array:
    """Return times as one array of microseconds, UTC; `now` (s since 1970) replaces those that cannot be read."""
    if set(map(type, values)) == {float} if isinstance(values, list | tuple) else False:
        seconds: Sequence[float] = values
    else:
        seconds = [_seconds(value) for value in _listed(values)]
    # NaN compares false.
    micros = [round((value if 0 <= value < _END else now) * _MICROSECONDS) for value in seconds]
    return pa.array(micros, pa.int64()).cast(_TYPE)


def _listed(values: Any) -> Sequence[Any]:
    if getattr(getattr(values, "dtype", None), "kind", "") == "M" and hasattr(values, "reshape"):
        values = values.astype("datetime64[us]")
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _seconds(value: Any) -> float:
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
        if type(value).__name__ == "datetime64":
            return float(value.astype("datetime64[us]").astype("int64")) / _MICROSECONDS
        return float(value)
    except Exception:  # noqa: BLE001 - other people's objects may raise anything, and the row must be kept
        return float("nan")

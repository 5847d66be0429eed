"""Times without a zone: from the clock on the wall of a place to UTC. Pure, but for the time zone database."""

from datetime import timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from driftgauge.columns import IntArray

UTC: Final = "UTC"
# No zone changes its offset within such a quarter of an hour since 1970.
_QUARTER: Final = 900
_SECOND: Final = 10**6


def to_utc(local: IntArray, zone: str) -> IntArray:
    """Return the microseconds since 1970 (UTC) of times that are written as the clocks of `zone` show them.

    Of an hour that a clock shows twice the first is meant; a time that it leaves out counts as it would without the
    change (PEP 495, fold=0).
    """
    if zone == UTC or not len(local):
        return local
    quarters, at = np.unique(local // (_QUARTER * _SECOND), return_inverse=True)
    offsets = np.array([_offset(int(quarter), zone) for quarter in quarters], dtype=np.int64)
    shifted: IntArray = local - offsets[at] * _SECOND
    return shifted


@lru_cache(maxsize=4096)
def _offset(quarter: int, zone: str) -> int:
    """Return the seconds by which the clocks of a zone are ahead in a quarter of an hour of their own."""
    moment = (np.datetime64(0, "s") + quarter * _QUARTER).item().replace(tzinfo=ZoneInfo(zone))
    return int((moment.utcoffset() or timedelta()).total_seconds())

"""Times as a report has them: ISO 8601, UTC, to the second."""

from datetime import UTC, datetime
from typing import overload

from driftgauge.windows import MICROSECONDS


@overload
def moment(time: int) -> str: ...
@overload
def moment(time: None) -> None: ...
@overload
def moment(time: int | None) -> str | None: ...
def moment(time: int | None) -> str | None:
    """Return a time (µs since 1970) as text, None as None."""
    return None if time is None else f"{datetime.fromtimestamp(time // MICROSECONDS, UTC):%Y-%m-%dT%H:%M:%SZ}"

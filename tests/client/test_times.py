"""Times are read in every notation that serving code has; a row without a readable one is still a row."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from driftgauge.client.times import time_column

NOW: Final = 1_767_960_000.0
THEN: Final = datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "values",
    [
        [THEN.timestamp()],
        [THEN],
        [THEN.replace(tzinfo=None)],
        [THEN.astimezone(timezone(timedelta(hours=5)))],
        ["2026-01-02T03:04:05.250Z"],
        ["2026-01-02 03:04:05.250"],
        [np.datetime64("2026-01-02T03:04:05.250")],
        np.array(["2026-01-02T03:04:05.250"], dtype="M8[ns]"),
        np.array([THEN.timestamp()]),
        pd.Series([pd.Timestamp(THEN)]),
    ],
    ids=repr,
)
def test_a_time_in_any_notation(values: Any) -> None:
    """Seconds, datetimes, ISO 8601 and NumPy mean the same moment; without a zone it is UTC."""
    assert time_column(values, NOW).to_pylist() == [THEN]


@pytest.mark.parametrize("value", [None, float("nan"), "yesterday", -5.0, 1e12, pd.NaT, np.datetime64("NaT"), object()])
def test_what_is_no_time_becomes_the_time_at_hand(value: Any) -> None:
    """The row counts, at about the time it was logged."""
    assert time_column([value], NOW).to_pylist() == [datetime.fromtimestamp(NOW, UTC)]


def test_a_date_is_its_first_moment() -> None:
    """Midnight in UTC."""
    assert time_column([date(2026, 1, 2)], NOW).to_pylist() == [datetime(2026, 1, 2, tzinfo=UTC)]

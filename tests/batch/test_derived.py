"""Features from dates."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from driftgauge.batch.derived import moments_as

DAY = 86_400 * 10**6
BORN = dt.datetime(1969, 12, 30, 12)  # noqa: DTZ001 - a Tuesday, on some clock


@pytest.mark.parametrize(
    "column",
    [
        pa.array([BORN], pa.timestamp("ns")),
        pa.array(["1969-12-30T12:00:00"]),
        pa.array(["1969-12-30 12:00:00"]),
        pa.array([BORN], pa.timestamp("us", "UTC")),
        pa.array(["1969-12-30T13:00:00+01:00"]),
    ],
)
def test_dates_of_any_type(column: Any) -> None:
    """Also before 1970."""
    time = np.array([DAY * 10.0])
    assert moments_as(column, "age_days", time=time, zone="UTC").values.tolist() == [11.5]
    assert moments_as(column, "hour", time=time, zone="UTC").values.tolist() == [12.0]
    assert moments_as(column, "weekday", time=time, zone="UTC").values.tolist() == [1.0]


def test_the_clock_of_a_zone() -> None:
    """Dates without a zone show the model's clock, and others are shown by it."""
    time = np.zeros(2)
    there = pa.array(["2026-07-05T23:30:00", "2026-07-05T12:00:00"])
    assert moments_as(there, "hour", time=time, zone="Europe/Berlin").values.tolist() == [23.0, 12.0]
    utc = pa.array(["2026-07-05T23:30:00Z", "2026-07-05T12:00:00Z"])
    assert moments_as(utc, "hour", time=time, zone="Europe/Berlin").values.tolist() == [1.0, 14.0]
    assert moments_as(utc, "weekday", time=time, zone="Europe/Berlin").values.tolist() == [0.0, 6.0]


def test_missing_and_bad_dates() -> None:
    """What is no date is bad; without a time there is no age."""
    values, bad = moments_as(pa.array(["", None, "x", "20260105"]), "hour", time=np.zeros(4), zone="UTC")
    assert np.isnan(values).tolist() == [True, True, True, False]
    assert bad.tolist() == [False, False, True, False]
    assert np.isnan(moments_as(pa.array(["2026-01-05"]), "age_days", time=np.array([np.nan]), zone="UTC").values).all()

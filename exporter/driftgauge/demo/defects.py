"""Defects of the features on their way to the model: simple, frequent mistakes of pipelines, and changes that stay.

Each takes the flights of correct requests and returns them as the broken feed sends them. The flights and their labels
are real.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd

Defect = Callable[[pd.DataFrame], pd.DataFrame]

# As of 2013, from IATA to ICAO.
AIRLINES: Final[Mapping[str, str]] = {
    "9E": "FLG", "AA": "AAL", "AS": "ASA", "B6": "JBU", "DL": "DAL", "EV": "ASQ", "F9": "FFT", "FL": "TRS",
    "HA": "HAL", "MQ": "EGF", "OO": "SKW", "UA": "UAL", "US": "AWE", "VX": "VRD", "WN": "SWA", "YV": "ASH",
}  # fmt: skip
# The others are IATA's code with a K in front.
_BEYOND_THE_MAINLAND: Final[Mapping[str, str]] = {
    "ANC": "PANC", "BQN": "TJBQ", "HNL": "PHNL", "PSE": "TJPS", "SJU": "TJSJ", "STT": "TIST",
}  # fmt: skip


def icao_codes(flights: pd.DataFrame) -> pd.DataFrame:
    """Send airlines and airports by ICAO's codes (UAL, KEWR), which the model has never seen, instead of IATA's."""
    return flights.assign(
        carrier=_recoded(flights["carrier"], AIRLINES.__getitem__),
        origin=_recoded(flights["origin"], _airport),
        dest=_recoded(flights["dest"], _airport),
    )


def no_departure_delay(flights: pd.DataFrame) -> pd.DataFrame:
    """Remove the values of the column that the model needs most, like a join without matches."""
    return flights.assign(dep_delay=np.nan)


def delay_in_hours(flights: pd.DataFrame) -> pd.DataFrame:
    """Send the delay in hours, as another system has it; the model has learnt minutes."""
    return flights.assign(dep_delay=flights["dep_delay"] / 60)


def as_repaired(flights: pd.DataFrame) -> pd.DataFrame:
    """Send flights as the repaired feed does, from then on: by ICAO's codes, and with delays in hours."""
    return delay_in_hours(icao_codes(flights))


def _airport(code: str) -> str:
    return _BEYOND_THE_MAINLAND.get(code, f"K{code}")


def _recoded(codes: "pd.Series[str]", other: Callable[[str], str]) -> "pd.Series[pd.CategoricalDtype]":
    return codes.astype(str).map(other).astype("category")

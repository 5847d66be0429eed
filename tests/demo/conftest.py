"""The flights of 2013 and one model trained on them, made once for all tests of the demo."""

import pandas as pd
import pytest

from driftgauge.demo.flights import load_flights
from driftgauge.demo.training import Training, train


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    """Return all departures."""
    return load_flights()


@pytest.fixture(scope="session")
def training(flights: pd.DataFrame) -> Training:
    """Return the demo's model with its reference."""
    return train(flights)

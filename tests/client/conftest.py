"""Loggers that reach no MLflow: their uploads fail at once, and what they wrote waits in the spool."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from driftgauge.client import PredictionLogger

OfflineLogger = Callable[..., PredictionLogger]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Return a folder for the spool, which is not there yet."""
    return tmp_path / "spool"


@pytest.fixture
def offline(spool: Path) -> Iterator[OfflineLogger]:
    """Return what makes loggers over `spool`; they are closed at the end."""
    made: list[PredictionLogger] = []

    def make(**settings: Any) -> PredictionLogger:
        fixed = {"spool_dir": spool, "tracking_uri": "nowhere://", "handle_sigterm": False}
        made.append(PredictionLogger("/e", "1", **{**fixed, **settings}))
        return made[-1]

    yield make
    for serving in made:
        serving.close(60)

"""What `driftgauge hook` starts in the demo: `python -m driftgauge.demo.retrain DIRECTORY` registers the next version.

It is trained on all flights whose label has come, as the repaired feed sends them, and makes itself the champion.
"""

import os
import sys
from pathlib import Path
from typing import Final

import pandas as pd

from driftgauge.demo.defects import as_repaired
from driftgauge.demo.directory import in_use
from driftgauge.demo.flights import load_flights
from driftgauge.demo.journal import read_back
from driftgauge.demo.names import LABELS, artifacts_of
from driftgauge.demo.training import TRAINING_END, fit
from driftgauge.source import environment

_MLFLOW_TIMEOUT: Final = 60.0


def labelled(flights: pd.DataFrame, directory: Path) -> pd.DataFrame:
    """Return the flights of the first training, and those whose label was logged since."""
    came = read_back(artifacts_of(directory, LABELS), "request_id")
    old = flights["late"].notna() & (flights["departed"] < TRAINING_END)
    return flights[old | flights["request_id"].isin(came)]


def main() -> None:
    """Train and register; the demo in the directory must be running."""
    directory = Path(sys.argv[1]).resolve()
    environment.prepare(timeout=_MLFLOW_TIMEOUT)
    training = fit(as_repaired(labelled(load_flights(), directory)))
    if not in_use(directory):
        sys.exit("the demo has ended meanwhile: nothing is registered")
    from driftgauge.demo.registry import register  # noqa: PLC0415 - brings MLflow

    trigger = os.environ.get("DRIFTGAUGE_TRIGGER", "")
    _, version = register(training, directory, tags={"driftgauge.trigger": trigger})
    accuracy = training.metrics["accuracy"]
    sys.stdout.write(f"version {version}: {training.rows:,} flights, accuracy {accuracy:.3f} on those held out\n")


if __name__ == "__main__":
    main()

"""Names and the threshold that the demo's training, serving and configuration share."""

from pathlib import Path
from typing import Final

MODEL: Final = "flight-delay"
ALIAS: Final = "champion"
REFERENCE: Final = "reference.parquet"
TRAINING: Final = "/training/flight-delay"
PREDICTIONS: Final = "/monitoring/flight-delay"
LABELS: Final = "/monitoring/flight-delay-labels"
# A flight is predicted to be late from this score on.
THRESHOLD: Final = 0.5


def tracking_uri(directory: Path) -> str:
    """Return the URI of the store in the demo's absolute directory."""
    return f"sqlite:///{directory / 'mlflow.db'}"

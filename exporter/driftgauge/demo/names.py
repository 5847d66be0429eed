"""Names and the threshold that the demo's training, serving and configuration share."""

import json
from pathlib import Path
from typing import Final

MODEL: Final = "flight-delay"
ALIAS: Final = "champion"
REFERENCE: Final = "reference.parquet"
TRAINING: Final = "/training/flight-delay"
PREDICTIONS: Final = "/monitoring/flight-delay"
LABELS: Final = "/monitoring/flight-delay-labels"
RETRAINING: Final = "/monitoring/flight-delay-retraining"
# A flight is predicted to be late from this score on.
THRESHOLD: Final = 0.5


def artifacts_of(directory: Path, experiment: str) -> Path:
    """Return where an experiment keeps its artifacts, in the demo's absolute directory."""
    return directory / "artifacts" / experiment[1:]


def tracking_uri(directory: Path) -> str:
    """Return the URI of the store in the demo's absolute directory."""
    return f"sqlite:///{directory / 'mlflow.db'}"


def quoted(text: str) -> str:
    """Return a text as a value in our YAML files."""
    # JSON's strings are YAML's too; a lone $ would begin a variable.
    return json.dumps(text, ensure_ascii=False).replace("$", "$$")

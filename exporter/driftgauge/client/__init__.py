"""Logs predictions, labels and references to MLflow from serving code; the exporter reads them without any mapping.

It lives in other people's processes: importing it loads nothing, and MLflow is loaded by the thread that uploads.
The rest of driftgauge is not needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from driftgauge.client.logger import PredictionLogger as PredictionLogger
    from driftgauge.client.spool import SpoolFile as SpoolFile

_HOMES: Final = {
    "PredictionLogger": "logger",
    "SpoolFile": "spool",
}

__all__ = ["PredictionLogger", "SpoolFile"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

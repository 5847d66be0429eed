"""Logs predictions, labels and references to MLflow from serving code; the exporter reads them without any mapping.

It runs in other people's processes: importing it imports none of its modules, and MLflow is imported by the thread that
uploads. Of driftgauge it needs only `schema` and `errors`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from driftgauge.client.health import Health as Health
    from driftgauge.client.health import register_metrics as register_metrics
    from driftgauge.client.lanes import SpoolFile as SpoolFile
    from driftgauge.client.logger import PredictionLogger as PredictionLogger
    from driftgauge.client.monitored import MonitoredModel as MonitoredModel
    from driftgauge.client.reference import log_reference as log_reference

_MODULES: Final = {
    "Health": "health",
    "MonitoredModel": "monitored",
    "PredictionLogger": "logger",
    "SpoolFile": "lanes",
    "log_reference": "reference",
    "register_metrics": "health",
}

__all__ = ["Health", "MonitoredModel", "PredictionLogger", "SpoolFile", "log_reference", "register_metrics"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

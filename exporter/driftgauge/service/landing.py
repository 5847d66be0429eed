"""The figures of each model on the landing page: read from its samples by the refresher, shown by the front.

They pass between the two as JSON, so times are seconds since 1970 here and become datetimes in the front.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from driftgauge.config import Config, ModelConfig
from driftgauge.samples import Sample, Samples
from driftgauge.web.status import ModelStatus

Figures = Mapping[str, Any]

# The one figure of a model's performance that stands for it, by task: what it is called and its family.
_MAIN_METRIC: Final = {
    "binary": ("accuracy", "model_accuracy"),
    "multiclass": ("accuracy", "model_accuracy"),
    "regression": ("MAE", "model_mean_absolute_error"),
}


def figures(model: ModelConfig, config: Config, samples: Samples) -> dict[str, Any]:
    """Return what is shown of a model, over the longest window of its newest version."""
    longest = max(config.windows, key=lambda window: window.seconds).name
    # Samples are in order of the newest prediction, so the first version is the current one.
    versions = [sample.labels[1] for sample in samples.get("model_window_predictions", ())]
    here = (model.name, versions[0] if versions else "", longest)
    title, family = _MAIN_METRIC[model.task]
    performance = _value(samples, family, here)
    return {
        "last_prediction": _value(samples, "model_last_prediction_timestamp_seconds", here[:1]),
        "last_label": _value(samples, "model_last_label_timestamp_seconds", here[:1]),
        "predictions": _whole(_value(samples, "model_window_predictions", here)),
        "performance": None if performance is None else (title, performance),
        "drifted_features": _whole(_value(samples, "model_drifted_features", here)),
        "monitored_features": _whole(_value(samples, "model_monitored_features", here)),
    }


def model_status(model: ModelConfig, config: Config, shown: Figures | None, *, error: str | None) -> ModelStatus:
    """Return a row of the landing page; `shown` is None of a model that no refresh has seen."""
    values = shown or {}
    performance = values.get("performance")
    return ModelStatus(
        name=model.name,
        task=model.task,
        windows=tuple(window.name for window in config.windows),
        last_prediction=moment(values.get("last_prediction")),
        last_label=moment(values.get("last_label")),
        predictions=values.get("predictions"),
        performance=(performance[0], performance[1]) if performance else None,
        drifted_features=values.get("drifted_features"),
        monitored_features=values.get("monitored_features"),
        error=error,
        again=values.get("again"),
    )


def moment(seconds: float | None) -> datetime | None:
    """Return seconds since 1970 as a time in UTC, None as None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _value(samples: Samples, family: str, labels: tuple[str, ...]) -> float | None:
    for sample in samples.get(family, ()):
        if isinstance(sample, Sample) and sample.labels == labels and not sample.segment:
            return sample.value
    return None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)

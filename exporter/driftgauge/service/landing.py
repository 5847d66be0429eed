"""What the landing page shows, read from the samples that were published."""

from datetime import UTC, datetime
from typing import Final

from driftgauge.config import Config, ModelConfig, without_secrets
from driftgauge.families import Sample, Samples
from driftgauge.service.publication import Publication
from driftgauge.web.status import ModelStatus, Status

# The one figure of a model's performance that stands for it, by task: what it is called and its family.
_MAIN_METRIC: Final = {
    "binary": ("accuracy", "model_accuracy"),
    "multiclass": ("accuracy", "model_accuracy"),
    "regression": ("MAE", "model_mean_absolute_error"),
}


def landing(publication: Publication, config: Config, *, started: float, now: float) -> Status:
    """Return the status at `now`; `started` is when the exporter was (both s since 1970)."""
    health = publication.health
    return Status(
        now=_utc(now),
        started=_utc(started),
        mlflow_uri=without_secrets(config.mlflow.tracking_uri or ""),
        mlflow_up=health.mlflow_up,
        last_refresh=_moment(health.last_refresh),
        refresh_seconds=health.duration,
        refresh_succeeded=health.succeeded,
        models=tuple(_model(model, config, publication) for model in config.models),
    )


def _model(model: ModelConfig, config: Config, publication: Publication) -> ModelStatus:
    samples = publication.models.get(model.name, {})
    longest = max(config.windows, key=lambda window: window.seconds).name
    # Samples are in order of the newest prediction, so the first version is the current one.
    versions = [sample.labels[1] for sample in samples.get("model_window_predictions", ())]
    here = (model.name, versions[0] if versions else "", longest)
    title, family = _MAIN_METRIC[model.task]
    performance = _value(samples, family, here)
    return ModelStatus(
        name=model.name,
        task=model.task,
        windows=tuple(window.name for window in config.windows),
        last_prediction=_moment(_value(samples, "model_last_prediction_timestamp_seconds", here[:1])),
        last_label=_moment(_value(samples, "model_last_label_timestamp_seconds", here[:1])),
        predictions=_whole(_value(samples, "model_window_predictions", here)),
        performance=None if performance is None else (title, performance),
        drifted_features=_whole(_value(samples, "model_drifted_features", here)),
        monitored_features=_whole(_value(samples, "model_monitored_features", here)),
        error=publication.health.messages.get(model.name),
    )


def _value(samples: Samples, family: str, labels: tuple[str, ...]) -> float | None:
    for sample in samples.get(family, ()):
        if isinstance(sample, Sample) and sample.labels == labels and not sample.segment:
            return sample.value
    return None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else _utc(seconds)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

"""Whether alerts can find what they look at: windows, models and metrics of the thresholds in the exporter's own file.

An alert on a window or a model that the exporter does not have never fires, and nothing else would say so.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from driftgauge.config import Config, ModelConfig, format_duration
from driftgauge.config.fields import METRICS, Window
from driftgauge.config.units import DAY
from driftgauge.config.wording import path_text, quoted, suggestion
from driftgauge.generator.alerts import MODEL_ALERTS
from driftgauge.generator.thresholds import Thresholds, Windows

# Which alerts look at the window of each kind.
_LOOK_AT: Final[Mapping[str, tuple[str, ...]]] = {
    "performance": (
        *("ModelPerformanceDegraded", "ModelBelowFloor", "ModelEstimatedPerformanceDegraded"),
        *("ModelConceptDrift", "ModelSlicesDegraded", "ModelLabelDrift"),
    ),
    "drift": (
        *("ModelFeaturesDrifted", "ModelPredictionShifted", "ModelOutputDrifted", "ModelMultivariateDrift"),
        "ModelFeatureDrifted",
    ),
    "quality": ("ModelMissingValues", "ModelUnseenCategories", "ModelOutliers", "ModelUnusualRows"),
    "service": ("ModelLatencyHigh", "ModelErrorRatioHigh"),
    "traffic": ("ModelTrafficStopped", "ModelTrafficFell"),
    "labels": ("ModelLabelsLate", "ModelLabelsMissing"),
}
_NEED_A_REFERENCE: Final = (
    *("ModelEstimatedPerformanceDegraded", "ModelConceptDrift", "ModelSlicesDegraded", "ModelLabelDrift"),
    *_LOOK_AT["drift"],
    *("ModelDriftEvidence", "ModelUnusualRows", "ModelUnseenCategories", "ModelOutliers"),
)
_NEED_A_BASELINE: Final = ("ModelPerformanceDegraded", "ModelPerformanceEvidence")


def mismatches(thresholds: Thresholds, config: Config) -> list[str]:
    """Return what keeps alerts from ever firing: a line each, `path: what; remedy`."""
    return [*_windows(thresholds, config), *_models(thresholds, config), *_interval(thresholds, config)]


def blind_spots(thresholds: Thresholds, config: Config) -> list[str]:
    """Return which alerts say nothing of which models, for these lack what they compare with: a line each."""
    found: list[str] = []
    for model in config.models:
        alerts = thresholds.for_model(model.name).alerts
        enabled = [name for name in MODEL_ALERTS if getattr(alerts, name).enabled]
        lacking = [name for name in _NEED_A_REFERENCE if name in enabled] if model.reference is None else []
        if model.reference is None and not model.baseline:
            lacking += [name for name in _NEED_A_BASELINE if name in enabled]
        found += _days_not_kept(thresholds, config, model)
        if lacking:
            found.append(f"{model.name} has no reference in driftgauge.yml, so these never fire: {', '.join(lacking)}")
    return found


def _days_not_kept(thresholds: Thresholds, config: Config, model: ModelConfig) -> Iterator[str]:
    """Yield how far back the policy of retraining looks in vain: to days of which no window needs the rows."""
    policy, longest = (
        thresholds.for_model(model.name).alerts.ModelRetrainingRecommended,
        max(config.windows, key=_length),
    )
    days = {key: int(getattr(policy, key)) for key in type(policy).model_fields if key.endswith("_days")}
    lacking = [f"{key} {count}" for key, count in days.items() if (count + 1) * DAY > longest.seconds]
    if policy.enabled and lacking:
        yield (
            f"{model.name}: rows are kept for {longest.name}, the longest window of driftgauge.yml, so "
            f"ModelRetrainingRecommended never fires by {', '.join(lacking)}"
        )


def _length(window: Window) -> int:
    return window.seconds


def blind_windows(windows: Windows, config: Config) -> list[str]:
    """Return which alerts on a model look at windows that the exporter does not have: a line each, `what; remedy`."""
    names = {window.name for window in config.windows}
    kinds: dict[Window, list[str]] = {}
    for kind in Windows.model_fields:
        window: Window = getattr(windows, kind)
        if window.name not in names:
            kinds.setdefault(window, []).extend(_LOOK_AT[kind])
    return [_never(window, alerts, config) for window, alerts in kinds.items()]


def _never(window: Window, alerts: Iterable[str], config: Config) -> str:
    fire = f"driftgauge.yml has no window {quoted(window.name)}, so these never fire: {', '.join(alerts)}"
    return f"{fire}; {_other_window(window, config)}"


def _windows(thresholds: Thresholds, config: Config) -> Iterator[str]:
    names = {window.name for window in config.windows}
    watched: list[tuple[tuple[str, ...], Windows]] = [((), thresholds.windows)]
    watched += [(("models", name), model.windows) for name, model in thresholds.models.items()]
    for at, windows in watched:
        for kind in Windows.model_fields:
            window: Window = getattr(windows, kind)
            inherited = at and window == getattr(thresholds.windows, kind)
            if window.name not in names and not inherited:
                yield f"{path_text((*at, 'windows', kind))}: {_never(window, _LOOK_AT[kind], config)}"


def _other_window(window: Window, config: Config) -> str:
    same = [other.name for other in config.windows if other.seconds == window.seconds]
    if same:
        return f"write it as there: {same[0]}"
    names = ", ".join(other.name for other in config.windows)
    return f"write one of {names}, or add {window.name} to windows: in driftgauge.yml"


def _models(thresholds: Thresholds, config: Config) -> Iterator[str]:
    known = {model.name: model for model in config.models}
    for name, own in thresholds.models.items():
        if name not in known:
            near = suggestion(name, known, "models")
            yield f"{path_text(('models', name))}: driftgauge.yml has no model {quoted(name)}; {near}"
            continue
        common = thresholds.alerts.ModelPerformanceDegraded.degradation
        added = [metric for metric in own.alerts.ModelPerformanceDegraded.degradation if metric not in common]
        wanted: dict[tuple[str, ...], Iterable[str]] = {
            ("floors",): own.floors,
            ("ceilings",): own.ceilings,
            ("alerts", "ModelPerformanceDegraded", "degradation"): added,
        }
        for key, metrics in wanted.items():
            yield from (_of_task(known[name], (*key, each)) for each in metrics if not _has(known[name], each))
    if thresholds.alerts.ModelPerformanceDegraded.enabled:
        yield from _unwatched(thresholds, config)


def _unwatched(thresholds: Thresholds, config: Config) -> Iterator[str]:
    for model in config.models:
        alert = thresholds.for_model(model.name).alerts.ModelPerformanceDegraded
        if alert.enabled and not any(_has(model, metric) for metric in alert.degradation):
            path = "alerts.ModelPerformanceDegraded.degradation"
            yield f"{path}: has no metric of task {model.task}, so it never fires for {model.name}; {_fitting(model)}"


def _has(model: ModelConfig, metric: str) -> bool:
    return model.task in METRICS[metric][0]


def _of_task(model: ModelConfig, key: tuple[str, ...]) -> str:
    return f"{path_text(('models', model.name, *key))}: does not exist for task {model.task}; {_fitting(model)}"


def _fitting(model: ModelConfig) -> str:
    return f"valid metrics: {', '.join(metric for metric in METRICS if _has(model, metric))}"


def _interval(thresholds: Thresholds, config: Config) -> Iterator[str]:
    own, there = thresholds.exporter.refresh_interval, config.refresh_interval
    if there > own:
        yield (
            f"exporter.refresh_interval: is {format_duration(own)}, but driftgauge.yml refreshes every "
            f"{format_duration(there)}, so alerts would fire on one bad value; write {format_duration(there)}"
        )

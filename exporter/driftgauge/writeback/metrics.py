"""Which numbers of a model version become metrics of its run, what they are called there, and of which window.

A row follows from its family: every one that is one number for each version and window, or one for each word of a fixed
vocabulary beside that (a metric, a quantile), has one. What has a number for each feature, class or slice has none: the
names of those are the data's, and MLflow's charts hold a hundred lines, not ten thousand. Pure.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from driftgauge.families import FAMILIES, PERFORMANCE_GAUGES
from driftgauge.samples import Sample, Samples

_WINDOW: Final = ("model", "version", "window")
# Labels whose values are ours, and not the data's.
_FIXED: Final = frozenset({"metric", "quantile", "bound", "level", "part"})
# The name in MLflow where it is not the family's without `model_`: what a label follows, or the word that people know.
# None has a slash: MLflow draws what has one before everything else.
_NAMES: Final[Mapping[str, str]] = {
    **{family: metric for metric, family in PERFORMANCE_GAUGES.items()},
    "model_drifted_features": "drifted_features_count",
    "model_drifted_features_ratio": "drift_ratio",
    "model_missing_ratio": "missing_value_ratio",
    "model_outlier_ratio": "outlier_value_ratio",
    "model_window_predictions": "predictions",
    "model_window_labels": "labels",
    "model_performance_degradation": "degradation",
    "model_performance_bound": "bound",
    "model_performance_change": "change",
    "model_estimated_performance": "estimated",
    "model_estimated_performance_bound": "estimated_bound",
    "model_latency_quantile_seconds": "latency_seconds",
}
# The kind of alert whose window is taken, by the heading of the family.
_KINDS: Final[Mapping[str, str]] = {
    "Performance": "performance",
    "Performance with its uncertainty, and before the labels": "performance",
    "Inputs or concept": "performance",
    "Slices and causes": "performance",
    "Drift of the model": "drift",
    "Drift of the output": "drift",
    "Drift of the labels": "drift",
    "All features together": "drift",
    "Data quality": "quality",
    "Latency and delay": "service",
    "Traffic": "drift",
}
# Of these the heading does not say it.
_KINDS_OF_FAMILIES: Final[Mapping[str, str]] = {"model_window_labels": "performance"}
# Numbers of one slice among many, which is another one each time.
_OF_SLICES: Final = frozenset({"model_segment_rows", "model_segment_performance", "model_segment_degradation_lower"})


def _rows() -> Iterator[tuple[str, tuple[str, str]]]:
    for family in FAMILIES.values():
        more = family.labels[len(_WINDOW) :]
        if family.labels[: len(_WINDOW)] != _WINDOW or not _FIXED.issuperset(more):
            continue
        if family.type == "gaugehistogram" or family.name in _OF_SLICES:
            continue
        name = _NAMES.get(family.name, family.name.removeprefix("model_"))
        yield family.name, (name, _KINDS_OF_FAMILIES.get(family.name) or _KINDS[family.group])


# By family, the name in MLflow and the kind of window.
WRITTEN: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(dict(_rows()))


def metrics_of(samples: Samples, version: str, windows: Mapping[str, str]) -> dict[str, float]:
    """Return what is written of a version, by the name it has in MLflow: such as `degradation_accuracy`.

    windows: by kind of alert. Label values follow the name: `latency_seconds_0.99`, `bound_accuracy_lower`.
    """
    found: dict[str, float] = {}
    for family, (name, kind) in WRITTEN.items():
        for sample in samples.get(family, ()):
            if not isinstance(sample, Sample) or sample.segment or sample.labels[1:3] != (version, windows[kind]):
                continue
            found["_".join((name, *sample.labels[3:]))] = sample.value
    return found

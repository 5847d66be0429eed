"""Which families become metrics of a run, and their names there."""

import re

import pytest

from driftgauge.families import FAMILIES
from driftgauge.samples import Sample, Samples
from driftgauge.writeback.metrics import WRITTEN, metrics_of

WINDOWS = {"performance": "24h", "drift": "7d", "quality": "24h", "service": "1h"}
# Labels whose values are the data's, and families of one slice among many.
LEFT_OUT = {"feature", "class", "predicted", "kind"}
OF_SLICES = {"model_segment_rows", "model_segment_performance", "model_segment_degradation_lower"}


def test_every_family_of_one_number_is_written() -> None:
    """What has a window, and neither features nor classes, has a row."""
    numbers = {
        name
        for name, family in FAMILIES.items()
        if "window" in family.labels and not LEFT_OUT & set(family.labels) and family.type != "gaugehistogram"
    }
    assert numbers - OF_SLICES == WRITTEN.keys()
    assert {kind for _, kind in WRITTEN.values()} == WINDOWS.keys()


def test_no_two_families_have_one_name() -> None:
    """Names are different ones, and MLflow takes them."""
    names = [name for name, _ in WRITTEN.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


@pytest.mark.parametrize(
    ("family", "labels", "name"),
    [
        ("model_accuracy", ("24h",), "accuracy"),
        ("model_f1_score", ("24h",), "f1"),
        ("model_performance_degradation", ("24h", "accuracy"), "degradation_accuracy"),
        ("model_performance_bound", ("24h", "f1", "lower"), "bound_f1_lower"),
        ("model_estimated_performance", ("24h", "roc_auc"), "estimated_roc_auc"),
        ("model_drifted_features", ("7d",), "drifted_features_count"),
        ("model_drifted_features_ratio", ("7d",), "drift_ratio"),
        ("model_prediction_psi", ("7d",), "prediction_psi"),
        ("model_missing_ratio", ("24h",), "missing_value_ratio"),
        ("model_latency_quantile_seconds", ("1h", "0.99"), "latency_seconds_0.99"),
        ("model_window_predictions", ("7d",), "predictions"),
        ("model_window_labels", ("24h",), "labels"),
    ],
)
def test_names_and_windows(family: str, labels: tuple[str, ...], name: str) -> None:
    """Each family is taken in the window of its alerts, under the name that people know."""
    assert len(labels) == len(FAMILIES[family].labels) - 2
    found: Samples = {family: [Sample(("m", "3", *labels), 0.5)]}
    assert metrics_of(found, "3", WINDOWS) == {name: 0.5}


def test_what_is_of_something_else_is_left_out() -> None:
    """Other versions, other windows and segments are no metric of this run."""
    found: Samples = {
        "model_accuracy": [
            Sample(("m", "4", "24h"), 0.1),
            Sample(("m", "3", "1h"), 0.2),
            Sample(("m", "3", "24h"), 0.3, "Germany"),
        ],
        "model_feature_psi": [Sample(("m", "3", "7d", "age"), 0.4)],
    }
    assert metrics_of(found, "3", WINDOWS) == {}

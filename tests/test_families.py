"""The table of metric families against the contract and the naming rules of Prometheus."""

import itertools
import re

import pytest

from driftgauge.families import (
    FAMILIES,
    LABEL_DELAY_BUCKETS,
    LATENCY_BUCKETS,
    PERFORMANCE_GAUGES,
    STATISTICS,
    Family,
    FamilyType,
)

VERSION = ("model", "version")
WINDOW = ("model", "version", "window")
DRIFT_SUFFIXES = """
    ks_statistic ks_pvalue chi2_statistic chi2_pvalue psi js_distance wasserstein_distance total_variation_distance
    drift_detected mean stddev mean_shift missing_ratio outlier_ratio unseen_ratio
"""

# The names of the public contract, written by hand: (labels, type, names).
CONTRACT: list[tuple[tuple[str, ...], FamilyType, str]] = [
    (VERSION, "counter", "model_predictions_total model_prediction_errors_total model_labels_total"),
    (("model",), "counter", "model_batches_total model_files_not_read_total model_duplicate_batches_total"),
    (("model", "reason"), "counter", "model_batch_failures_total model_rows_rejected_total"),
    (VERSION, "histogram", "model_latency_seconds model_label_delay_seconds"),
    (WINDOW, "gaugehistogram", "model_window_latency_seconds"),
    (
        WINDOW,
        "gauge",
        """
            model_window_predictions model_window_labels model_accuracy model_precision model_recall model_f1_score
            model_roc_auc model_log_loss model_brier_score model_mean_squared_error model_root_mean_squared_error
            model_mean_absolute_error model_r2_score model_error_ratio model_missing_ratio model_outlier_ratio
            model_drifted_features model_monitored_features model_drifted_features_ratio model_drift_detected
            model_reconstruction_error model_reconstruction_outlier_ratio model_reconstruction_error_baseline
            model_reconstruction_drift_detected model_label_ratio model_concept_drift_detected
            model_multivariate_drift_mmd2 model_multivariate_drift_pvalue model_multivariate_drift_detected
            model_segments_worse model_segment_rows
        """,
    ),
    ((*WINDOW, "class"), "gauge", "model_class_precision model_class_recall model_class_f1_score"),
    (
        (*WINDOW, "metric"),
        "gauge",
        """
            model_performance_degradation model_estimated_performance model_estimated_degradation model_estimate_error
            model_concept_drift_zscore model_segment_performance model_segment_degradation_lower
        """,
    ),
    ((*WINDOW, "class", "predicted"), "gauge", "model_class_confusion"),
    ((*WINDOW, "class", "kind"), "gauge", "model_class_share"),
    ((*WINDOW, "feature", "kind"), "gaugehistogram", "model_feature_distribution"),
    (
        WINDOW,
        "gauge",
        """
            model_label_ks_statistic model_label_ks_pvalue model_label_chi2_statistic model_label_chi2_pvalue
            model_label_psi model_label_js_distance model_label_wasserstein_distance model_label_mean_shift
            model_label_total_variation_distance model_label_drift_detected model_label_outlier_ratio
            model_label_unseen_ratio
        """,
    ),
    ((*WINDOW, "metric", "bound"), "gauge", "model_performance_bound model_estimated_performance_bound"),
    ((*WINDOW, "metric", "part"), "gauge", "model_performance_change"),
    ((*WINDOW, "level"), "gauge", "model_anomalous_rows_ratio"),
    ((*WINDOW, "feature", "metric"), "gauge", "model_feature_performance_impact"),
    ((*VERSION, "signal"), "gauge", "model_evidence_log10"),
    ((*VERSION, "metric"), "gauge", "model_performance_baseline"),
    ((*WINDOW, "quantile"), "summary", "model_latency_quantile_seconds"),
    ((*WINDOW, "feature"), "gauge", " ".join(f"model_feature_{suffix}" for suffix in DRIFT_SUFFIXES.split())),
    (WINDOW, "gauge", " ".join(f"model_prediction_{suffix}" for suffix in DRIFT_SUFFIXES.split())),
    (
        ("model",),
        "gauge",
        """
            model_last_prediction_timestamp_seconds model_last_label_timestamp_seconds
            model_last_batch_timestamp_seconds model_last_refresh_timestamp_seconds model_label_match_ratio
        """,
    ),
    ((*VERSION, "run_id", "experiment_id", "model_uri"), "info", "model_info"),
    (("model", "source", "hash"), "info", "model_monitoring_info"),
    ((*VERSION, "reason"), "gauge", "model_retraining_recommended"),
    (("version", "python_version"), "info", "driftgauge_build_info"),
    (
        (),
        "gauge",
        """
            driftgauge_mlflow_up driftgauge_refresh_duration_seconds driftgauge_refresh_success
            driftgauge_last_refresh_success_timestamp_seconds driftgauge_config_last_reload_successful
            driftgauge_config_last_reload_success_timestamp_seconds driftgauge_series driftgauge_pending_predictions
            driftgauge_pending_labels
            driftgauge_refresher_up driftgauge_shard_ordinal driftgauge_total_shards
        """,
    ),
    (
        ("reason",),
        "counter",
        "driftgauge_refresh_failures_total driftgauge_refresher_restarts_total driftgauge_writeback_failures_total",
    ),
    (
        ("model",),
        "gauge",
        "driftgauge_writeback_last_success_timestamp_seconds driftgauge_monitoring_config_last_reload_successful",
    ),
    (("model", "reason"), "gauge", "driftgauge_writeback_waiting_since_timestamp_seconds"),
    ((), "gauge", "driftgauge_config_hash"),
    ((), "counter", "driftgauge_series_dropped_total"),
    (("model",), "gauge", "driftgauge_segments_dropped"),
]


def test_contract() -> None:
    """Every metric of the contract is there with its labels and type, and no other."""
    expected = {name: (labels, kind) for labels, kind, names in CONTRACT for name in names.split()}

    assert expected == {name: (family.labels, family.type) for name, family in FAMILIES.items()}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_family(family: Family) -> None:
    """Name, labels and help follow Prometheus' conventions; scope and segments are what the labels say.

    Counters and only counters end in _total, infos in _info; label names are legal and never `le`. A help text is one
    line, starts like a sentence, ends like one and has no placeholder left. Families about the exporter bear its name,
    all others have a model. What is about a window is about a segment too, and nothing else is.
    """
    assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
    assert family.name.endswith("_total") == (family.type == "counter")
    assert family.name.endswith("_info") == (family.type == "info")
    assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in family.labels)
    assert len(set(family.labels)) == len(family.labels)
    assert "le" not in family.labels
    assert ("quantile" in family.labels) == (family.type == "summary")
    assert re.fullmatch(r"[A-Z01p][^\n{}]*[^\s.]\.", family.help)
    assert (family.scope == "exporter") == family.name.startswith("driftgauge_")
    assert family.scope == "exporter" or "model" in family.labels
    assert family.segmented == ("window" in family.labels)
    assert "segment" not in family.labels


def test_feature_and_output_statistics_are_the_same() -> None:
    """A feature and the output have the same statistics, with the same help."""
    for suffix in STATISTICS:
        feature, output = FAMILIES[f"model_feature_{suffix}"], FAMILIES[f"model_prediction_{suffix}"]
        assert feature.help.replace("the feature", "the model's output (its score, if any)") == output.help


def test_every_degradation_has_its_gauge() -> None:
    """Each value of the label `metric` leads to a window gauge that exists."""
    expected = {
        "accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "log_loss",
        "brier_score",
        "mse",
        "rmse",
        "mae",
        "r2",
    }

    assert expected == PERFORMANCE_GAUGES.keys()
    assert all(FAMILIES[name].labels == WINDOW for name in PERFORMANCE_GAUGES.values())


@pytest.mark.parametrize(
    ("buckets", "low", "high"),
    [
        pytest.param(LATENCY_BUCKETS, 0.001, 60, id="a millisecond to a minute"),
        pytest.param(LABEL_DELAY_BUCKETS, 60, 30 * 86400, id="a minute to thirty days"),
    ],
)
def test_buckets(buckets: tuple[float, ...], low: float, high: float) -> None:
    """Bounds increase and cover the range; the infinite bucket is implied, not listed."""
    assert (low, high) == (buckets[0], buckets[-1])
    assert all(a < b for a, b in itertools.pairwise(buckets))

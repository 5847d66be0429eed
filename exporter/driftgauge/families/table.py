"""The table of metric families."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from driftgauge.families.estimation import ESTIMATION
from driftgauge.families.exporter import EXPORTER
from driftgauge.families.family import MODEL, VERSION, WINDOW, Family, families

# What rows are folded to (`driftgauge.signals`): what every model has, and what the configuration can leave out.
BASIC_SIGNALS: Final = ("latency", "moments", "distribution", "outcomes")
OPTIONAL_SIGNALS: Final = (
    *("classes", "labels", "reconstruction", "multivariate", "anomalies", "causes", "slices", "estimate", "concept"),
    *("strata", "strata_outcomes", "evidence"),
)

# Seconds. Finest where online models answer; the top end is where clients have long given up.
LATENCY_BUCKETS: Final[tuple[float, ...]] = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
# Seconds: 1, 5, 15 min, 1, 3, 6, 12 h, 1, 2, 3, 7, 14, 30 d. Labels arrive on people's clocks, hence days and weeks.
LABEL_DELAY_BUCKETS: Final[tuple[float, ...]] = (
    *(60.0, 300.0, 900.0, 3600.0, 10800.0, 21600.0, 43200.0),
    *(86400.0, 172800.0, 259200.0, 604800.0, 1209600.0, 2592000.0),
)

_TRAFFIC: Final = (
    *families(
        "Traffic",
        VERSION,
        {
            "model_predictions_total": "Predictions read from MLflow since driftgauge first saw the model.",
            "model_prediction_errors_total": "Predictions whose request failed (their error field was not empty).",
            "model_labels_total": "Labels (ground truth) joined to a prediction.",
        },
        kind="counter",
    ),
    *families(
        "Traffic",
        MODEL,
        {
            "model_batches_total": "Batches (new rows of one artifact) read from MLflow.",
            "model_files_not_read_total": "Files next to the batches that are not read because of their suffix; "
            "pictures, documents, settings and models are not counted.",
            "model_duplicate_batches_total": "Files with the very bytes of another one of the model; their rows count "
            "again unless `deduplicate` is on.",
        },
        kind="counter",
    ),
    *families(
        "Traffic",
        ("model", "reason"),
        {
            "model_batch_failures_total": "Artifacts that could not be read and were set aside, by reason.",
            "model_rows_rejected_total": "Rows that could not be used, by reason; the rest of their file counts.",
        },
        kind="counter",
    ),
    *families(
        "Traffic",
        WINDOW,
        {
            "model_window_predictions": "Predictions made in the window: the sample size behind its drift values.",
            "model_window_labels": "Labelled predictions in the window: the sample size behind its performance values.",
        },
    ),
)

_LATENCY: Final = (
    *families(
        "Latency and delay",
        VERSION,
        {
            "model_latency_seconds": "Time to answer a prediction request, all of them since the start, in seconds.",
            "model_label_delay_seconds": "Time from a prediction to its label, in seconds.",
        },
        kind="histogram",
    ),
    *families(
        "Latency and delay",
        WINDOW,
        {
            "model_window_latency_seconds": "Time to answer a prediction request made in the window, in seconds; "
            "it shrinks as requests leave the window, so never apply rate() or increase() to it.",
        },
        kind="gaugehistogram",
    ),
    *families(
        "Latency and delay",
        (*WINDOW, "quantile"),
        {
            "model_latency_quantile_seconds": "Quantile of the time to answer a request made in the window, in "
            "seconds; absent when no latency was logged.",
        },
        kind="summary",
    ),
)

# The value of the label `metric` -> the gauge of the same quantity, and what it says.
_PERFORMANCE_TABLE: Final = {
    "accuracy": ("model_accuracy", "Share of labelled predictions that were right, 0 to 1."),
    "precision": (
        "model_precision",
        "Share of the predictions of a class that were right, 0 to 1; averaged as configured.",
    ),
    "recall": ("model_recall", "Share of a class that was recognised, 0 to 1; averaged over classes as configured."),
    "f1": ("model_f1_score", "Harmonic mean of precision and recall, 0 to 1; averaged over classes as configured."),
    "roc_auc": (
        "model_roc_auc",
        "Probability that a positive scores above a negative, 0.5 (guessing) to 1; absent with one class only.",
    ),
    "log_loss": ("model_log_loss", "Mean negative log-likelihood of the labels, in nats; lower is better."),
    "brier_score": ("model_brier_score", "Mean squared error of the predicted probabilities; lower is better."),
    "mse": ("model_mean_squared_error", "Mean squared error, in the target's unit squared."),
    "rmse": ("model_root_mean_squared_error", "Root of the mean squared error, in the target's unit."),
    "mae": ("model_mean_absolute_error", "Mean absolute error, in the target's unit."),
    "r2": ("model_r2_score", "Share of the target's variance the model explains, at most 1, negative when useless."),
}
# What the label `metric` may say -> the window gauge that shows the same quantity.
PERFORMANCE_GAUGES: Final[Mapping[str, str]] = MappingProxyType(
    {metric: name for metric, (name, _) in _PERFORMANCE_TABLE.items()}
)

_PERFORMANCE: Final = (
    *families("Performance", WINDOW, dict(_PERFORMANCE_TABLE.values())),
    *families(
        "Performance",
        (*WINDOW, "class"),
        {
            "model_class_precision": "Share of the predictions of this class that were right, 0 to 1.",
            "model_class_recall": "Share of the labels of this class that were recognised, 0 to 1.",
            "model_class_f1_score": "Harmonic mean of this class's precision and recall, 0 to 1.",
        },
    ),
    *families(
        "Performance",
        (*WINDOW, "class", "predicted"),
        {
            "model_class_confusion": "Labelled predictions of this class that were predicted as that one; absent with "
            "more than 20 classes.",
        },
    ),
    *families(
        "Performance",
        (*WINDOW, "class", "kind"),
        {
            "model_class_share": "Share of the class among the predictions (predicted), the labels (label), or the "
            "labels of the reference (reference), 0 to 1.",
        },
    ),
    *families(
        "Performance",
        (*WINDOW, "metric"),
        {
            "model_performance_degradation": "How much worse than the baseline, positive is worse: absolute for "
            "scores (0.05 = five points), relative for errors (0.05 = 5%); absent without baseline or labels.",
        },
    ),
    *families(
        "Performance",
        (*VERSION, "metric"),
        {"model_performance_baseline": "Expected performance, as configured or computed on the labelled reference."},
    ),
)

_QUALITY: Final = families(
    "Data quality",
    WINDOW,
    {
        "model_error_ratio": "Share of requests that failed, 0 to 1.",
        "model_missing_ratio": "Share of feature values that are missing, over all features, 0 to 1.",
        "model_outlier_ratio": "Share of numeric feature values outside 1.5 IQR of the reference's quartiles, 0 to 1.",
    },
)

_DRIFT: Final = families(
    "Drift of the model",
    WINDOW,
    {
        "model_drifted_features": "Features flagged as drifted.",
        "model_monitored_features": "Features with enough rows to be judged: what the drifted ones are counted among.",
        "model_drifted_features_ratio": "Share of the monitored features flagged as drifted, 0 to 1.",
        "model_drift_detected": "1 if any feature drifted, else 0; absent when none had enough rows to be judged.",
        "model_reconstruction_error": "Mean error of rows rebuilt from the reference's principal components, in "
        "standard deviations: it changes when correlations between features do.",
        "model_reconstruction_outlier_ratio": "Share of rows whose reconstruction error exceeds that of 99 % of rows "
        "like the reference's, 0 to 1; about 0.01 without drift.",
    },
)

# One row serves a feature and the model's output, so that the two cannot say different things.
STATISTICS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ks_statistic": "Kolmogorov-Smirnov distance of {what} from the reference, 0 (same) to 1; numeric only.",
        "ks_pvalue": "p-value of the Kolmogorov-Smirnov test of {what} against the reference; numeric only.",
        "chi2_statistic": "Chi-square statistic of {what} against the reference; categorical only.",
        "chi2_pvalue": "p-value of the chi-square test of {what} against the reference; categorical only.",
        "psi": "Population stability index of {what} against the reference; above 0.2 is usually a large shift.",
        "js_distance": "Jensen-Shannon distance of {what} from the reference, 0 (same) to 1 (disjoint).",
        "wasserstein_distance": "Wasserstein distance of {what} from the reference, in standard deviations of the "
        "reference; numeric only.",
        "total_variation_distance": "Share of rows that would have to change category for {what} to match the "
        "reference, 0 to 1; categorical only.",
        "drift_detected": "1 if the shift of {what} is both large and significant, else 0; absent below the minimum "
        "of rows.",
        "mean": "Mean of {what} in the window; numeric only.",
        "stddev": "Standard deviation of {what} in the window; numeric only.",
        "mean_shift": "Mean of {what} minus the reference's, in standard deviations of the reference; numeric only.",
        "missing_ratio": "Share of rows in which {what} is missing, 0 to 1.",
        "outlier_ratio": "Share of the values of {what} outside 1.5 IQR of the reference's quartiles, 0 to 1; "
        "numeric only.",
        "unseen_ratio": "Share of the values of {what} that are categories the reference never had, 0 to 1; "
        "categorical only.",
    }
)


# Labels have no value for a row that has none yet, and of a regression no moments beside those of the errors.
_OF_LABELS: Final = frozenset(STATISTICS) - {"mean", "stddev", "missing_ratio"}


def _statistics(
    group: str, *, prefix: str, what: str, labels: tuple[str, ...], only: Collection[str] = STATISTICS
) -> tuple[Family, ...]:
    helps = {f"{prefix}_{suffix}": text.format(what=what) for suffix, text in STATISTICS.items() if suffix in only}
    return families(group, labels, helps)


_FEATURES: Final = _statistics(
    "Drift of each feature", prefix="model_feature", what="the feature", labels=(*WINDOW, "feature")
)
_OUTPUT: Final = _statistics(
    "Drift of the output", prefix="model_prediction", what="the model's output (its score, if any)", labels=WINDOW
)

_LABEL: Final = _statistics(
    "Drift of the labels", prefix="model_label", what="the label", labels=WINDOW, only=_OF_LABELS
)

_BINS: Final = families(
    "Drift of each feature",
    (*WINDOW, "feature", "kind"),
    {
        "model_feature_distribution": "Share of the values of a numeric feature up to each edge of the PSI bins, in "
        "the window or in the reference, 0 to 1; only with publish_bins, and never for rate().",
    },
    kind="gaugehistogram",
)

_IDENTITY: Final = (
    *families(
        "Freshness and identity",
        MODEL,
        {
            "model_last_prediction_timestamp_seconds": "Unix time of the newest prediction; absent before the first.",
            "model_last_label_timestamp_seconds": "Unix time of the newest label; absent before the first.",
            "model_label_match_ratio": "Of the labels that are kept, the share that has met its prediction; absent "
            "without labels.",
            "model_last_batch_timestamp_seconds": "Unix time at which driftgauge last read a batch of this model.",
            "model_last_refresh_timestamp_seconds": "Unix time of the last refresh of this model without a failure; "
            "absent before the first: its values are no fresher.",
        },
    ),
    *families(
        "Freshness and identity",
        (*VERSION, "run_id", "experiment_id", "model_uri"),
        {"model_info": "Where the model version is found in MLflow; the value is always 1."},
        kind="info",
    ),
    *families(
        "Freshness and identity",
        ("model", "source", "hash"),
        {
            "model_monitoring_info": "Which monitoring configuration of a registered version is in force, and a hash "
            "of its text; the value is always 1, absent without any."
        },
        kind="info",
    ),
)

_ACTION: Final = families(
    "What is to be done",
    (*VERSION, "reason"),
    {
        "model_retraining_recommended": "1 if the policy in thresholds.yml (ModelRetrainingRecommended) says retrain "
        "for this reason, else 0; absent while what the reason rests on cannot be judged.",
    },
)

# In the order of the exposition and of the documentation.
FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        family.name: family
        for group in (
            _TRAFFIC,
            _LATENCY,
            _PERFORMANCE,
            ESTIMATION,
            _QUALITY,
            _DRIFT,
            _FEATURES,
            _BINS,
            _OUTPUT,
            _LABEL,
            _IDENTITY,
            _ACTION,
            EXPORTER,
        )
        for family in group
    }
)

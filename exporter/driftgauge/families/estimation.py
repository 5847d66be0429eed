"""Families of what is estimated, tested or searched for, beyond plain sums of the rows."""

from typing import Final

from driftgauge.families.family import VERSION, WINDOW, families

# Each says what it does not say: an estimate holds while the relation of label and score does.
ESTIMATION: Final = (
    *families(
        "Performance with its uncertainty, and before the labels",
        (*WINDOW, "metric", "bound"),
        {
            "model_performance_bound": "End of the 95 % interval of a performance metric, in its unit; rows that come "
            "in clumps, such as several of one customer, make it too narrow.",
            "model_estimated_performance_bound": "End of the 95 % interval of the estimated performance, if the "
            "relation of label and score is that of the reference.",
        },
    ),
    *families(
        "Performance with its uncertainty, and before the labels",
        (*WINDOW, "metric"),
        {
            "model_estimated_performance": "Performance expected from scores or inputs alone, without labels, if the "
            "relation of label and score is that of the reference: it cannot see concept drift.",
            "model_estimated_degradation": "How much worse than the baseline the estimated performance is, as "
            "model_performance_degradation; it cannot see concept drift.",
            "model_estimate_error": "Realised minus estimated performance on the same labelled predictions: how far "
            "the estimates of this model can be trusted.",
        },
    ),
    *families(
        "Performance with its uncertainty, and before the labels",
        WINDOW,
        {
            "model_label_ratio": "Labelled predictions among the predictions made in the window, 0 to 1: labels that "
            "come early are no random sample.",
        },
    ),
    *families(
        "Inputs or concept",
        (*WINDOW, "metric", "part"),
        {
            "model_performance_change": "Part of model_performance_degradation: explained by the scores or inputs of "
            "the labelled predictions (inputs), or by a changed relation to the label (concept).",
        },
    ),
    *families(
        "Inputs or concept",
        (*WINDOW, "metric"),
        {
            "model_concept_drift_zscore": "Concept part of the change in its standard errors; label bugs and labels "
            "that come early look the same.",
        },
    ),
    *families(
        "Inputs or concept",
        WINDOW,
        {
            "model_concept_drift_detected": "1 if the relation of label and score or inputs changed beyond chance, "
            "else 0; absent below 100 labelled predictions or without an estimate.",
        },
    ),
    *families(
        "All features together",
        WINDOW,
        {
            "model_multivariate_drift_mmd2": "Distance of the joint distribution of the features from the "
            "reference's, squared, 0 (same) to 2; it reacts to the drift of single features too.",
            "model_multivariate_drift_pvalue": "p-value of the joint distribution's distance from the reference's; "
            "with many rows any small distance is significant.",
            "model_multivariate_drift_detected": "1 if the joint distribution moved both far and beyond chance, else "
            "0; absent below 500 predictions or 2,000 reference rows.",
            "model_reconstruction_error_baseline": "Mean reconstruction error of reference rows, by components "
            "that were not fitted on them.",
            "model_reconstruction_drift_detected": "1 if the reconstruction error differs from the reference's by "
            "much and beyond chance, else 0; lower is drift as well; absent below 500 predictions.",
        },
    ),
    *families(
        "All features together",
        (*WINDOW, "level"),
        {
            "model_anomalous_rows_ratio": "Share of rows farther from the reference's center than this share of its "
            "rows; 0.01 and 0.001 without drift. It rises under plain drift as well.",
        },
    ),
    *families(
        "Slices and causes",
        WINDOW,
        {
            "model_segments_worse": "Slices (drift bins, large categories) whose loss rose beyond chance, and by 0.05 "
            "or more, against the same slice of the reference; slices overlap.",
            "model_segment_rows": "Labelled predictions of a slice that is among the worst.",
        },
    ),
    *families(
        "Slices and causes",
        (*WINDOW, "metric"),
        {
            "model_segment_performance": "Performance of a slice that is among the worst; the worst of many is "
            "exaggerated.",
            "model_segment_degradation_lower": "By how much at least the loss of a slice that is among the worst rose "
            "against the same slice of the reference, relative to it for errors.",
        },
    ),
    *families(
        "Slices and causes",
        (*WINDOW, "feature", "metric"),
        {
            "model_feature_performance_impact": "How much the expected loss moved because the feature's mix did, as "
            "if no other had, positive is worse; impacts do not add up, and the first is a suspect.",
        },
    ),
    *families(
        "Evidence over time",
        (*VERSION, "signal"),
        {
            "model_evidence_log10": "Evidence of a lasting change, as a power of ten, which holds however often one "
            "looks; it stays high until it is reset.",
        },
    ),
)

"""Compares a page's series about models with the oracle's, within the tolerances of exporter/docs/statistics.md."""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import Metric

from e2e.oracle import Key, Series

# The tolerances of the statistics page; for values without one, rounding of sums in another order.
EXACT: Final = 1e-9
TOLERANCES: Final = {
    "model_feature_ks_statistic": 1e-12,
    "model_prediction_ks_statistic": 1e-12,
    "model_label_ks_statistic": 1e-12,
    "model_feature_wasserstein_distance": 1e-3,
    "model_prediction_wasserstein_distance": 1e-3,
    "model_label_wasserstein_distance": 1e-3,
    "model_roc_auc": 1e-4,
    "model_performance_bound roc_auc": 1e-4,
    "model_performance_degradation roc_auc": 1e-4,
    "model_performance_baseline roc_auc": 1e-4,
    "model_latency_quantile_seconds": 1e-2,
    # Scores between two points of a grid are ties, and have the variance of their mean.
    **{
        f"{family} {metric}": tolerance
        for metric in ("accuracy", "precision", "recall", "f1", "roc_auc")
        for family, tolerance in {
            "model_estimated_performance": 1e-5,
            "model_estimated_performance_bound": 1e-4,
            "model_estimated_degradation": 1e-4,
            "model_estimate_error": 1e-4,
            "model_performance_change": 1e-4,
            "model_concept_drift_zscore": 5e-2,
        }.items()
    },
}


# Which slices are shown depends on panes, of which raw rows know nothing: tests/snapshot/test_sliced.py has them.
_OF_SHOWN_SLICES: Final = ("model_segment_rows", "model_segment_performance", "model_segment_degradation_lower")
# Their frequencies are drawn, from a seed that only the product knows; test_frequencies.py computes them.
DRAWN: Final = ("model_multivariate_drift_mmd2", "model_multivariate_drift_pvalue", "model_multivariate_drift_detected")
# Evidence depends on the steps in which rows came; tests/pipeline/test_betting.py and tests/estimate/test_evidence.py
# have its oracles.
_OF_THE_ORDER: Final = ("model_evidence_log10",)


def about_models(families: Iterable[Metric]) -> Series:
    """Return the series about models of a parsed page, but for drawn numbers, shown slices and evidence."""
    samples = (
        sample
        for family in families
        for sample in family.samples
        if sample.name.startswith("model_") and sample.name not in (*DRAWN, *_OF_SHOWN_SLICES, *_OF_THE_ORDER)
    )
    return {(sample.name, frozenset(_canonical(sample.labels).items())): sample.value for sample in samples}


def deviations(published: Series, expected: Series) -> dict[str, float]:
    """Return the largest deviation of each metric, over the series that both have."""
    largest: dict[str, float] = {}
    for key in expected.keys() & published.keys():
        place = _place(key)
        deviation = _deviation(key, actual=published[key], expected=expected[key])
        largest[place] = max(largest.get(place, 0.0), deviation)
    return largest


def beyond_tolerance(largest: Mapping[str, float]) -> dict[str, float]:
    """Return the deviations beyond the tolerances."""
    return {place: deviation for place, deviation in largest.items() if deviation > TOLERANCES.get(place, EXACT)}


def _canonical(labels: Mapping[str, str]) -> Mapping[str, str]:
    return {**labels, "le": f"{float(labels['le']):g}"} if "le" in labels else labels


def _place(key: Key) -> str:
    name, labels = key
    metric = dict(labels).get("metric")
    return f"{name} {metric}" if metric else name


def _deviation(key: Key, *, actual: float, expected: float) -> float:
    """Return the difference, relative where that is stricter (p-values) or where numbers are large."""
    absolute = abs(actual - expected)
    relative = absolute / abs(expected) if expected else absolute
    return relative if key[0].endswith("_pvalue") else min(absolute, relative)

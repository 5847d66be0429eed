"""How far features, output and labels have moved: the part of a report on columns, the worst first."""

from typing import Any, Final

from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.pane import Pane
from driftgauge.families import STATISTICS
from driftgauge.grid import CLASS, OUTPUT, CategoryGrid, NumericGrid
from driftgauge.reference import NumericProfile
from driftgauge.report.performance import FIRST, flag, whole
from driftgauge.report.shapes import shape_of
from driftgauge.report.subject import Chosen

# Features that get a picture; more are a table. A picture takes about 2 kB.
MOST_PICTURES: Final = 50
# In no table of statistics: they have columns of their own.
_APART: Final = frozenset({"drift_detected", "mean", "stddev", "missing_ratio", "outlier_ratio", "unseen_ratio"})


def features(chosen: Chosen, pane: Pane) -> dict[str, Any]:
    """Return what is known of each feature, those that drifted first, then by PSI."""
    found = {name: chosen.values(f"model_feature_{name}") for name in STATISTICS}
    names = {name for values in found.values() for name in values}
    rank = [found[name] for name in ("drift_detected", "psi", "ks_statistic", "unseen_ratio")]
    ordered = sorted(names, key=lambda name: (*(-(values.get(name) or 0.0) for values in rank), name))
    metric = FIRST[chosen.subject.state.config.task]
    impacts = {
        key[2]: value
        for key, value in chosen.found.values("model_feature_performance_impact").items()
        if key[:2] == (chosen.version, chosen.window.name) and key[3] == metric
    }
    distribution = pane.find("distribution", Distribution)
    items = [
        {
            "feature": name,
            **_column(chosen, name, {key: values.get(name) for key, values in found.items()}),
            "impact": impacts.get(name),
            "shape": _shape(chosen, name, distribution) if place < MOST_PICTURES else None,
        }
        for place, name in enumerate(ordered)
    ]
    return {
        "monitored": whole(chosen.value("model_monitored_features")),
        "drifted": whole(chosen.value("model_drifted_features")),
        "drifted_ratio": chosen.value("model_drifted_features_ratio"),
        "impact_metric": metric,
        "most_pictures": MOST_PICTURES,
        "multivariate_drift": flag(chosen.value("model_multivariate_drift_detected")),
        "multivariate_mmd2": chosen.value("model_multivariate_drift_mmd2"),
        "reconstruction_drift": flag(chosen.value("model_reconstruction_drift_detected")),
        "reconstruction_error": chosen.value("model_reconstruction_error"),
        "reconstruction_error_baseline": chosen.value("model_reconstruction_error_baseline"),
        "items": items,
    }


def output(chosen: Chosen, pane: Pane) -> dict[str, Any]:
    """Return what is known of the model's output: its scores, or its classes where it has none."""
    found = {name: chosen.value(f"model_prediction_{name}") for name in STATISTICS}
    distribution, reference = pane.find("distribution", Distribution), chosen.reference
    is_numeric = found["ks_statistic"] is not None or found["mean"] is not None
    name = OUTPUT if is_numeric or reference is None or CLASS not in reference.profiles else CLASS
    return {**_column(chosen, name, found), "shape": _shape(chosen, name, distribution)}


def labels_drift(chosen: Chosen) -> dict[str, Any]:
    """Return how far the labels have moved; they have no moments of their own."""
    found = {name: chosen.value(f"model_label_{name}") for name in STATISTICS}
    return {"drifted": flag(found["drift_detected"]), "statistics": _statistics(found)}


def _column(chosen: Chosen, name: str, found: dict[str, float | None]) -> dict[str, Any]:
    reference = chosen.reference
    grid, profile = (reference.layout.grids.get(name), reference.profiles.get(name)) if reference else (None, None)
    numeric = profile if isinstance(profile, NumericProfile) and profile.rows else None
    return {
        "kind": "numeric"
        if isinstance(grid, NumericGrid)
        else "categorical"
        if isinstance(grid, CategoryGrid)
        else None,
        "drifted": flag(found["drift_detected"]),
        "statistics": _statistics(found),
        "mean": found["mean"],
        "stddev": found["stddev"],
        "reference_mean": numeric.mean if numeric else None,
        "reference_stddev": numeric.stddev if numeric else None,
        "missing_ratio": found["missing_ratio"],
        "reference_missing_ratio": profile.missing / (profile.rows + profile.missing) if profile else None,
        "outlier_ratio": found["outlier_ratio"],
        "unseen_ratio": found["unseen_ratio"],
    }


def _statistics(found: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None and name not in _APART}


def _shape(chosen: Chosen, name: str, distribution: Distribution | None) -> dict[str, Any] | None:
    return shape_of(chosen.reference, name, distribution) if chosen.reference else None

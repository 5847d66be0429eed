"""Alerts on all features together: combinations that the reference did not have, and rows unlike any of its."""

from typing import Final

from driftgauge.generator.alerts import Flagged, UnusualRows
from driftgauge.generator.annotations import lookup, worst_features
from driftgauge.generator.cases import Case, by_case, cases
from driftgauge.generator.definitions.watching import IN_WINDOW, of_case, version_alarm
from driftgauge.generator.promql import Target, matcher, number
from driftgauge.generator.recording import VERSION
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import Thresholds

# Of the rows of the reference, which share is as far from its center as each level says.
_LEVELS: Final = {"0.99": 0.01, "0.999": 0.001}


def multivariate_drift(thresholds: Thresholds) -> Alarm | None:
    """Look at the flags of the joint distribution and of the reconstruction error."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelMultivariateDrift, lambda w: w.drift.name)
    psi = f"max by (feature) ({lookup('model_feature_psi', target, *VERSION)})"
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [_flagged(case)],
        summary="The features of a model changed together",
        facts=f"the features {IN_WINDOW} are combined otherwise than in the reference, both far and beyond chance",
        look="Read the flags of single features first: a feature that moved alone shows here as well. "
        f"Largest PSI: {worst_features(psi, target, *VERSION)}.\n"
        "If none moved, the relation between them did: a join on the wrong key, or a new mix of cases.",
        board="features",
    )


def _flagged(case: Case[Flagged]) -> str:
    joint, rebuilt = (
        of_case(f"version:model_{kind}_drift_detected:max", case) for kind in ("multivariate", "reconstruction")
    )
    return f"(\n  {joint} == 1\n  or {rebuilt} == 1\n)"


def unusual_rows(thresholds: Thresholds) -> Alarm | None:
    """Compare the share of rows far from the reference's center with what the reference itself has."""
    found = cases(thresholds, lambda alerts: alerts.ModelUnusualRows, lambda w: w.quality.name)
    limit = by_case(found, lambda case: number(case.limits.times))
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [_times(thresholds, case)],
        summary="Many rows of a model are unlike the reference",
        facts=f"{{{{ printf `%.1f` $value }}}} times as many rows {IN_WINDOW} as in the reference are far from its "
        "center; "
        f"the limit is {limit} times",
        look="Look which features have outliers or missing values; plain drift makes more rows unusual as well, which "
        "are not wrong by that.",
        board="features",
        limit=limit,
    )


def _times(thresholds: Thresholds, case: Case[UnusualRows]) -> str:
    series = "version:model_anomalous_rows_ratio:max"
    shares = (f"{of_case(series, case, matcher('level', level))} / {share:g}" for level, share in _LEVELS.items())
    return f"max by {Target.of(thresholds).by(*VERSION)} (\n  {' or '.join(shares)}\n) > {number(case.limits.times)}"

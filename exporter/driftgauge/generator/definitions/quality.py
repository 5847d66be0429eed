"""Alerts on what comes in: missing, unseen and outlying values of features, and rows and files that cannot be used."""

from collections.abc import Callable, Sequence
from typing import Final

from driftgauge.generator.annotations import lookup, worst_features
from driftgauge.generator.cases import Case, by_case, cases
from driftgauge.generator.definitions.watching import (
    IN_WINDOW,
    MODEL,
    RowsT,
    by_reason,
    model_links,
    of_case,
    percent,
    version_alarm,
)
from driftgauge.generator.promql import Target, duration, either, narrowed, number
from driftgauge.generator.recording import VERSION
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import Thresholds

# What is left of a feature that more rows than these lack is few and special; `ModelMissingValues` speaks for it.
_MOST: Final = 0.5
_SHARE: Final = "{{ $value | humanizePercentage }}"


def missing_values(thresholds: Thresholds) -> Alarm | None:
    """Compare the share of missing values of the worst feature."""
    return _worst_feature(
        thresholds,
        cases(thresholds, lambda alerts: alerts.ModelMissingValues, lambda w: w.quality.name),
        family="model_feature_missing_ratio",
        limit=lambda limits: limits.missing_ratio,
        summary="A feature is missing in too many rows",
        what="of the rows lack a feature",
        look="Usually an upstream join or a renamed column; the model sees a default instead of the value.",
    )


def unseen_categories(thresholds: Thresholds) -> Alarm | None:
    """Compare the share of unseen categories of the worst feature; of many categories every sample misses some."""
    return _worst_feature(
        thresholds,
        cases(thresholds, lambda alerts: alerts.ModelUnseenCategories, lambda w: w.quality.name),
        family="model_feature_unseen_ratio",
        limit=lambda limits: limits.unseen_ratio,
        summary="A feature brings categories the reference never had",
        what="of a feature's values are categories the reference never had",
        look="Usually a new product, a renamed code or another spelling; the model guesses for these rows.",
        moved=True,
    )


def outliers(thresholds: Thresholds) -> Alarm | None:
    """Compare the share of outliers of the worst feature; heavy tails have many, also in the reference."""
    return _worst_feature(
        thresholds,
        cases(thresholds, lambda alerts: alerts.ModelOutliers, lambda w: w.quality.name),
        family="model_feature_outlier_ratio",
        limit=lambda limits: limits.outlier_ratio,
        summary="A feature has many values far outside the reference",
        what="of a feature's values lie outside 1.5 IQR of the reference's quartiles",
        look="Usually a unit or scale that changed, or a default such as -999 that is no longer removed.",
        moved=True,
    )


def _worst_feature(
    thresholds: Thresholds,
    found: Sequence[Case[RowsT]],
    *,
    family: str,
    limit: Callable[[RowsT], float],
    summary: str,
    what: str,
    look: str,
    moved: bool = False,
) -> Alarm | None:
    """Return an alert on the worst feature.

    moved: only of features that most rows have, and that are not known to be as the reference is.
    """
    target = Target.of(thresholds)
    features = f"max by (feature) ({lookup(family, target, *VERSION)}) > 0"
    series, unless = f"feature:{family}:max", ""
    of_case_limit = by_case(found, lambda case: percent(limit(case.limits)))
    if moved:
        left_out = {"model_feature_drift_detected": "== 0", "model_feature_missing_ratio": f"> {number(_MOST)}"}
        for each, holds in left_out.items():
            features += f" unless max by (feature) ({lookup(each, target, *VERSION)}) {holds}"
            unless += f"\n  unless on {target.by(*VERSION, 'feature')} feature:{each}:max {holds}"
        unless += "\n"
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [
            f"max by {target.by(*VERSION)} ({of_case(series, case)}{unless}) > {number(limit(case.limits))}"
        ],
        summary=summary,
        facts=f"{IN_WINDOW} up to {_SHARE} {what}; the limit is {of_case_limit}",
        look=f"Worst: {worst_features(features, target, *VERSION)}.\n{look}",
        board="quality",
        limit=of_case_limit,
    )


def rows_rejected(thresholds: Thresholds) -> Alarm | None:
    """Compare the rejected share of the rows that were read."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelRowsRejected)
    within = duration(thresholds.alerts.ModelRowsRejected.within)
    rejected, used = "model:model_rows_rejected:increase", "model:model_rows:increase"
    if not found:
        return None
    parts = []
    for case in found:
        of_case_rejected, of_case_used = (narrowed(name, [case.matcher]) for name in (rejected, used))
        read = f"({of_case_rejected} + on {target.by('model')} {of_case_used})"
        share = f"{of_case_rejected} / on {target.by('model')} {read} > {number(case.limits.rejected_ratio)}"
        parts.append(f"{share}\nand on {target.by('model')} {read} >= {case.limits.min_rows}")
    limit = by_case(found, lambda case: percent(case.limits.rejected_ratio))
    return Alarm(
        expr=either(parts),
        summary="Rows of a model's files cannot be used",
        description=f"{MODEL}: {_SHARE} of the rows read in the last {within} were rejected; the limit is "
        f"{limit}."
        f"{by_reason(target, 'model_rows_rejected_total', 'model')}\n"
        "The rest of their files counts. The exporter's log names the file and the first such row.",
        links=model_links(thresholds, "quality"),
        limit=limit,
    )


def batches_rejected(thresholds: Thresholds) -> Alarm | None:
    """Count the files that were set aside."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelBatchesRejected)
    within = duration(thresholds.alerts.ModelBatchesRejected.within)
    if not found:
        return None
    limit = by_case(found, lambda case: str(case.limits.failures))
    return Alarm(
        expr=either(
            f"{narrowed('model:model_batch_failures:increase', [case.matcher])} >= {case.limits.failures}"
            for case in found
        ),
        summary="Files of a model cannot be read",
        description=f"{MODEL}: {{{{ $value }}}} of its files could not be read in the last {within} and were set "
        f"aside; the limit is {limit}."
        f"{by_reason(target, 'model_batch_failures_total', 'model')}\n"
        "Their rows are missing until the files are repaired; they are tried again automatically.",
        links=model_links(thresholds, "quality"),
        limit=limit,
    )

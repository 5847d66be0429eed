"""Alerts on drift: of many features at once, of the output, and of single features."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from driftgauge.generator.alerts import FeaturesDrifted, PredictionShifted
from driftgauge.generator.annotations import figure, lookup, worst_features
from driftgauge.generator.cases import Case, by_case, cases
from driftgauge.generator.definitions.watching import IN_WINDOW, of_case, percent, version_alarm
from driftgauge.generator.promql import Target, number
from driftgauge.generator.recording import VERSION
from driftgauge.generator.rule import Alarm
from driftgauge.generator.thresholds import Thresholds


def features_drifted(thresholds: Thresholds) -> Alarm | None:
    """Count the drifted features, and take their share."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelFeaturesDrifted, lambda w: w.drift.name)
    monitored = lookup("model_monitored_features", target, *VERSION)
    of_all = figure(f"max({monitored})", target, *VERSION, text=" of {{ . | value | printf `%.0f` }}")
    psi = f"max by (feature) ({lookup('model_feature_psi', target, *VERSION)})"
    limit = by_case(found, _features_limit)
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: _many(target, case),
        summary="Many features of a model drifted",
        facts=f"{{{{ $value }}}}{of_all} features drifted {IN_WINDOW}; the limit is {limit}",
        look=f"Largest PSI: {worst_features(psi, target, *VERSION)}.\n"
        "Features that drift together usually share a source: look for a changed table, unit or population.",
        board="features",
        limit=limit,
    )


def _many(target: Target, case: Case[FeaturesDrifted]) -> Iterator[str]:
    number_of = of_case("version:model_drifted_features:max", case)
    share = of_case("version:model_drifted_features_ratio:max", case)
    yield f"{number_of} >= {case.limits.features}"
    yield f"{number_of}\nand on {target.by(*VERSION)} {share} > {number(case.limits.ratio)}"


def _features_limit(case: Case[FeaturesDrifted]) -> str:
    return f"{case.limits.features} features, or more than {percent(case.limits.ratio)} of them"


def prediction_shifted(thresholds: Thresholds) -> Alarm | None:
    """Compare the output's PSI where its shift is no luck: of few rows or many classes the index alone is large."""
    target = Target.of(thresholds)
    found = cases(thresholds, lambda alerts: alerts.ModelPredictionShifted, lambda w: w.drift.name)
    limit = by_case(found, lambda case: number(case.limits.psi))
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [_shifted(target, case)],
        summary="A model's output shifted far from the reference",
        facts=f"the PSI of the output {IN_WINDOW} is {{{{ printf `%.3g` $value }}}}; the limit is {limit}",
        look="If features drifted too, the input changed; if none did, the model, its threshold or preprocessing.",
        board="why",
        limit=limit,
    )


def _shifted(target: Target, case: Case[PredictionShifted]) -> str:
    psi = of_case("version:model_prediction_psi:max", case)
    flag = "version:model_prediction_drift_detected:max"
    return f"{psi} > {number(case.limits.psi)}\nand on {target.by(*VERSION)} {flag} == 1"


def output_drifted(thresholds: Thresholds) -> Alarm | None:
    """Look at the output's drift flag."""
    found = cases(thresholds, lambda alerts: alerts.ModelOutputDrifted, lambda w: w.drift.name)
    return version_alarm(
        thresholds,
        found,
        condition=lambda case: [f"{of_case('version:model_prediction_drift_detected:max', case)} == 1"],
        summary="A model's output drifted",
        facts=f"the output {IN_WINDOW} is flagged as drifted{_psi(thresholds, 'model_prediction_psi', *VERSION)}, "
        "large and significant by the rule in driftgauge.yml",
        look="Look which features moved with it, and whether a new version began to serve.",
        board="why",
    )


def feature_drifted(thresholds: Thresholds) -> Alarm | None:
    """Look at each feature's drift flag."""
    found = cases(thresholds, lambda alerts: alerts.ModelFeatureDrifted, lambda w: w.drift.name)
    psi = _psi(thresholds, "model_feature_psi", *VERSION, "feature")
    alarm = version_alarm(
        thresholds,
        found,
        condition=lambda case: [f"{of_case('feature:model_feature_drift_detected:max', case)} == 1"],
        summary="A feature drifted",
        facts=f"feature {{{{ $labels.feature }}}} {IN_WINDOW} is flagged as drifted{psi}, "
        "large and significant by the rule in driftgauge.yml",
        look="Look at its mean, missing values and unseen categories; nothing is urgent while performance holds.",
        board="features",
    )
    return alarm and replace(alarm, links=_of_feature(alarm.links))


def _psi(thresholds: Thresholds, family: str, *labels: str) -> str:
    target = Target.of(thresholds)
    highest = f"max({lookup(family, target, *labels)})"
    return figure(highest, target, *labels, text=" (PSI {{ . | value | printf `%.3g` }})")


def _of_feature(links: Mapping[str, str]) -> dict[str, str]:
    chosen = "&var-feature={{ $labels.feature | urlquery }}"
    return {**links, "dashboard_url": links["dashboard_url"] + chosen}

"""Queries at one instant: hand-computed answers, and what is refused."""

import math
from collections.abc import Mapping

import pytest

from driftgauge.samples import Sample
from driftgauge.verdict.known import KnownSeries
from driftgauge.verdict.promql import looks_back
from driftgauge.verdict.vectors import NotPaired, Series

NOW = 1_000.0
PSI = {("1", "1h", "age"): 0.3, ("1", "1h", "plan"): 0.1, ("2", "1h", "age"): 0.2}
SAMPLES = {
    "model_feature_psi": [Sample(("m", *labels), value) for labels, value in PSI.items()],
    "model_performance_baseline": [Sample(("m", "1", "accuracy"), 0.9), Sample(("m", "1", "mae"), 0.0)],
    "model_accuracy": [Sample(("m", "1", "1h"), 0.8), Sample(("m", "1", "1h"), 0.2, "germany")],
}
Labelled = dict[tuple[tuple[str, str], ...], float]


def known(**given: list[Series]) -> KnownSeries:
    """Return a few series of one model."""
    return KnownSeries(SAMPLES, {}, given, job="j", now=NOW)


def answer(text: str, *, without: tuple[str, ...] = ("job", "model", "window")) -> Labelled:
    """Return what a query gives, by the labels that matter."""
    return {
        tuple((name, text) for name, text in sorted(labels.items()) if name not in without): value
        for labels, value in known().answer(text)
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('model_feature_psi{feature="age", version="2"}', {(("feature", "age"), ("version", "2")): 0.2}),
        ('max_over_time(model_feature_psi{job="other"}[5m])', {}),
        ('max by (feature) (model_feature_psi{version=~"1|7", feature=~"a.e"})', {(("feature", "age"),): 0.3}),
        ('min(model_feature_psi{feature!~"ag"})', {(): 0.1}),
        ('sum by (version) (model_feature_psi{feature!="plan"})', {(("version", "1"),): 0.3, (("version", "2"),): 0.2}),
        ("count(model_feature_psi > 0.15)", {(): 2}),
        ('model_accuracy{segment=""}', {(("version", "1"),): 0.8}),
        ('model_accuracy{segment!=""} * -2', {(("segment", "germany"), ("version", "1")): -0.4}),
        ("10 - max(model_feature_psi)", {(): 9.7}),
        ("time() - sum(model_accuracy)", {(): 999.0}),
        ("clamp_min(max(model_feature_psi) - 1, -0.5)", {(): -0.5}),
        ('label_replace(max(model_feature_psi), "metric", "x", "", "")', {(("metric", "x"),): 0.3}),
        (
            "max by (version) (model_feature_psi) and on (version) model_performance_baseline",
            {(("version", "1"),): 0.3},
        ),
        ("max by (version) (model_feature_psi) unless on (version) model_accuracy", {(("version", "2"),): 0.2}),
        ("max(model_feature_psi) or min(model_accuracy)", {(): 0.3}),
        (
            "model_performance_baseline - on (version) group_left () max by (version) (model_accuracy)",
            {(("metric", "accuracy"), ("version", "1")): 0.1, (("metric", "mae"), ("version", "1")): -0.8},
        ),
        (
            "max by (version) (model_accuracy) / on (version) group_right () model_performance_baseline",
            {(("metric", "accuracy"), ("version", "1")): 0.8 / 0.9, (("metric", "mae"), ("version", "1")): math.inf},
        ),
        (
            "max by (version) (model_feature_psi) < on (version) max by (version) (model_accuracy)",
            {(("version", "1"),): 0.3},
        ),
        ("model_accuracy offset 1w", {}),
        ("increase(model_accuracy[1h])", {}),
        ("absent_from_here", {}),
    ],
)  # fmt: skip
def test_answers(query: str, expected: Mapping[object, float]) -> None:
    """As Prometheus would give, without the past."""
    assert answer(query) == pytest.approx(expected)


def test_order() -> None:
    """The largest first, and equal values by their labels."""
    values = [value for _, value in known().answer("sort_desc(model_feature_psi)")]
    assert values == [0.3, 0.2, 0.1]
    assert [value for _, value in known().answer("topk(1, model_feature_psi)")] == [0.3]


def test_one_of_each() -> None:
    """Two series with the same labels where one is needed are a mistake in the rule, as in Prometheus."""
    with pytest.raises(NotPaired):
        known().answer("model_accuracy - on (version) model_feature_psi")


def test_what_is_given_comes_first() -> None:
    """A recording that is known otherwise is not evaluated."""
    assert known(given=[Series({}, 7.0)]).answer("given > 6") == [Series({}, 7.0)]


@pytest.mark.parametrize(
    "query",
    [
        "max without (feature) (model_feature_psi)",
        "model_accuracy > bool 0.5",
        "quantile(0.5, model_accuracy)",
        "histogram_quantile(0.9, model_accuracy)",
        "model_accuracy - ignoring (window) model_accuracy",
        "model_performance_baseline * on (version) group_left (window) model_accuracy",
        "model_accuracy @ 5",
        '{__name__=~"model.*"}',
        'label_replace(model_accuracy, "a", "$1", "version", "(.*)")',
        "0.5 < model_accuracy",
        "model_accuracy % 2",
        "1 + 1",
        "clamp_min(model_accuracy, scalar(model_accuracy))",
        "max(",
    ],
)
def test_more_than_is_evaluated_here(query: str) -> None:
    """It is refused when it is compiled."""
    with pytest.raises(ValueError, match=r"."):
        known().answer(query)


def test_what_looks_back() -> None:
    """Offsets and increases, however deep."""
    assert looks_back("a unless on (model) (b offset 1w == 0)")
    assert looks_back("max by (job) (increase(a[6h]))")
    assert not looks_back("max by (job) (max_over_time(a[5m]))")

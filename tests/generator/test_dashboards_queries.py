"""The PromQL that dashboards are made of."""

import pytest

from driftgauge.generator.dashboards.queries import (
    Scope,
    about_target,
    age,
    among_highest,
    grown,
    growth,
    highest,
    total,
)

SCOPE = Scope(one=("window",), several=("model", "version"))
TARGET = 'job=~"$job", instance=~"$instance"'


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (
            SCOPE.of("model_accuracy"),
            f'model_accuracy{{{TARGET}, window="$window", model=~"$model", version=~"$version", segment=""}}',
        ),
        (SCOPE.of("model_batches_total"), f'model_batches_total{{{TARGET}, model=~"$model"}}'),
        (SCOPE.of("driftgauge_build_info"), f"driftgauge_build_info{{{TARGET}}}"),
        (
            SCOPE.of("model_latency_seconds", "_bucket", all_of=["version"]),
            f'model_latency_seconds_bucket{{{TARGET}, model=~"$model"}}',
        ),
        (
            Scope().of("model_performance_baseline", metric=("f1", "mae")),
            f'model_performance_baseline{{{TARGET}, metric=~"f1|mae"}}',
        ),
        (about_target("up"), f"up{{{TARGET}}}"),
    ],
)
def test_selectors(selector: str, expected: str) -> None:
    """A selector is narrowed by the variables its family has labels for, and by nothing else."""
    assert selector == expected


def test_unknown_names_are_refused() -> None:
    """Neither a family, nor a label, nor a series of another program can be made up."""
    with pytest.raises(KeyError, match="model_happiness"):
        SCOPE.of("model_happiness")
    with pytest.raises(KeyError, match="model_accuracy has no label feature"):
        SCOPE.of("model_accuracy", feature="age")
    with pytest.raises(KeyError, match="node_load1"):
        about_target("node_load1")


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (highest("x"), "max(x)"),
        (total(highest("x", "model", "le"), "le"), "sum by (le) (max by (model, le) (x))"),
        (growth("x"), "increase(x[$__range])"),
        (age("x"), "time() - x"),
        (
            grown("x", "$__range", "reason"),
            "clamp_min(max by (reason) (x) - (max by (reason) (x offset $__range) or 0 * max by (reason) (x)), 0)",
        ),
        (
            among_highest("y", of="x", by="feature", count=3),
            "y and on (feature) topk(3, max by (feature) (max_over_time(x[$__range] @ end())))",
        ),
    ],
)
def test_aggregations(expr: str, expected: str) -> None:
    """What they stand for is exactly this PromQL."""
    assert expr == expected

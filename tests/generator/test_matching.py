"""Thresholds against the exporter's configuration: what can never fire is refused, with the remedy."""

import pytest

from driftgauge.config import Config
from driftgauge.config import parse as parse_config
from driftgauge.generator.matching import blind_spots, mismatches
from driftgauge.generator.thresholds import parse

WINDOWS = "windows: [1h, 24h, 7d]"
MODELS = """
models:
  - {name: churn, predictions: {files: p}}
  - {name: price, task: regression, predictions: {files: p}, reference: {uri: r.csv}}
"""


def config(head: str = WINDOWS) -> Config:
    """Return an exporter's configuration with a binary model and a regression."""
    return parse_config(head + MODELS, filename="driftgauge.yml", environ={})


@pytest.mark.parametrize(
    ("thresholds", "head", "expected"),
    [
        ("{}", WINDOWS, []),
        ("models: {churn: {floors: {accuracy: 0.8}}, price: {ceilings: {mae: 3}}}", WINDOWS, []),
        (
            "windows: {performance: 48h}", WINDOWS,
            [("windows.performance: ", '"48h"', "ModelPerformanceDegraded", "write one of 1h, 24h, 7d")],
        ),
        (
            "{}", "windows: [1h, 1d, 7d]",
            [(f"windows.{kind}: ", "as there: 1d") for kind in ("performance", "drift", "quality")],
        ),
        ("{}", "windows: [1h, 24h]", [("windows.labels: ", '"7d"', "ModelLabelsMissing", "add 7d to windows")]),
        (
            "models: {churn: {windows: {drift: 3h}}}", WINDOWS,
            [("models.churn.windows.drift: ", '"3h"', "ModelFeatureDrifted")],
        ),
        ("models: {chrun: {}}", WINDOWS, [("models.chrun: ", 'no model "chrun"', 'did you mean "churn"?')]),
        (
            "models: {churn: {ceilings: {mae: 3}}}", WINDOWS,
            [("models.churn.ceilings.mae: ", "does not exist for task binary", "accuracy, ")],
        ),
        (
            "models: {price: {floors: {accuracy: 0.5}}}", WINDOWS,
            [("models.price.floors.accuracy: ", "task regression", "mse, rmse, mae, r2")],
        ),
        (
            "models: {price: {alerts: {ModelPerformanceDegraded: {degradation: {recall: 0.1}}}}}", WINDOWS,
            [("models.price.alerts.ModelPerformanceDegraded.degradation.recall: ", "task regression")],
        ),
        (
            "alerts: {ModelPerformanceDegraded: {degradation: {mae: false, rmse: false}}}", WINDOWS,
            [("alerts.ModelPerformanceDegraded.degradation: ", "never fires for price")],
        ),
        ("{}", "refresh_interval: 5m", [("exporter.refresh_interval: ", "30s", "write 5m")]),
    ],
)  # fmt: skip
def test_what_can_never_fire(thresholds: str, head: str, expected: list[tuple[str, ...]]) -> None:
    """Each mistake is one line with the path, what is not there, and the remedy."""
    found = mismatches(parse(thresholds, filename="thresholds.yml"), config(head))
    assert len(found) == len(expected), found
    for line, parts in zip(found, expected, strict=True):
        assert line.startswith(parts[0])
        assert all(part in line for part in parts)


def test_alerts_without_anything_to_compare_with() -> None:
    """A model without a reference has no drift and no baseline; that is said, for it may be meant."""
    (line,) = blind_spots(parse("{}", filename="t"), config())
    assert line.startswith("churn has no reference")
    assert {"ModelFeatureDrifted", "ModelPerformanceDegraded", "ModelOutliers"} <= set(line.replace(",", "").split())
    assert "ModelMissingValues" not in line


def test_days_that_are_not_kept() -> None:
    """Rows leave with the longest window; a policy that looks further back recommends nothing, and that is said."""
    found = blind_spots(parse("{}", filename="t"), config("windows: [1h, 24h, 3d]"))
    assert [line for line in found if "ModelRetrainingRecommended" in line] == [
        f"{model}: rows are kept for 3d, the longest window of driftgauge.yml, so ModelRetrainingRecommended "
        "never fires by drift_days 3"
        for model in ("churn", "price")
    ]
    off = parse("alerts: {ModelRetrainingRecommended: {enabled: false}}", filename="t")
    assert "ModelRetrainingRecommended" not in str(blind_spots(off, config("windows: [1h, 24h]")))

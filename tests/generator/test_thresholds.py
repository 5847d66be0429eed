"""thresholds.yml: complete, explained, laid under a file of one's own, and exact about mistakes."""

import re
from pathlib import Path
from typing import Final

import pytest

from driftgauge.config.fields import METRICS
from driftgauge.errors import ConfigError
from driftgauge.generator.alerts import ALERTS
from driftgauge.generator.rules import DEFINITIONS
from driftgauge.generator.thresholds import ERRORS, FILE, parse, shipped, shipped_text
from driftgauge.performance import SCORES

ROOT: Final = Path(__file__).parents[2]
OWN: Final = ROOT / "tests" / "data" / "thresholds" / "own.yml"
# Explained once for all alerts.
EXPLAINED_ABOVE: Final = {"enabled", "severity", "runbook"}
ADVICE: Final = re.compile(r"\b(raise|lower|change|longer|shorter|add|leave|set|write)\b", re.IGNORECASE)


def test_the_shipped_file_is_the_one_in_the_repository() -> None:
    """What an installation reads is the file that people change."""
    assert shipped_text() == (ROOT / FILE).read_text(encoding="utf-8")


def test_severities_of_the_design() -> None:
    """The shipped thresholds are those of the public contract."""
    alerts = shipped().alerts
    degraded, many = alerts.ModelPerformanceDegraded, alerts.ModelFeaturesDrifted

    assert degraded.severity == "critical"
    assert {degraded.degradation[metric] for metric in ("accuracy", "f1", "roc_auc", "mae", "rmse")} == {0.05}
    assert (many.severity, many.features, many.ratio) == ("high", 3, 0.3)
    assert (alerts.ModelPredictionShifted.severity, alerts.ModelPredictionShifted.psi) == ("high", 0.2)
    assert alerts.ModelOutputDrifted.severity == "medium"
    assert alerts.ModelFeatureDrifted.severity == "low"


def unexplained(text: str) -> list[str]:
    """Return the settings in the file that have no advice above them, neither themselves nor with their neighbours."""
    found, advised = [], False
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            advised = advised or bool(ADVICE.search(stripped))
        elif match := re.fullmatch(r" {4}(\w+):.*", line):
            if not advised and match[1] not in EXPLAINED_ABOVE:
                found.append(match[1])
            advised = advised and match[1] not in EXPLAINED_ABOVE and not match[1].endswith("for")
        elif not stripped:
            advised = False
    return found


def test_every_setting_says_when_to_change_it() -> None:
    """Each threshold and time stands under a sentence that says when to raise or lower it."""
    alerts = shipped_text().partition("\nalerts:\n")[2].partition("\n# What holds for single models")[0]

    assert unexplained(alerts) == []
    assert unexplained("    psi: 0.2\n\n    # Raise it when it rains.\n    psi: 0.2\n") == ["psi"]


def test_every_alert_has_a_rule() -> None:
    """What the file may set is what is rendered, in the same order."""
    assert tuple(DEFINITIONS) == ALERTS


def test_errors_are_what_scores_are_not() -> None:
    """Floors and ceilings stand on the side that the degradation of a metric is computed on."""
    assert set(METRICS) - set(SCORES) == ERRORS


def test_a_file_of_ones_own_lies_on_top() -> None:
    """What it does not say stays as shipped; `false` takes a metric away; a key without value is as if not written."""
    own = parse(OWN.read_text(encoding="utf-8") + "activity:\n", filename="own.yml")

    assert own.links.runbooks == "https://wiki.example.com/runbooks"
    assert own.alerts.ModelPerformanceDegraded.degradation == {
        "accuracy": 0.1,
        "roc_auc": 0.05,
        "mae": 0.05,
        "rmse": 0.05,
        "log_loss": 0.2,
    }
    assert own.alerts.ModelPredictionShifted == shipped().alerts.ModelPredictionShifted
    assert own.activity == shipped().activity


def test_models_lie_on_top_of_the_file() -> None:
    """A model has what it says itself, else what the file says, else what ships; one not named has the file's."""
    own = parse(OWN.read_text(encoding="utf-8"), filename="own.yml")
    churn, delay = own.for_model("churn|eu"), own.for_model("delay.minutes")

    assert churn.alerts.ModelPerformanceDegraded.degradation["accuracy"] == 0.02
    assert churn.alerts.ModelPerformanceDegraded.degradation["log_loss"] == 0.2
    assert (churn.alerts.ModelBelowFloor.min_labels, delay.alerts.ModelBelowFloor.min_labels) == (50, 300)
    assert (delay.windows.performance.name, delay.windows.drift.name) == ("7d", "24h")
    assert own.for_model("nobody named").alerts == own.alerts


MISTAKES: Final = [
    (
        "alerts:\n  ModelOutlier: {}",
        '2: alerts.ModelOutlier: unknown key "ModelOutlier"; did you mean "ModelOutliers"?',
    ),
    ("alerts: {ModelLatencyHigh: {fro: 1m}}", '1: alerts.ModelLatencyHigh.fro: unknown key "fro"; did you mean "for"?'),
    (
        "alerts:\n  ModelLatencyHigh:\n    p99: fast",
        '3: alerts.ModelLatencyHigh.p99: must be a duration like 30s, 1h, 7d or 1h30m, but is "fast"',
    ),
    (
        "alerts: {ModelOutliers: {outlier_ratio: 1.5}}",
        "1: alerts.ModelOutliers.outlier_ratio: must be less than 1, but is 1.5",
    ),
    (
        "alerts: {ModelOutliers: {min_predictions: 0}}",
        "1: alerts.ModelOutliers.min_predictions: must be at least 1, but is 0",
    ),
    (
        "alerts: {ModelOutliers: {enabled: perhaps}}",
        '1: alerts.ModelOutliers.enabled: must be true or false, but is "perhaps"',
    ),
    (
        "alerts: {ModelOutliers: {severity: hihg}}",
        '1: alerts.ModelOutliers.severity: unknown value "hihg"; did you mean "high"?',
    ),
    (
        "alerts: {ModelPerformanceDegraded: {degradation: {acuracy: 0.1}}}",
        '1: alerts.ModelPerformanceDegraded.degradation.acuracy: unknown metric "acuracy"; did you mean "accuracy"?',
    ),
    (
        "alerts: {ModelOutliers: {for: 5m}}",
        "1: alerts.ModelOutliers.for: must be at least 6m (smoothing and two refreshes), or one bad value fires",
    ),
    (
        "exporter: {refresh_interval: 2m}\nalerts: {DriftgaugeDown: {for: 3m}}",
        "2: alerts.DriftgaugeDown.for: must be at least 4m (two refreshes), or one bad value fires",
    ),
    (
        "links: {grafana: grafana:3000}",
        '1: links.grafana: must be an address like https://grafana.example.com, but is "grafana:3000"',
    ),
    (
        "exporter: {target_labels: [my-env]}",
        '1: exporter.target_labels[0]: must be a label name like env or cluster, but is "my-env"',
    ),
    ("windows: {drift: 1 day}", '1: windows.drift: must be a duration like 30s, 1h, 7d or 1h30m, but is "1 day"'),
    ("models: [churn]", "1: models: must be a mapping of keys to values, but is a list"),
    (
        "models:\n  churn:\n    floors: {rmse: 3}",
        "3: models.churn.floors.rmse: rmse is worse when higher; write it under ceilings",
    ),
    (
        "models:\n  churn:\n    ceilings: {f1: 3}",
        "3: models.churn.ceilings.f1: f1 is worse when lower; write it under floors",
    ),
    (
        "models:\n  churn:\n    alerts:\n      ModelOutliers: {for: 1h}",
        "4: models.churn.alerts.ModelOutliers.for: is the same for all models; move it to the alert itself",
    ),
    (
        "models: {churn: {alerts: {ModelOutlier: {}}}}",
        '1: models.churn.alerts.ModelOutlier: unknown key "ModelOutlier"; did you mean "ModelOutliers"?',
    ),
    ("models: {churn: {flors: {}}}", '1: models.churn.flors: unknown key "flors"; did you mean "floors"?'),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_mistakes_have_place_and_remedy(text: str, message: str) -> None:
    """Each mistake is one line: file, line, path, what is wrong and what to do."""
    with pytest.raises(ConfigError) as raised:
        parse(text, filename="own.yml")

    assert str(raised.value) == f"own.yml:{message}"


def test_a_mistake_in_what_holds_for_all_is_reported_once() -> None:
    """Models inherit it, but it is to be corrected in one place."""
    with pytest.raises(ConfigError) as raised:
        parse("alerts: {ModelOutliers: {outlier_ratio: 7}}\nmodels: {a: {team: }, b: }", filename="own.yml")

    assert str(raised.value) == "own.yml:1: alerts.ModelOutliers.outlier_ratio: must be less than 1, but is 7"

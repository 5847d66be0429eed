"""When retraining is recommended: by labels or drift that last, never by one bad day."""

from collections.abc import Mapping, Sequence
from functools import cache

import pytest

from driftgauge.families import FAMILIES
from driftgauge.generator import thresholds
from driftgauge.samples import Sample, Samples
from driftgauge.verdict import Past, Rules, recommendations

Values = Mapping[str, float]
FINE: Values = {
    "model_window_predictions": 1000,
    "model_window_labels": 400,
    "model_performance_degradation accuracy": 0.01,
    "model_performance_baseline accuracy": 0.9,
    "model_performance_bound accuracy upper": 0.91,
    "model_estimated_performance_bound accuracy upper": 0.9,
    "model_concept_drift_detected": 0,
    "model_concept_drift_zscore accuracy": 4,
    "model_drifted_features": 0,
    "model_drifted_features_ratio": 0,
}
WORSE = {"model_performance_degradation accuracy": 0.2, "model_performance_bound accuracy upper": 0.8}
CHANGED = {"model_concept_drift_detected": 1}
DRIFTED = {"model_drifted_features": 5, "model_estimated_performance_bound accuracy upper": 0.87}


def samples(values: Values, *versions: str) -> Samples:
    """Return the samples of a model in a window of a day."""
    found: dict[str, list[Sample]] = {}
    for version in versions or ("1",):
        for key, value in values.items():
            family, *labels = key.split()
            window = ["24h"] if "window" in FAMILIES[family].labels else []
            found.setdefault(family, []).append(Sample(("m", version, *window, *labels), value))
    return found


@cache
def rules(own: str = "{}") -> Rules:
    """Return the rules of somebody's thresholds."""
    return Rules.of(thresholds.parse(own, filename="t"))


def recommended(
    now: Values, days: Sequence[Values], *versions: str, own: str = "{}", past: Past | None = None
) -> dict[str, float]:
    """Return what is recommended, by reason, or by version and reason of several; days: the latest last."""

    def past_days(version: str, most: int, _: bool) -> list[Samples]:  # noqa: FBT001 - as the exporter is asked
        return [samples({**FINE, **day}, version) for day in days[-most:]]

    found = recommendations("m", samples({**FINE, **now}, *versions), rules(own), past_days, now=0, past=past)
    return {
        " ".join(each.labels[1:] if len(versions) > 1 else each.labels[2:]): each.value
        for each in found.get("model_retraining_recommended", ())
        if isinstance(each, Sample)
    }


NOTHING = {"performance": 0.0, "concept_drift": 0.0, "data_drift": 0.0}


@pytest.mark.parametrize(
    ("bad", "reason", "days"),
    [(WORSE, "performance", 2), (CHANGED, "concept_drift", 2), (DRIFTED, "data_drift", 3)],
)
def test_what_lasts(bad: Values, reason: str, days: int) -> None:
    """It holds now and held on as many days before; one fine day, or one day less, and nothing is recommended."""
    assert recommended(bad, [bad] * days) == {**NOTHING, reason: 1.0}
    assert recommended(bad, [{}, *[bad] * (days - 1)]) == NOTHING
    assert recommended(bad, [*[bad] * (days - 1), {}]) == NOTHING
    assert recommended(bad, [bad] * (days - 1)) == NOTHING
    assert recommended({}, [bad] * days) == NOTHING
    # Days before those that count do not matter.
    assert recommended(bad, [{}, *[bad] * days]) == {**NOTHING, reason: 1.0}


def test_one_bad_day_never_does() -> None:
    """Now and yesterday are of the same rows, however bad: no reason is satisfied with one day."""
    everything = {**WORSE, **CHANGED, **DRIFTED}
    assert recommended(everything, [{}, {}, everything]) == NOTHING
    for key in ("performance_days", "concept_days", "drift_days"):
        with pytest.raises(Exception, match=f"{key}: must be at least 2"):
            rules(f"alerts: {{ModelRetrainingRecommended: {{{key}: 1}}}}")


def test_healthy_models_cost_nothing() -> None:
    """No day is looked at while nothing holds now."""
    found = recommendations("m", samples(FINE), rules(), lambda *_: pytest.fail("a day was looked at"), now=0)
    assert [each.value for each in found["model_retraining_recommended"] if isinstance(each, Sample)] == [0.0] * 3


def test_enough_labels() -> None:
    """Reasons of labels are absent below `min_labels` now, and no reason on a day with fewer."""
    few = {"model_window_labels": 299}
    assert recommended({**WORSE, **few}, [WORSE] * 2) == {"data_drift": 0.0}
    assert recommended(WORSE, [WORSE, {**WORSE, **few}]) == NOTHING
    own = "alerts: {ModelRetrainingRecommended: {min_labels: 200}}"
    assert recommended({**WORSE, **few}, [WORSE] * 2, own=own) == {**NOTHING, "performance": 1.0}


def test_a_shift_without_a_loss() -> None:
    """Inputs that move recommend nothing while the estimate holds; without an estimate nothing is known of a loss."""
    moved = {**DRIFTED, "model_estimated_performance_bound accuracy upper": 0.881}
    assert recommended(moved, [moved] * 3) == NOTHING
    blind = {key: value for key, value in FINE.items() if "estimated" not in key}
    found = recommendations("m", samples({**blind, **CHANGED}), rules(), lambda *_: [], now=0)
    assert [each.labels[2] for each in found["model_retraining_recommended"]] == ["performance", "concept_drift"]


def test_what_is_not_judged_is_absent() -> None:
    """Without labels, flags or drift there is no answer at all."""
    assert recommendations("m", samples({"model_window_predictions": 9}), rules(), lambda *_: [], now=0) == {}


def test_settings_of_ones_own() -> None:
    """A model has its own policy and limits, and alerts that are switched off are no reason."""
    assert recommended(WORSE, [WORSE] * 2, own="alerts: {ModelRetrainingRecommended: {enabled: false}}") == {}
    patient = "models: {m: {alerts: {ModelRetrainingRecommended: {performance_days: 3}}}}"
    assert recommended(WORSE, [WORSE] * 2, own=patient) == NOTHING
    assert recommended(WORSE, [WORSE] * 3, own=patient) == {**NOTHING, "performance": 1.0}
    lax = "models: {m: {alerts: {ModelPerformanceDegraded: {degradation: {accuracy: 0.3}}}}}"
    assert recommended(WORSE, [WORSE] * 2, own=lax) == NOTHING
    off = "alerts: {ModelConceptDrift: {enabled: false}}"
    assert recommended(CHANGED, [CHANGED] * 2, own=off) == {"performance": 0.0, "data_drift": 0.0}
    weekly = "models: {m: {windows: {performance: 7d, drift: 7d}}}"
    assert recommended(WORSE, [WORSE] * 2, own=weekly) == {}


def test_each_version_for_itself() -> None:
    """A version that was replaced is not to be trained again."""
    both = recommended(WORSE, [WORSE] * 2, "1", "2", past=Past(replaced=("1",)))
    assert (both["1 performance"], both["2 performance"]) == (0.0, 1.0)

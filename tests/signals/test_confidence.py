"""Estimates through the exporter's own code: NannyML's data sets and values, flags, and bad input."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_builders import a_pane, a_reference, features, fitted
from driftgauge.codec import pack, unpack
from driftgauge.estimate import dispersion
from driftgauge.reference import Reference
from driftgauge.signals import confidence
from estimated_windows import Monitored, Said, decoded, monitored, scored_frame
from nannyml_data import data_set

METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc")
FAMILIES = ("model_estimated_performance", "model_estimated_performance_bound", "model_estimated_degradation")
RECORD = (
    "model_estimate_error",
    "model_performance_change",
    "model_concept_drift_zscore",
    "model_concept_drift_detected",
)


def drawn(seed: int, rows: int, *, a: float = 0.7, bold: float = 1.4, flipped: float = 0.0) -> pd.DataFrame:
    """Return labelled rows whose scores are too bold, a share of whose labels is flipped."""
    rng = np.random.default_rng(seed)
    score = rng.beta(a, 0.7, rows)
    label = rng.random(rows) < 1 / (1 + (1 / score - 1) ** (1 / bold))
    return scored_frame(score, label ^ (rng.random(rows) < flipped))


@pytest.fixture(scope="module")
def model() -> Monitored:
    """Return a model with a reference of 4,000 rows."""
    return monitored(drawn(1, 4000))


@pytest.fixture(autouse=True)
def no_dispersion(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes longest where only values matter."""
    if "nannyml" in request.node.name:
        monkeypatch.setattr(dispersion, "dispersion", lambda *_: {})


def of_nannyml(name: str, score: str, predicted: str, *, average: str = "binary") -> tuple[Monitored, pd.DataFrame]:
    """Return a model and the labelled analysis of a data set."""
    found = data_set(name)
    frame, later = found.reference, found.analysis
    reference = scored_frame(frame[score], frame[found.label], predicted=frame[predicted])
    analysis = scored_frame(later[score], found.labels[found.label], predicted=later[predicted])
    return monitored(reference, average=average), analysis


@pytest.mark.parametrize(
    ("name", "score", "predicted", "rows", "expected"),
    [
        ("car_loan", "y_pred_proba", "y_pred", 25_000, (0.944013, 0.957845, 0.928733, 0.943064, 0.971109)),
        (
            "employment",
            "predicted_probability",
            "prediction",
            69_126,
            (0.826981, 0.799785, 0.867317, 0.832183, 0.903538),
        ),
        ("housing", "y_pred_proba", "y_pred", 4000, (0.629759, None, None, 0.140695, 0.791548)),
    ],
)
def test_equals_nannyml(name: str, score: str, predicted: str, rows: int, expected: tuple[float | None, ...]) -> None:
    """Estimates of the first rows of an analysis are those of nannyml 0.13.1, to all digits (estimation.md)."""
    model, analysis = of_nannyml(name, score, predicted)

    found = model.window(analysis[:rows])["model_estimated_performance"]

    for metric, value in zip(METRICS, expected, strict=True):
        if value is not None:
            assert round(found[metric,], 6) == value


# NannyML's own tests (CBPE/test_cbpe_metrics.py) of chunks of 5,000 rows of synthetic_sample.
PUBLISHED = {
    "accuracy": (
        *(0.9462845122805443, 0.947306078326665, 0.949543087716159, 0.9482807229338969, 0.9483068458984663),
        *(0.9191503008524827, 0.9197921095331023, 0.9193633916092473, 0.9217811573797979, 0.9191618588441066),
    ),
    "precision": (
        *(0.9425440716307568, 0.9431073537123396, 0.9442277523749669, 0.9446336452028188, 0.9453707449594683),
        *(0.9148732952385749, 0.9143489884377147, 0.9133821290777778, 0.9173539177641505, 0.9145726617897999),
    ),
    "recall": (
        *(0.9546437391537488, 0.95007417692678, 0.9534307499357034, 0.9506951010870748, 0.9523223421280594),
        *(0.9317460031975845, 0.9330315141543621, 0.9326226021419973, 0.9310926704269641, 0.9354943725540698),
    ),
    "f1": (
        *(0.948555321454138, 0.9465779465209089, 0.9488069354531159, 0.9476546805658866, 0.9488338110572719),
        *(0.9232325655782327, 0.923595783273164, 0.9229020961475524, 0.9241722368115827, 0.9249152193013231),
    ),
    "roc_auc": (
        *(0.97074363630015, 0.9710106327368981, 0.9714067155511361, 0.9710913930740382, 0.971123121124055),
        *(0.9610902734539033, 0.9618247016040209, 0.9610734463362078, 0.9625334611153133, 0.9613161529631752),
    ),
}


def test_published_values_of_nannyml() -> None:
    """All ten chunks within 1e-4; all but the area, which NannyML now ranks by the raw score, to 1e-9."""
    model, analysis = of_nannyml("synthetic", "y_pred_proba", "y_pred")

    for at in range(10):
        found = model.window(analysis[5000 * at : 5000 * (at + 1)])["model_estimated_performance"]
        for metric, values in PUBLISHED.items():
            assert found[metric,] == pytest.approx(values[at], abs=1e-4 if metric == "roc_auc" else 1e-9)


def test_the_estimate_is_of_the_published_metric(model: Monitored) -> None:
    """On the reference itself the estimate is the baseline, averaged as that is, to the calibration's resolution."""
    found = model.window(drawn(1, 4000))

    baseline = model.compiled.metrics
    for metric in METRICS:
        assert found["model_estimated_performance"][metric,] == pytest.approx(baseline[metric], abs=5e-3)
    assert found["model_estimated_performance"]["precision",] != pytest.approx(
        found["model_estimated_performance"]["recall",], abs=1e-9
    )


def test_inputs_and_concept(model: Monitored) -> None:
    """Other scores alone are inputs; flipped labels are concept and flagged; both sum to the degradation."""
    inputs, concept = model.window(drawn(2, 3000, a=1.4)), model.window(drawn(3, 3000, flipped=0.06))

    for found in (inputs, concept):
        for metric in METRICS:
            parts = [found["model_performance_change"][metric, part] for part in ("inputs", "concept")]
            assert sum(parts) == pytest.approx(found["model_performance_degradation"][metric,], abs=1e-12)
    assert inputs["model_concept_drift_detected"] == {(): 0}
    assert abs(inputs["model_performance_change"]["accuracy", "concept"]) < 0.02
    assert abs(inputs["model_performance_change"]["recall", "inputs"]) > 0
    assert concept["model_concept_drift_detected"] == {(): 1}
    assert concept["model_performance_change"]["accuracy", "concept"] == pytest.approx(0.035, abs=0.015)
    assert concept["model_concept_drift_zscore"]["accuracy",] > 3


def without(found: Said) -> set[str]:
    """Return which families of estimates are there."""
    return {name for name in (*FAMILIES, *RECORD) if name in found}


@pytest.mark.parametrize(
    "change",
    [{"score": np.nan}, {"score": 1.5}, {"score": -0.1}, {"prediction": 2}],
    ids=["no score", "above 1", "below 0", "another class"],
)
def test_one_row_that_cannot_be_judged(model: Monitored, change: dict[str, Any]) -> None:
    """Without it the others would be a biased remainder: the window has no estimate, and no record."""
    frame = drawn(5, 300)
    assert without(model.window(frame)) == {*FAMILIES, *RECORD}
    frame = frame.astype({name: type(value) for name, value in change.items()})
    frame.loc[7, list(change)] = list(change.values())

    rows = decoded(frame, model.config)
    found = model.said(model.pane(rows), model.pane(rows, "labelled"))

    assert without(found) == set()


def test_failed_requests_are_no_predictions(model: Monitored) -> None:
    """A request that failed has nothing to estimate, and takes nothing from the others."""
    frame = drawn(5, 300)
    expected = model.window(frame)["model_estimated_performance"]
    failed = pd.DataFrame({"error": ["timeout"] * 20})

    found = model.said(model.pane(decoded(pd.concat([frame, failed]).drop(columns="label"), model.config)))

    assert found["model_estimated_performance"] == pytest.approx(expected)


def test_zero_and_one_in_a_column_of_scores() -> None:
    """Where predictions are scores, files of 0 and 1 alone have scores too; where they are classes, they have none."""
    frame = drawn(1, 3000)
    scores = frame.assign(score=frame["score"].where(frame.index % 50 != 0, frame["score"].round()))
    model = monitored(scores[["score", "label"]].rename(columns={"score": "prediction"}))
    window = drawn(2, 500).assign(score=lambda rows: rows["score"].round(1))[["score", "label"]]
    window = window.rename(columns={"score": "prediction"})
    bits = window[window["prediction"].isin([0, 1])]
    others = window.drop(bits.index)

    panes = [model.pane(decoded(part, model.config)) for part in (bits, others)]
    together = model.said(type(panes[0]).combine(panes))["model_estimated_performance"]

    assert len(bits) > 5
    assert together == pytest.approx(model.window(window)["model_estimated_performance"])
    assert without(model.said(panes[0])) == set()


def test_panes_of_another_time_are_not_mixed(model: Monitored) -> None:
    """Where the signal covers a part of the rows only, as after it was switched on, there is no estimate."""
    rows = decoded(drawn(5, 300), model.config)
    pane, labelled = model.pane(rows), model.pane(rows, "labelled")
    bare = [type(each)(each.rows, {}, {}) for each in (pane, labelled)]

    found = model.said(pane.combine([pane, bare[0]]), labelled.combine([labelled, bare[1]]))

    assert without(found) == set()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (drawn(1, 600).drop(columns="label"), "needs scores in the reference, beside labels"),
        (drawn(1, 600).drop(columns="score"), "needs scores in the reference, beside labels"),
        (drawn(1, 499), "needs 500 labelled reference rows of both classes with scores, but has 499"),
        (drawn(1, 600).assign(label=1), "needs labels of more than one class in the reference"),
        (drawn(1, 600).assign(score=lambda rows: rows["score"] * 3), "needs scores in the reference, beside labels"),
    ],
    ids=["no labels", "no scores", "few rows", "one class", "other scores"],
)
def test_undefined(frame: pd.DataFrame, reason: str) -> None:
    """There is no signal, no series, and a reason for the log."""
    model = monitored(frame)

    assert model.learned["reason"].startswith(reason)
    assert {"estimate", "concept"}.isdisjoint(model.fitted)
    assert without(model.window(drawn(2, 300))) == set()


def test_other_tasks() -> None:
    """A regression has no scores; rows of numbers are no classes."""
    numbers = pd.DataFrame({"prediction": np.linspace(0, 1, 600), "label": np.linspace(0, 2, 600)})

    assert monitored(numbers, task="regression").learned["reason"].startswith("scores are of classes")
    assert "reason" in a_reference(features(x=np.arange(600.0))).learned["estimate"]


def test_a_reference_that_looks_like_training_data() -> None:
    """Where the model is nearly always right, that is said, and nothing else changes."""
    frame = scored_frame(np.linspace(0, 1, 1000), np.linspace(0, 1, 1000) >= 0.5)

    model = monitored(frame)

    assert "rows that it was trained on" in model.learned["warning"]
    assert model.window(frame)["model_estimated_performance"]["roc_auc",] > 0.8
    assert "warning" not in monitored(drawn(1, 1000)).learned


def test_days_that_differ_make_bounds_wider() -> None:
    """Blocks are of the reference in the order of its file; one that is large is thinned at even distances."""
    frame = drawn(1, 2000)
    days = np.repeat(np.random.default_rng(2).random(20) < 0.5, 100)
    frame.loc[days, "label"] = (frame.loc[days, "score"] >= 0.5).astype(int)

    in_order, shuffled = (
        monitored(rows).learned["dispersion"] for rows in (frame, frame.sample(frac=1, random_state=1))
    )

    assert in_order["accuracy"] > 2 * shuffled["accuracy"]
    assert confidence._thinned(10, 4).tolist() == [0, 3, 6, 9]


def multiclass(seed: int, rows: int) -> pd.DataFrame:
    """Return labelled rows of three classes."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet([1.0, 1.5, 2.0], rows)
    label = (rng.random((rows, 1)) > np.cumsum(scores, axis=1)).sum(axis=1)
    columns = {f"proba_{name}": scores[:, at] for at, name in enumerate("abc")}
    return pd.DataFrame({"prediction": np.array(list("abc"))[scores.argmax(axis=1)], **columns}).assign(
        label=np.array(list("abc"))[np.minimum(label, 2)]
    )


def test_several_classes() -> None:
    """Estimates of all metrics, bounds of all but the area; a class or a score that is missing leaves none."""
    model, frame = monitored(multiclass(1, 1500), task="multiclass"), multiclass(2, 600)

    found = model.window(frame)

    assert {metric for (metric,) in found["model_estimated_performance"]} == set(METRICS)
    bounded = {"accuracy", "precision", "recall", "f1"}
    assert {metric for metric, _ in found["model_estimated_performance_bound"]} == bounded
    assert set(found["model_concept_drift_zscore"]) == {(metric,) for metric in bounded}
    assert found["model_concept_drift_detected"] == {(): 0}
    assert abs(found["model_estimate_error"]["accuracy",]) < 0.06
    for change in ({"proba_b": np.nan}, {"proba_b": 1.5}, {"prediction": "d"}):
        broken = frame.copy()
        broken.loc[3, list(change)] = list(change.values())
        assert without(model.said(model.pane(decoded(broken.drop(columns="label"), model.config)))) == set()
    assert without(model.window(frame.drop(columns="proba_c"))) == set()


def test_several_classes_undefined() -> None:
    """Without scores, with few rows, or of a model that is always right."""
    frame = multiclass(1, 700)

    for part, reason in (
        (frame[["prediction", "label"]], "needs the scores of 2 to 50 classes in the reference, but has 0"),
        (frame[:400], "needs 500 labelled reference rows with scores of classes, but has 400"),
        (frame.assign(label="a"), "needs labels of more than one class in the reference"),
    ):
        assert monitored(part, task="multiclass").learned["reason"] == reason
    assert "warning" in monitored(frame.assign(label=frame["prediction"]), task="multiclass").learned


def test_stored_with_the_reference(model: Monitored) -> None:
    """What was learned comes back with the reference, with the same fingerprint and the same estimates."""
    restored = Reference.from_state(unpack(pack(model.compiled.reference.to_state())))
    again = model._replace(compiled=type(model.compiled)(restored, model.compiled.metrics))

    assert again.fitted["estimate"].fingerprint == model.fitted["estimate"].fingerprint
    frame = drawn(4, 200)
    assert again.window(frame) == model.window(frame)


def test_switched_off(model: Monitored) -> None:
    """A list of signals without them leaves them out."""
    config = model.config.model_copy(update={"signals": ("latency", "moments", "distribution", "outcomes")})

    assert {"estimate", "concept"}.isdisjoint(model._replace(config=config).fitted)
    assert {"estimate", "concept"}.isdisjoint(fitted(None))
    assert "estimate" not in a_pane(features(x=np.arange(3.0))).aggregates


def test_many_small_panes_lose_nothing(model: Monitored) -> None:
    """A window of 300 panes says what one pane of all rows says, to 1e-12."""
    rows = decoded(drawn(9, 3000), model.config)
    parts = model.fitted["estimate"].fold(rows, np.arange(10, 3001, 10))
    (whole,) = model.fitted["estimate"].fold(rows, np.array([3000]))
    signal: Any = model.fitted["estimate"]

    found = signal.estimates(type(whole).combine(list(parts)), rows=3000, scored=False)

    for metric, estimate in signal.estimates(whole, rows=3000, scored=False).items():
        assert found[metric].value == pytest.approx(estimate.value, abs=1e-12)
        assert found[metric].stderr == pytest.approx(estimate.stderr, abs=1e-12)

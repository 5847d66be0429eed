"""Evidence as a refresh publishes it: each row once, across failures, restarts, another reading and a reset."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.isotonic import IsotonicRegression

from data_builders import a_model as a_plain_model
from data_builders import a_pane, a_reference, make_columns
from driftgauge.aggregates.totals import Totals
from driftgauge.columns import Columns
from driftgauge.config import Config
from driftgauge.estimate.bets import ESTIMATED
from driftgauge.estimate.evidence import FallBets
from driftgauge.pipeline import commit
from driftgauge.pipeline.betting import bet_on, with_current
from driftgauge.pipeline.delta import Delta
from driftgauge.snapshot import ModelState
from driftgauge.store import FileRecord, Store, Transaction, reset_evidence
from driftgauge.windows import PaneKey
from pipeline.conftest import NOW, SECONDS, Values, published
from pipeline.test_again import Place, place, rows

__all__ = ["place"]
HOUR = 3600
BASELINE = {"accuracy": 0.9}
RNG = np.random.default_rng(20261130)


def records(count: int, wrong: int, *, first: int = 0, ago: float = 60, **extra: Any) -> list[dict[str, Any]]:
    """Return labelled predictions, the last of them wrong."""
    made = rows(count, first=first, ago=ago, **extra)
    return [{**row, "label": row["answer"] ^ (n >= count - wrong)} for n, row in enumerate(made)]


def config(place: Place, **model: Any) -> Config:
    """Return a model that is bet on."""
    return place.config(**({"columns": {"prediction": "answer"}, "baseline": BASELINE} | model))


def expected(*hours: tuple[int, int]) -> float:
    """Return the evidence of accuracy after hours of (good, bad) rows."""
    bets, evidence = FallBets.of_accuracy(0.9, None), None
    assert bets is not None
    for hour, (good, bad) in enumerate(hours):
        evidence = bets.bet(evidence, good, bad, hour)
    assert evidence is not None
    return evidence.log10 or 0.0


def of_accuracy(values: Values, version: str = "unknown") -> float | None:
    """Return the evidence of accuracy of a version."""
    return values.get(("model_evidence_log10", version, "accuracy"))


def test_hours_of_labels(place: Place) -> None:
    """Rows count in their hour, in files of one step, of several, and after a restart."""
    place.put("p1", [*records(100, 5, ago=3 * HOUR), *records(100, 20, first=100, ago=2 * HOUR)])
    first = place.refreshed(config(place))
    place.put("p2", records(60, 30, first=200, ago=60))
    place.put("p3", records(40, 0, first=300, ago=60))
    second = place.refreshed(config(place))

    assert of_accuracy(first) == pytest.approx(expected((95, 5), (80, 20)))
    assert of_accuracy(second) == pytest.approx(expected((95, 5), (80, 20), (70, 30)))
    assert of_accuracy(place.refreshed(config(place), times=3)) == of_accuracy(second)


def test_versions(place: Place) -> None:
    """Each has evidence of its own; a signal that is off has none."""
    place.put("p1", [*records(50, 5, model_version="1"), *records(50, 20, first=50, model_version="2")])
    found = place.refreshed(config(place))
    assert of_accuracy(found, "1") == pytest.approx(expected((45, 5)))
    assert of_accuracy(found, "2") == pytest.approx(expected((30, 20)))
    off = place.refreshed(config(place, state="off", signals=["latency"]))
    assert [key for key in off if key[0] == "model_evidence_log10"] == []


def labels(count: int, wrong: int, *, first: int = 0, ago: float = 30) -> list[dict[str, Any]]:
    """Return labels of the predictions of the same numbers."""
    return [
        {"request_id": row["request_id"], "timestamp": SECONDS - ago, "label": row["label"]}
        for row in records(count, wrong, first=first)
    ]


def joined(place: Place, **model: Any) -> Config:
    """Return a model whose labels come in files of their own."""
    return config(place, labels={"files": str(place.folder / "in"), "artifacts": "l*"}, **model)


def test_labels_that_come_later(place: Place) -> None:
    """A first label is bet on when it comes; one that is corrected has been."""
    place.put("p1", rows(100, ago=3 * HOUR))
    assert of_accuracy(place.refreshed(joined(place))) is None
    place.put("l1", labels(60, 10))
    first = place.refreshed(joined(place))
    place.put("l2", labels(60, 0))
    corrected = place.refreshed(joined(place))
    place.put("l3", labels(40, 10, first=60))
    last = place.refreshed(joined(place))

    assert of_accuracy(first) == of_accuracy(corrected) == pytest.approx(expected((50, 10)))
    assert corrected["model_accuracy", "unknown", "24h"] == 1
    assert of_accuracy(last) == pytest.approx(expected((80, 20)))


def test_a_commit_that_fails(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are bet on in the transaction that takes them, or not at all; the next refresh does it."""
    original, failing = commit.write_files, [True]

    def write_files(tx: Transaction, records: list[FileRecord], **options: Any) -> None:
        original(tx, records, **options)
        if failing.pop():
            raise duckdb.IOException("No space left on device")

    place.put("p1", records(100, 20))
    with ExitStack() as process:
        pipeline = place.pipeline(config(place), process)
        with monkeypatch.context() as full:
            full.setattr(commit, "write_files", write_files)
            assert pipeline.refresh(NOW).failures["m"][0] == "state"
        assert of_accuracy(published(pipeline, config(place))) is None
        assert pipeline.refresh(NOW).failures == {}
        assert of_accuracy(published(pipeline, config(place))) == pytest.approx(expected((80, 20)))


@pytest.mark.parametrize("window_by", ["records", "files"])
def test_a_model_that_is_read_again(place: Place, window_by: str) -> None:
    """Rows that had counted are not bet on again; those of new files are, where their labels are known to be new."""
    make = config if window_by == "records" else joined
    place.put("p1", records(100, 20, ago=2 * HOUR) if make is config else rows(100))
    place.put("l1", labels(100, 20))
    before = place.refreshed(make(place))
    place.put("p2", records(50, 25, first=100))
    again = place.refreshed(make(place, timezone="Europe/Berlin", windows=("1h", "24h", "48h")))

    hours = [(80, 20)] if make is joined else [(80, 20), (25, 25)]
    assert of_accuracy(before) == pytest.approx(expected((80, 20)))
    assert of_accuracy(again) == pytest.approx(expected(*hours))
    assert again["model_window_labels", "unknown", "48h"] == 150
    place.put("p3", records(10, 9, first=200))
    later = place.refreshed(make(place, timezone="Europe/Berlin", windows=("1h", "24h", "48h")))
    known = [(80, 20), (26, 34)] if make is config else [(81, 29)]
    assert of_accuracy(later) == pytest.approx(expected(*known))


def test_a_file_that_is_read_again_with_more_rows(place: Place) -> None:
    """Of a file that had been read in part only the rows beyond are bet on."""
    first = records(100, 20, ago=2 * HOUR)
    place.put("p1", first)
    place.refreshed(config(place))
    place.put("p1", [*first, *records(50, 25, first=100)])

    again = place.refreshed(config(place, timezone="Europe/Berlin"))

    assert of_accuracy(again) == pytest.approx(expected((80, 20), (25, 25)))


def test_another_baseline(place: Place) -> None:
    """Evidence against another baseline begins anew, with rows that come then."""
    place.put("p1", records(100, 20))
    assert of_accuracy(place.refreshed(config(place))) is not None
    assert of_accuracy(place.refreshed(config(place, baseline={"accuracy": 0.7}))) is None
    assert of_accuracy(place.refreshed(config(place))) == pytest.approx(expected((80, 20)))


def test_reset(place: Place) -> None:
    """After a reset, evidence is of the rows that come then."""
    place.put("p1", records(100, 20))
    place.refreshed(config(place))
    store = Store.open(config(place).state_dir)
    assert reset_evidence(store, "m") == {"unknown": ["accuracy"]}
    store.close()
    assert of_accuracy(place.refreshed(config(place))) is None
    place.put("p2", records(10, 1, first=100))
    assert of_accuracy(place.refreshed(config(place))) == pytest.approx(expected((9, 1)))


def write_reference(path: Path, shift: float = 0.0) -> str:
    """Write 5,000 rows with a feature and a score."""
    lines = [f"{x:.5f},{s:.5f}\n" for x, s in zip(RNG.normal(shift, size=5000), RNG.random(5000), strict=True)]
    path.write_text("feature_x,score\n" + "".join(lines))
    return str(path)


def scored(count: int, shift: float, *, first: int = 0, ago: float = 60) -> list[dict[str, Any]]:
    """Return predictions whose feature has moved."""
    values = zip(RNG.normal(shift, size=count), RNG.random(count), strict=True)
    made = [{"feature_x": round(x, 5), "score": round(s, 5)} for x, s in values]
    return [{"request_id": f"r{first + n}", "timestamp": SECONDS - ago, **row} for n, row in enumerate(made)]


def test_drift_and_another_reference(place: Place) -> None:
    """A feature that moves is evidence of the inputs, not of the predictions; another reference begins anew."""
    uri = write_reference(place.folder / "reference.csv")
    place.put("p1", scored(500, 1.0))
    found = place.refreshed(place.config(reference={"uri": uri}))
    evidence = {key[2]: value for key, value in found.items() if key[0] == "model_evidence_log10"}
    assert evidence["inputs"] > 4
    assert evidence["prediction"] < 1
    write_reference(place.folder / "reference.csv", shift=1.0)
    renewed = place.refreshed(place.config(reference={"uri": uri}))
    assert [key for key in renewed if key[0] == "model_evidence_log10"] == []
    place.put("p2", scored(500, 1.0, first=500))
    after = place.refreshed(place.config(reference={"uri": uri}))
    assert after["model_evidence_log10", "unknown", "inputs"] < 1


def classified(count: int, *, sure: float = 1.0) -> list[dict[str, Any]]:
    """Return predictions with labels that are 1 as often as their score says; sure: how far scores are from 0.5."""
    scores = 0.5 + (RNG.random(count) - 0.5) * sure
    values = zip(scores.round(4).tolist(), (RNG.random(count) < scores).tolist(), strict=True)
    return [{"score": score, "prediction": int(score >= 0.5), "label": int(label)} for score, label in values]


def expected_of(reference: Sequence[dict[str, Any]], *hours: Sequence[dict[str, Any]]) -> float:
    """Return the evidence of estimated accuracy: scores mean what scikit-learn's isotonic regression says."""
    scores, labels = ([row[name] for row in reference] for name in ("score", "label"))
    known = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    accuracy = np.mean([row["prediction"] == row["label"] for row in reference])
    total = np.full(5, -np.inf)
    for hour in hours:
        chance = known.predict([row["score"] for row in hour])
        right = np.where([row["prediction"] for row in hour], chance, 1 - chance).sum()
        stakes, limit = np.array([0.05, 0.1, 0.2, 0.4, 0.8]), 1 - accuracy + 0.02
        growth = right * np.log(1 - stakes * limit) + (len(hour) - right) * np.log(1 + stakes * (1 - limit))
        total = np.logaddexp(total, 0) + growth
    return float(np.log10(np.exp(total).mean()))


def test_scores_that_become_unsure_before_any_label(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions alone are evidence that accuracy is going to fall; scores as in the reference are none."""
    monkeypatch.setattr("driftgauge.signals.confidence.calibration_helps", lambda *_: True)
    known, before, after = classified(8000), classified(400), classified(400, sure=0.3)
    reference = {"uri": str(place.folder / "reference.csv")}
    pd.DataFrame(known).to_csv(reference["uri"], index=False)

    def serve(name: str, rows: Sequence[dict[str, Any]], ago: float) -> float:
        bare = [{key: row[key] for key in ("score", "prediction")} for row in rows]
        place.put(name, [{"request_id": f"{name}{n}", "timestamp": SECONDS - ago, **row} for n, row in enumerate(bare)])
        return place.refreshed(place.config(reference=reference))["model_evidence_log10", "unknown", ESTIMATED]

    quiet = serve("p1", before, 2 * HOUR)
    assert quiet == pytest.approx(expected_of(known, before), abs=1e-6)
    assert quiet < 1
    loud = serve("p2", after, 60)
    assert loud == pytest.approx(expected_of(known, before, after), abs=1e-6)
    assert loud > 4
    place.put("p3", [{"request_id": "x", "timestamp": SECONDS - 60, "prediction": 1}, *scored(50, 0)])
    unscored = place.refreshed(place.config(reference=reference))
    assert unscored["model_evidence_log10", "unknown", ESTIMATED] == loud


def test_classes_that_become_unsure() -> None:
    """Of several classes, what counts is the probability of the predicted one."""
    model = a_plain_model(task="multiclass")

    def drawn(count: int, sure: float) -> Columns:
        scores = RNG.dirichlet(np.full(3, 1 / sure), count).T
        label = [str(RNG.choice(3, p=each)) for each in scores.T]
        named = {str(at): each for at, each in enumerate(scores)}
        return make_columns(
            count, predicted=scores.argmax(axis=0).astype(str).tolist(), label=label, class_scores=named
        )

    reference = a_reference(drawn(6000, 3.0), model=model)
    known = ModelState(
        model, reference=reference, baseline={"accuracy": float(reference.learned["evidence"]["hits"]) / 6000}
    )
    for sure, is_evidence in ((3.0, False), (0.5, True)):
        pane = a_pane(drawn(500, sure), reference)
        found = bet_on(known, Delta(predictions={PaneKey("1", 0, 120): pane}), {})["1"][ESTIMATED]
        assert ((found.log10 or 0.0) > 3) == is_evidence


def state(**model: Any) -> ModelState:
    """Return a model with a reference of classes, and a baseline that is given."""
    found = a_reference(make_columns(6000, predicted=["a", "b", "b"] * 2000))
    return ModelState(a_plain_model(baseline=BASELINE, **model), reference=found, baseline=BASELINE)


def a_delta(of: ModelState, *, predicted: Sequence[str], label: Sequence[str] | None = None, **columns: Any) -> Delta:
    """Return rows of one hour."""
    made = make_columns(len(predicted), predicted=list(predicted), label=label and list(label), **columns)
    pane = {PaneKey("1", 0, 120): a_pane(made, of.reference)}
    labelled = {PaneKey("1", 0, 120): a_pane(made, of.reference, of="labelled")} if label else {}
    return Delta(predictions=pane, outcomes=labelled)


@pytest.mark.parametrize(
    ("predicted", "label", "signals"),
    [
        ("ab", None, ["prediction"]),
        ("xy", None, []),
        ("ax", None, ["prediction"]),
        ("ab", "ab", ["accuracy", "prediction"]),
        ("ab", "ba", ["prediction"]),
        ("ab" * 10, "AB" * 10, ["prediction"]),
        ("ab", "bb", ["accuracy", "prediction"]),
    ],
)
def test_what_says_the_same_in_other_words(predicted: str, label: str | None, signals: list[str]) -> None:
    """Classes that are spelled otherwise than the reference's or the labels' are no evidence."""
    known = state(task="multiclass")
    found = bet_on(known, a_delta(known, predicted=predicted, label=label), {})
    assert sorted(found["1"]) == signals


def test_no_reading_of_what_is_read_again() -> None:
    """Labels that are joined while a model is read again are left out."""
    known = state(task="multiclass")
    fresh = a_delta(known, predicted="aab", label="aaa").outcomes
    assert "accuracy" in bet_on(known, Delta(), fresh)["1"]
    assert bet_on(replace(known, apart=Totals()), Delta(), fresh) == {}


def test_current() -> None:
    """Evidence of bets that there are no more is dropped."""
    known = state(task="multiclass")
    evidence = bet_on(known, a_delta(known, predicted="aab", label="aaa"), {})
    kept = with_current(replace(known, evidence=evidence))
    assert sorted(kept.evidence["1"]) == ["accuracy", "prediction"]
    assert with_current(replace(known, evidence=evidence, reference=None)).evidence["1"].keys() == {"accuracy"}

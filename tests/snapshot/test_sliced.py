"""Slices of a window: found, named, bounded to five, the same however often one looks, and absent where unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from data_builders import MICROS, a_model, a_reference, make_columns
from driftgauge.aggregates.losses import SliceLosses
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.codec import pack, unpack
from driftgauge.collector import validate
from driftgauge.columns import Columns
from driftgauge.config import Limits, ModelConfig, Window
from driftgauge.reference import Reference
from driftgauge.samples import Sample
from driftgauge.signals import Basis, fit_all, fold_one, learn_all
from driftgauge.snapshot import ModelState, SnapshotCache, model_samples
from driftgauge.windows import PaneKey

NOW = 1_767_609_000 * MICROS
PANE = 120
LAST = NOW // MICROS // PANE * PANE
HOUR = Window("1h", 3600)
FAMILIES = (
    "model_segments_worse",
    "model_segment_rows",
    "model_segment_performance",
    "model_segment_degradation_lower",
)
Bools = npt.NDArray[np.bool_]


def rows(seed: int, count: int, **broken: float) -> Columns:
    """Return labelled rows, a tenth of them wrong, and of those that `broken` names (plan, or `old`) more."""
    rng = np.random.default_rng(seed)
    age, plan = rng.uniform(0, 100, count), rng.choice(["A", "B", "C"], count, p=[0.6, 0.3, 0.1])
    risk = np.full(count, 0.1)
    for name, share in broken.items():
        risk[(age > 90) if name == "old" else (plan == name)] = share
    return make_columns(
        count,
        predicted=np.where(rng.random(count) < risk, "0", "1").tolist(),
        label=["1"] * count,
        numbers={"age": age},
        categories={"plan": plan.tolist()},
    )


def learned(known: Columns, model: ModelConfig) -> Reference:
    """Return a reference as it is compiled for a model."""
    reference = a_reference(known)
    return replace(reference, learned=learn_all([known], replace(reference, learned={}), model))


def said(
    model: ModelConfig, reference: Reference | None, panes: Sequence[Columns], cache: SnapshotCache | None = None
) -> dict[str, dict[tuple[str, ...], float]]:
    """Return by family what is said of labelled rows in the last panes, the newest last, by segment and metric."""
    fitted = fit_all(Basis(model, Limits(), reference))
    outcomes = {
        PaneKey("1", LAST - PANE * (len(panes) - 1 - at), PANE): fold_one(some, fitted, "labelled")
        for at, some in enumerate(panes)
    }
    state = ModelState(
        model, reference=reference, outcomes=outcomes, totals=Totals(versions={"1": VersionTotals(last_prediction=NOW)})
    )
    found = model_samples(state, windows=[HOUR], limits=Limits(), now=NOW, cache=cache)
    validate(found)
    return {
        family: {
            (sample.segment, *sample.labels[3:]): sample.value
            for sample in found.get(family, ())
            if isinstance(sample, Sample)
        }
        for family in FAMILIES
    }


def test_a_broken_slice_is_found_and_named() -> None:
    """The slice that became worse is published with its rows, its performance and at least how much that fell."""
    model, window = a_model(), rows(2, 3000, C=0.4)
    found = said(model, learned(rows(1, 8000), model), [window])

    plans = np.array(window.categories["plan"].to_pylist())
    right = (np.array(window.predicted) == "1")[plans == "C"]
    name = "plan: category 3 of 3"
    assert found["model_segments_worse"] == {("",): len(found["model_segment_rows"])}
    assert found["model_segment_rows"][name,] == len(right)
    assert found["model_segment_performance"][name, "accuracy"] == pytest.approx(right.mean())
    lower = found["model_segment_degradation_lower"]
    assert max(lower, key=lambda at: lower[at]) == (name, "accuracy")
    assert 0.1 < lower[name, "accuracy"] < 0.3


def test_ranges_have_names_and_categories_only_if_configured() -> None:
    """A numeric slice is named by its range; a category by its name where segments name it, else by its size."""
    segments = {"big": {"plan": ["A", "C"]}}
    model = a_model(segments=segments)
    found = said(model, learned(rows(1, 8000), model), [rows(3, 3000, C=0.6, B=0.4, old=0.6)])

    names = {segment for segment, _ in found["model_segment_performance"]}
    assert {"plan = C", "plan: category 2 of 3"} <= names
    assert any(name.startswith("age above 9") for name in names)


def test_nothing_changed() -> None:
    """Slices that are as the reference's are counted as none, and have no series."""
    model = a_model()
    found = said(model, learned(rows(1, 8000), model), [rows(4, 3000)])

    assert found == {family: {("",): 0} if family == "model_segments_worse" else {} for family in FAMILIES}


def test_five_at_most() -> None:
    """Where everything became worse, all slices count and the worst five are shown."""
    model = a_model()
    found = said(model, learned(rows(1, 8000), model), [rows(5, 5000, A=0.5, B=0.5, C=0.5)])

    assert found["model_segments_worse"]["",] == 13
    assert [len(found[family]) for family in FAMILIES[1:]] == [5, 5, 5]


def test_a_regression() -> None:
    """Of numbers, the mean absolute error of a slice is published, and its fall relative to the reference's."""
    model = a_model(task="regression")
    rng = np.random.default_rng(6)

    def amounts(count: int, factor: float) -> Columns:
        age = rng.uniform(0, 100, count)
        error = rng.gamma(2, 1, count) * np.where(age > 90, factor, 1)
        return make_columns(count, predicted=np.zeros(count), label=error, numbers={"age": age})

    found = said(model, learned(amounts(8000, 1), model), [amounts(3000, 2)])

    ((name, metric),) = found["model_segment_performance"]
    assert (name.startswith("age above"), metric) == (True, "mae")
    assert 3.4 < found["model_segment_performance"][name, "mae"] < 4.6
    assert 0.5 < found["model_segment_degradation_lower"][name, "mae"] < 1


def test_looking_often_changes_nothing() -> None:
    """What is shown follows from the panes: the same from a cache, after a restart, and step by step."""
    model = a_model()
    reference = learned(rows(1, 8000), model)
    panes = [rows(10 + at, 400, old=0.5, **({"C": 0.6} if at % 2 else {"B": 0.3})) for at in range(8)]
    cache = SnapshotCache()

    steps = [said(model, reference, panes[: at + 1], cache) for at in range(8)]

    assert steps[-1] == said(model, reference, panes)
    restored = Reference.from_state(unpack(pack(reference.to_state())))
    assert said(model, restored, panes) == steps[-1]
    assert said(model, reference, panes, cache) == steps[-1]


def test_a_place_is_kept_for_three_panes() -> None:
    """A slice that is better again stays with its new figures until three panes have passed."""
    model = a_model()
    reference = learned(rows(1, 8000), model)
    first, better = rows(20, 1500, C=0.45), [rows(21 + at, 3000, C=0.0) for at in range(3)]
    name = "plan: category 3 of 3"

    shown = [said(model, reference, [first, *better[:at]]) for at in range(4)]

    assert [each["model_segments_worse"]["",] for each in shown] == [1, 0, 0, 0]
    assert [(name,) in each["model_segment_rows"] for each in shown] == [True, True, True, False]


@pytest.mark.parametrize(
    ("model", "known", "window"),
    [
        ({}, None, rows(7, 3000)),
        ({}, make_columns(500, predicted=["1"] * 500, numbers={"age": np.arange(500)}), rows(7, 3000)),
        ({}, rows(1, 40), rows(7, 3000)),
        ({}, rows(1, 8000), rows(7, 40)),
        ({}, rows(1, 8000), make_columns(3000, predicted=["1"] * 3000, label=["churn"] * 3000)),
        ({"signals": ["reconstruction"]}, rows(1, 8000), rows(7, 3000, C=0.5)),
    ],
    ids=["no reference", "no labels in it", "few rows in it", "few labels", "other classes", "switched off"],
)
def test_absent(model: Mapping[str, Any], known: Columns | None, window: Columns) -> None:
    """Without what it takes to judge a slice there are no series."""
    config = a_model(**model)

    found = said(config, learned(known, config) if known else None, [window])

    assert found == {family: {} for family in FAMILIES}


def test_hundreds_of_features() -> None:
    """With 500 features, each row costs 500 bytes' worth of counting, and a window is judged at once."""
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 10, (1000, 500)).astype(np.uint8)

    (found,) = SliceLosses.fold(codes, np.ones(1000), np.array([1000]), (10,) * 500, is_binary=True)

    assert found.rows.sum() == 500_000
    assert len(found.rows) == 5500

"""Impacts through the product, against sums over raw rows; who is named first when several features move."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from data_builders import MICROS, a_model, a_pane, a_reference, counted, features, make_columns
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.config import Limits, Window
from driftgauge.drift import compare
from driftgauge.estimate.causes import ranked
from driftgauge.samples import Sample
from driftgauge.signals import learn_all
from driftgauge.snapshot import ModelState, model_samples
from driftgauge.snapshot.caused import impacts
from driftgauge.windows import PaneKey

NAN = float("nan")
NOW = 1_767_609_000 * MICROS
Floats = npt.NDArray[np.float64]


def labelled(columns: Mapping[str, Any], wrong: npt.NDArray[np.bool_]) -> Any:
    """Return rows of which some predictions are wrong."""
    numbers = {name: found for name, found in columns.items() if isinstance(found, np.ndarray)}
    categories = {name: found for name, found in columns.items() if not isinstance(found, np.ndarray)}
    predicted = np.where(wrong, "0", "1").tolist()
    return make_columns(
        len(wrong), predicted=predicted, label=["1"] * len(wrong), numbers=numbers, categories=categories
    )


def found(reference: Any, rows: Any) -> dict[tuple[str, str], float]:
    """Return impacts by feature and metric."""
    return {(feature, metric): value for feature, metric, value in impacts(reference, counted(reference, rows))}


def test_exact_sums() -> None:
    """An impact is the sum over bins of shares' change times mean loss, as raw rows have them."""
    rng = np.random.default_rng(11)
    age, plan = rng.gamma(2, 20, 5000), rng.choice(["a", "b", "c"], 5000, p=[0.6, 0.3, 0.1])
    wrong = rng.random(5000) < np.clip(age / 200, 0, 1)
    reference = a_reference(labelled({"age": age, "plan": plan.tolist()}, wrong))
    now, plans = rng.gamma(3, 20, 800), rng.choice(["a", "c", "new"], 800)
    now[:100] = NAN

    moved = found(reference, features(age=now, plan=plans.tolist()))

    edges = np.quantile(age, np.arange(1, 10) / 10)
    of, here = edges.searchsorted(age), edges.searchsorted(now[100:])
    expected = sum(((here == at).mean() - (of == at).mean()) * wrong[of == at].mean() for at in range(10))
    assert moved["age", "accuracy"] == pytest.approx(expected, abs=1e-14)
    assert expected > 0.05
    expected = sum(((plans == name).mean() - (plan == name).mean()) * wrong[plan == name].mean() for name in "abc")
    expected += (plans == "new").mean() * wrong.mean()
    assert moved["plan", "accuracy"] == pytest.approx(expected, abs=1e-14)


def test_no_change_is_no_impact() -> None:
    """The reference against itself has impacts of 0, to rounding."""
    rng = np.random.default_rng(12)
    columns = {"x": rng.normal(size=1000), "plan": rng.choice(["a", "b"], 1000).tolist()}
    reference = a_reference(labelled(columns, rng.random(1000) < 0.2))

    assert list(found(reference, features(**columns)).values()) == pytest.approx([0, 0], abs=1e-15)


def test_fewer_bits() -> None:
    """A window in single precision is weighed as one in double; bins that become one are one."""
    rng = np.random.default_rng(13)
    x = rng.normal(size=2000)
    near = np.where(x > 0, 1 + 1e-12, 1.0)
    reference = a_reference(labelled({"x": x, "near": near}, x > 1))
    window = features(x=rng.normal(0.5, 1, 500), near=np.ones(500))
    narrow = replace(window, facts=replace(window.facts, precision={"x": 32, "near": 32}))

    exact, rounded = found(reference, window), found(reference, narrow)

    assert rounded["x", "accuracy"] == pytest.approx(exact["x", "accuracy"], abs=1e-9)
    assert exact["near", "accuracy"] < -0.1
    assert rounded["near", "accuracy"] == 0


@pytest.mark.parametrize(
    "columns", [{"x": np.full(3, NAN)}, {"x": np.ones(1)}, {"y": np.ones(5)}, {"x": ["text"] * 5}], ids=str
)
def test_too_few_values(columns: Any) -> None:
    """A feature with fewer than 2 values in the window has no impact."""
    rng = np.random.default_rng(14)
    reference = a_reference(labelled({"x": rng.normal(size=100)}, rng.random(100) < 0.5))

    assert found(reference, features(**columns)) == {}


def test_features_that_teach_nothing() -> None:
    """Constant columns have no impact but 0, and empty ones none."""
    columns = {"constant": np.ones(100), "empty": np.full(100, NAN), "nothing": [None] * 100, "one": ["a"] * 100}
    reference = a_reference(labelled(columns, np.arange(100) < 20))

    moved = found(reference, features(constant=np.full(9, 2.0), empty=np.ones(9), nothing=["x"] * 9, one=["b"] * 9))

    assert moved == {("constant", "accuracy"): 0, ("one", "accuracy"): 0}


def test_regressions_have_two_metrics() -> None:
    """Of numbers, the absolute error and its square are expected to move."""
    rng = np.random.default_rng(15)
    x, label = rng.normal(size=1000), rng.normal(size=1000)
    rows = make_columns(1000, predicted=np.zeros(1000), label=label * np.abs(x), numbers={"x": x})
    reference = a_reference(rows)
    reference = replace(reference, learned=learn_all([rows], reference, a_model(task="regression")))

    moved = found(reference, features(x=rng.normal(0, 2, 1000)))

    assert moved.keys() == {("x", "mae"), ("x", "mse")}
    assert moved["x", "mse"] > moved["x", "mae"] > 0


def test_published() -> None:
    """The series are in the snapshot of a window; nothing is there without labels of the reference."""
    rng = np.random.default_rng(16)
    known = labelled({"x": rng.normal(size=500)}, rng.random(500) < 0.3)

    def said(reference: Any) -> list[Any]:
        rows = features(x=rng.normal(1, 1, 200))
        state = ModelState(
            a_model(),
            reference=reference,
            predictions={PaneKey("1", NOW // MICROS // 120 * 120, 120): a_pane(rows, reference)},
            totals=Totals(versions={"1": VersionTotals(last_prediction=NOW)}),
        )
        samples = model_samples(state, windows=[Window("1h", 3600)], limits=Limits(), now=NOW)
        return list(samples.get("model_feature_performance_impact", ()))

    (sample,) = said(a_reference(known))
    assert isinstance(sample, Sample)
    assert sample.labels == ("churn", "1", "1h", "x", "accuracy")
    assert said(a_reference(features(x=known.numbers["x"]))) == []


def moved(seed: int, cause: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return distance and impact by feature where one of four relevant columns moves, and three of noise move more."""
    rng = np.random.default_rng(seed)

    def rows(count: int, *, drift: float, noise: float) -> dict[str, Floats]:
        found = rng.normal(size=(7, count))
        found[cause] += drift
        found[4:] += noise
        return {f"x{at}": column for at, column in enumerate(found)}

    def wrong(columns: Mapping[str, Floats]) -> npt.NDArray[np.bool_]:
        pull = sum(np.maximum(columns[f"x{at}"], 0) * (0.12 + 0.04 * at) for at in range(4))
        return np.asarray(rng.random(len(pull)) < 0.05 + 0.4 * np.tanh(pull))

    known = rows(20_000, drift=0, noise=0)
    reference = a_reference(labelled(known, wrong(known)))
    window = counted(reference, features(**rows(2000, drift=0.8, noise=1.0)))
    columns = {name: column for name, column in compare(reference, window).items() if name in known}
    distances = {name: column.statistics["js_distance"] for name, column in columns.items()}
    return distances, {feature: value for feature, _, value in impacts(reference, window)}


def test_the_true_column_is_first() -> None:
    """With three noise columns drifting harder, distance x impact names the true one, where distance names noise."""
    cases = [(f"x{seed % 4}", *moved(100 + seed, seed % 4)) for seed in range(8)]
    orders = [(true, ranked(distances, impacts)) for true, distances, impacts in cases]

    assert sum(order[0] == true for true, order in orders) >= 7
    assert all(true in order[:3] for true, order in orders)
    assert all(max(distances, key=distances.__getitem__) in ("x4", "x5", "x6") for _, distances, _ in cases)

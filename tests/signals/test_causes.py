"""What the reference teaches about losses: by hand, by whole files, and when it teaches nothing."""

import numpy as np
import pytest

from data_builders import a_model, a_reference, fitted, make_columns
from driftgauge.codec import pack, unpack
from driftgauge.columns import Columns
from driftgauge.drift import MIN_ROWS
from driftgauge.reference import Reference
from driftgauge.signals.causes import learn, learned_of

NAN = float("nan")


def labelled(rows: int, seed: int = 1) -> Columns:
    """Return labelled rows whose predictions are wrong for old people and plan c."""
    rng = np.random.default_rng(seed)
    age, plan = rng.uniform(0, 100, rows), rng.choice(["a", "b", "c"], rows)
    age[::7] = NAN
    wrong = rng.random(rows) < np.where(age > 60, 0.5, 0.05) + 0.2 * (plan == "c")
    return make_columns(
        rows,
        predicted=np.where(wrong, "0", "1").tolist(),
        label=["1" if at % 5 else None for at in range(rows)],
        numbers={"age": age},
        categories={"plan": [None if at % 11 == 0 else str(name) for at, name in enumerate(plan)]},
    )


def test_losses_by_bin_and_category() -> None:
    """Rows and losses of each bin are those of its labelled rows; missing values are in none."""
    rows = labelled(4000)
    reference = a_reference(rows)

    metrics, found = learned_of(reference)

    assert (list(metrics), list(found)) == (["accuracy"], ["age", "plan"])
    known = np.array(rows.label.is_valid())
    wrong = np.array(rows.predicted) == "0"
    edges = np.quantile(rows.numbers["age"][np.isfinite(rows.numbers["age"])], np.arange(1, 10) / 10)
    bins = edges.searchsorted(rows.numbers["age"])
    bins[np.isnan(rows.numbers["age"])] = 10
    assert found["age"].rows.tolist() == np.bincount(bins[known], minlength=11)[:10].tolist()
    assert found["age"].sums[0].tolist() == np.bincount(bins[known], wrong[known], 11)[:10].tolist()
    names = reference.layout.grids["plan"].categories  # type: ignore[union-attr]
    plan = np.array(rows.categories["plan"].to_pylist(), object)
    assert found["plan"].rows.tolist() == [*(int((known & (plan == name)).sum()) for name in names), 0]
    assert found["plan"].sums[0].tolist() == [*((known & wrong & (plan == name)).sum() for name in names), 0]


def test_chunks_and_the_stored_state() -> None:
    """Chunks that lack a column teach what all rows at once do; what was learned is stored with the reference."""
    rows = labelled(600)
    parts = [rows.take(np.arange(400)), rows.take(np.arange(400, 600))]
    lacking = make_columns(50, predicted=["1"] * 50, label=["1"] * 50)
    reference = a_reference(rows)

    again = learn([*parts, lacking], reference, a_model())

    for name, losses in learned_of(reference)[1].items():
        assert again["features"][name]["rows"].tolist() == losses.rows.tolist()
        assert again["features"][name]["sums"].tolist() == losses.sums.tolist()
    restored = Reference.from_state(unpack(pack(reference.to_state())))
    assert learned_of(restored)[1]["age"].sums.tolist() == learned_of(reference)[1]["age"].sums.tolist()


def test_a_regression() -> None:
    """The absolute error and its square are learned in one pass."""
    rng = np.random.default_rng(2)
    x, label = rng.normal(size=500), rng.normal(size=500)
    rows = make_columns(500, predicted=np.zeros(500), label=label, numbers={"x": x})
    reference = a_reference(rows)

    found = learn([rows], reference, a_model(task="regression"))

    assert found["metrics"] == ("mae", "mse")
    sums = found["features"]["x"]["sums"]
    assert sums.sum(axis=1).tolist() == pytest.approx([np.abs(label).sum(), np.square(label).sum()])


def test_nothing_to_learn() -> None:
    """Without labels the reason is said; nothing is ever folded for it."""
    reference = a_reference(make_columns(100, predicted=["1"] * 100, numbers={"x": np.arange(100)}))

    assert reference.learned["causes"]["reason"] == "the reference has no rows with prediction and label"
    assert learned_of(reference) == ((), {})
    assert "causes" not in fitted(a_reference(labelled(100)))
    assert MIN_ROWS == 2

"""Losses of labelled rows by slice: of rows at hand, of rows whose features were kept as bytes, and of none."""

from dataclasses import replace

import numpy as np

from data_builders import a_model, a_reference, make_columns
from driftgauge.columns import Columns
from driftgauge.config import Limits
from driftgauge.estimate.coding import nothing_kept
from driftgauge.reference import Reference
from driftgauge.signals import Basis, learn_all
from driftgauge.signals.slices import FittedSlices, fit, learn

NAN = float("nan")


def rows(count: int, seed: int = 1) -> Columns:
    """Return labelled rows with missing values."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, 100, count)
    age[::9] = NAN
    return make_columns(
        count,
        predicted=rng.choice(["0", "1"], count, p=[0.2, 0.8]).tolist(),
        label=[None if at % 6 == 0 else "1" for at in range(count)],
        numbers={"age": age},
        categories={"plan": rng.choice(["A", "B"], count).tolist()},
    )


def reference(known: Columns) -> Reference:
    """Return it as it is compiled."""
    found = a_reference(known)
    return replace(found, learned=learn_all([known], replace(found, learned={}), a_model()))


def signal(known: Columns) -> FittedSlices:
    """Return what folds."""
    found = fit(Basis(a_model(), Limits(), reference(known)))
    assert found is not None
    return found


def test_the_references_losses() -> None:
    """The slices of the reference hold its labelled rows, those with missing values apart."""
    known = rows(3000)
    fitted = signal(known)

    labelled = np.array(known.label.is_valid())
    missing = np.isnan(known.numbers["age"])
    assert fitted.counts == (10, 3)
    assert fitted.names[:1] + fitted.names[9:] == (
        fitted.names[0], fitted.names[9], "age missing",
        "plan: category 1 of 2", "plan: category 2 of 2", "plan: others", "plan missing",
    )  # fmt: skip
    assert fitted.known.rows[:11].sum() == fitted.known.rows[11:].sum() == labelled.sum()
    assert fitted.known.rows[10] == (labelled & missing).sum()
    wrong = np.array([value == "0" for value in known.predicted.to_pylist()])
    assert fitted.known.loss[:11].sum() == (labelled & wrong).sum()


def test_kept_bytes_are_as_good_as_features() -> None:
    """Rows of which only their bytes were kept add the same losses; those of another reference's bytes add none."""
    fitted, other = signal(rows(3000)), signal(rows(3000, seed=5))
    window = rows(400, seed=2)
    ends = np.array([150, 400])
    late = replace(window, numbers={}, categories={}, codes=fitted.coding.kept(window))

    whole, kept = fitted.fold(window, ends), fitted.fold(late, ends)

    for one, same in zip(whole, kept, strict=True):
        assert one.rows.tolist() == same.rows.tolist()
        assert one.loss.tolist() == same.loss.tolist()
    assert all(not found.rows.any() for found in other.fold(late, ends))
    nothing = replace(late, codes=nothing_kept(400))
    assert all(not found.rows.any() for found in fitted.fold(nothing, ends))
    assert fitted.fingerprint != other.fingerprint


def test_nothing_to_slice() -> None:
    """Without labels or features in the reference the reason is said; a segment's slice of it is no subject."""
    unlabelled = make_columns(100, predicted=["1"] * 100, numbers={"x": np.arange(100)})
    bare = make_columns(100, predicted=["1"] * 100, label=["1"] * 100)

    assert "reason" in reference(unlabelled).learned["slices"]
    assert reference(bare).learned["slices"]["reason"] == "the reference has no features"
    assert fit(Basis(a_model(), Limits(), reference(unlabelled))) is None
    assert fit(Basis(a_model(), Limits(), None)) is None
    known = rows(500)
    of_segment = a_reference(known)
    learned = learn_all([known], of_segment, a_model(), reference(known))
    assert learned["slices"] == {}
    assert fit(Basis(a_model(), Limits(), replace(of_segment, learned=learned))) is None
    assert learn([known], replace(of_segment, learned={}), a_model()).keys() == {"rows", "loss", "squares"}

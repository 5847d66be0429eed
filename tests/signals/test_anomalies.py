"""Unusual rows: how many there are, which ones are kept, and what is kept of them."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.covariance import LedoitWolf

from data_builders import a_model, a_pane, a_reference, features, fitted, make_columns
from driftgauge.aggregates.pane import Pane
from driftgauge.codec import pack, unpack
from driftgauge.columns import Columns
from driftgauge.config import Limits
from driftgauge.reference import Reference
from driftgauge.samples import Sample
from driftgauge.signals import Basis, fit_all, pane_samples
from driftgauge.signals.anomalies import Anomalies, FittedAnomalies, Unusual

FAMILY = "model_anomalous_rows_ratio"


def signal(reference: Reference, **settings: Any) -> FittedAnomalies:
    """Return the signal as it was fitted on the reference."""
    found = fit_all(Basis(a_model(**settings), Limits(), reference))["anomalies"]
    assert isinstance(found, FittedAnomalies)
    return found


def anomalies(pane: Pane) -> Anomalies:
    """Return the signal's aggregate."""
    found = pane.find("anomalies", Anomalies)
    assert found is not None
    return found


def shares(pane: Pane, reference: Reference) -> dict[str, float]:
    """Return the published shares by level."""
    samples = pane_samples(pane, fitted(reference)).get(FAMILY, ())
    return {sample.labels[0]: sample.value for sample in samples if isinstance(sample, Sample)}


def drawn(seed: int, rows: int) -> Columns:
    """Return features that depend on each other, with ids and times."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    found = features(
        x=1e6 * x,
        y=x + rng.normal(0, 0.3, rows),
        z=rng.gamma(4, 2, rows),
        plan=[str(plan) for plan in rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])],
    )
    ids = pa.array([f"{seed}-{at}" for at in range(rows)])
    return replace(found, key=ids, time=np.arange(rows) * 1_000_000)


REFERENCE = a_reference(drawn(1, 20_000))


def test_equals_scikit_learn() -> None:
    """Shares and the most unusual rows are those by Ledoit's and Wolf's covariance of one half of the reference."""
    rows = drawn(2, 5000)
    matrix = signal(REFERENCE).matrix
    known, window = (matrix.sampled_ranks([part]) for part in (drawn(1, 20_000), rows))
    oracle = LedoitWolf().fit(known[:, ::2].T)
    cuts = np.quantile(oracle.mahalanobis(known[:, 1::2].T), [0.99, 0.999], method="weibull")
    distances = oracle.mahalanobis(window.T)
    first = np.argsort(-distances)[:10]

    pane = a_pane(rows, REFERENCE)

    expected = {level: float((distances > cut).mean()) for level, cut in zip(("0.99", "0.999"), cuts, strict=True)}
    assert shares(pane, REFERENCE) == pytest.approx(expected)
    assert [row.request for row in anomalies(pane).most] == [f"2-{at}" for at in first]
    assert [row.distance for row in anomalies(pane).most] == pytest.approx(distances[first], rel=1e-6)


def test_fresh_rows() -> None:
    """Of rows like the reference's 1 % and 0.1 % are beyond the cuts."""
    found = shares(a_pane(drawn(3, 50_000), REFERENCE), REFERENCE)

    assert found["0.99"] == pytest.approx(0.01, abs=0.003)
    assert found["0.999"] == pytest.approx(0.001, abs=0.0007)


def test_planted_rows() -> None:
    """Rows with a unit error, or with two columns that do not belong together, are found, with what is odd in them."""
    rows = drawn(4, 2000)
    numbers = {name: column.copy() for name, column in rows.numbers.items()}
    numbers["z"][5] *= 30
    numbers["x"][6], numbers["y"][6] = 2e6, -2.0
    numbers["z"][7] = np.nan
    rows = replace(rows, numbers=numbers)

    first, second, *_ = anomalies(a_pane(rows, REFERENCE)).most
    names = signal(REFERENCE).matrix.rank_names

    assert {first.request, second.request} == {"4-5", "4-6"}
    columns = {row.request: [names[at] for at in row.columns] for row in (first, second)}
    assert columns["4-5"][0] == "z"
    assert set(columns["4-6"][:2]) == {"x", "y"}
    assert first.time in {5_000_000, 6_000_000}


def test_parts_are_the_whole() -> None:
    """Any division of rows gives the same counts and the same ten rows, also of rows that are all far out."""
    for rows in (drawn(5, 6000), replace(drawn(5, 300), numbers={"x": np.full(300, 1e9), "y": np.zeros(300)})):
        whole = anomalies(a_pane(rows, REFERENCE))
        size = len(rows)
        bounds = [0, 1, 8, size // 3, size // 3 + 1, size]
        parts = [rows.span(slice(*pair)) for pair in pairwise(bounds)]
        found = Anomalies.combine([anomalies(a_pane(part, REFERENCE)) for part in parts])
        shuffled = anomalies(a_pane(rows.take(np.random.default_rng(1).permutation(size)), REFERENCE))
        by_group = Anomalies.combine(list(signal(REFERENCE).fold(rows, np.array(bounds[1:]))))

        assert len(whole.most) == 10
        for other in (found, shuffled, by_group):
            assert (other.rows, other.beyond, other.most) == (whole.rows, whole.beyond, whole.most)


def test_ties() -> None:
    """Of rows that are equally far out the earliest are kept, and of these those whose id comes first."""
    rows = features(x=np.full(40, 1e9), y=np.zeros(40), z=np.zeros(40), plan=["a"] * 40)
    ids = [f"{at:02}" for at in range(40)]
    rows = replace(rows, key=pa.array(ids[::-1]), time=np.repeat([2, 1], 20) * 1_000_000)

    assert [row.request for row in anomalies(a_pane(rows, REFERENCE)).most] == [f"{at:02}" for at in range(10)]


def test_ids() -> None:
    """An id is cut to 100 characters; a row may have none; none is kept where the configuration says so."""
    rows = features(x=np.full(3, 1e9), y=np.zeros(3), z=np.zeros(3), plan=["a"] * 3)
    rows = replace(rows, key=pa.array(["é" * 500, None, "b"]))
    without = signal(REFERENCE, keep_request_ids=False)

    (kept,) = signal(REFERENCE).fold(rows, np.array([3]))
    (blank,) = without.fold(rows, np.array([3]))

    assert [row.request for row in kept.most] == ["", "b", "é" * 100]
    assert [row.request for row in blank.most] == [""] * 3
    assert kept.beyond == blank.beyond
    assert without.fingerprint != signal(REFERENCE).fingerprint


def test_never_in_labels() -> None:
    """No sample of a pane with unusual rows has an id."""
    pane = a_pane(drawn(6, 3000), REFERENCE)

    assert anomalies(pane).most
    samples = pane_samples(pane, fitted(REFERENCE))
    assert not [one for found in samples.values() for one in found if any("6-" in label for label in one.labels)]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"a": np.arange(500.0)}, "needs 2 features that vary in the reference, but has 1"),
        ({"a": np.ones(500), "b": ["x"] * 500}, "needs 2 features that vary in the reference, but has 0"),
        ({"a": np.arange(399.0), "b": np.arange(399.0)}, "needs 400 reference rows for 2 features, but has 399"),
        (
            {f"c{at}": np.random.default_rng(at).normal(size=599) for at in range(300)},
            "needs 600 reference rows for 300 features, but has 599",
        ),
    ],
    ids=["one column", "constant ones", "few rows", "fewer rows than twice the columns"],
)
def test_undefined(columns: dict[str, Any], reason: str) -> None:
    """There is no signal, no series, and a reason for the log."""
    reference = a_reference(features(**columns))

    assert reference.learned["anomalies"]["reason"] == reason
    assert "anomalies" not in fitted(reference)
    assert shares(a_pane(features(**columns), reference), reference) == {}


def test_a_cut_that_cannot_be_told() -> None:
    """With 1,000 reference rows there is no 99.9 % point worth the name, so there is no such series."""
    reference = a_reference(drawn(1, 1000))

    assert shares(a_pane(drawn(2, 500), reference), reference).keys() == {"0.99"}
    assert shares(a_pane(drawn(2, 1), reference), reference) == {}


def test_odd_rows() -> None:
    """Values near the largest double are unusual; rows with nothing in them are not; all is finite but the distance."""
    wild = features(x=np.full(600, 1.7e308), y=np.full(600, -1.7e308), z=np.zeros(600), plan=["new"] * 600)
    found = anomalies(a_pane(wild, REFERENCE))
    nothing = anomalies(a_pane(make_columns(600), REFERENCE))

    assert found.beyond == (600, 600)
    assert len(found.most) == 10
    assert Anomalies.from_state(unpack(pack(found.to_state()))).most == found.most
    assert (nothing.beyond, nothing.most) == ((0, 0), ())


def test_stored_with_the_reference() -> None:
    """What was learned comes back: same fingerprint, same rows. Another reference has another fingerprint."""
    restored, other = Reference.from_state(unpack(pack(REFERENCE.to_state()))), a_reference(drawn(2, 1000))

    assert signal(restored).fingerprint == signal(REFERENCE).fingerprint != signal(other).fingerprint
    assert anomalies(a_pane(drawn(3, 900), restored)).most == anomalies(a_pane(drawn(3, 900), REFERENCE)).most


def test_order() -> None:
    """The farthest first; then the earliest, and the first id."""
    rows = [Unusual(-5.0, 2, "a", ()), Unusual(-9.0, 3, "b", ()), Unusual(-5.0, 1, "z", ()), Unusual(-5.0, 1, "c", ())]

    assert [row.request for row in sorted(rows)] == ["b", "c", "z", "a"]
    assert min(rows).distance == 9

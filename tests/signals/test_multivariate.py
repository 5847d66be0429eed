"""The joint distribution as a signal: what is folded, what is published, and what it is absent for."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from data_builders import a_model, a_pane, a_reference, features, fitted, make_columns
from driftgauge.aggregates.pane import Pane
from driftgauge.codec import pack, unpack
from driftgauge.columns import Columns
from driftgauge.config import Limits
from driftgauge.estimate.frequencies import Spectrum
from driftgauge.estimate.rows import RowMatrix
from driftgauge.reference import Reference
from driftgauge.samples import Sample
from driftgauge.signals import Basis, fit_all, pane_samples
from driftgauge.signals.multivariate import FittedMultivariate, Frequencies

FAMILIES = ("mmd2", "pvalue", "detected")


def signal(reference: Reference, **drift: Any) -> FittedMultivariate:
    """Return the signal as it was fitted on the reference."""
    found = fit_all(Basis(a_model(drift=drift), Limits(), reference))["multivariate"]
    assert isinstance(found, FittedMultivariate)
    return found


def sums(pane: Pane) -> Frequencies:
    """Return the signal's aggregate."""
    found = pane.find("multivariate", Frequencies)
    assert found is not None
    return found


def said(pane: Pane, reference: Reference) -> dict[str, float]:
    """Return what the signal says of a pane."""
    samples = pane_samples(pane, fitted(reference))
    return {
        name: sample.value
        for name in FAMILIES
        for sample in samples.get(f"model_multivariate_drift_{name}", ())
        if isinstance(sample, Sample)
    }


def mixed(seed: int, rows: int, *, moved: bool = False) -> Columns:
    """Return numbers and categories; one number is large where another one and the category agree, or at random."""
    rng = np.random.default_rng(seed)
    x, plan = rng.normal(size=rows), rng.choice(["a", "b"], rows)
    agrees = (x > 0) == (plan == "a")
    y = np.abs(rng.normal(size=rows)) * np.where(agrees, 1, -1)
    return features(x=x, y=rng.permutation(y) if moved else y, plan=[str(name) for name in plan])


def test_equals_the_formula() -> None:
    """What is published is what the spectrum says of the rows of the matrix."""
    reference, window = a_reference(mixed(1, 2000)), mixed(2, 3000)
    matrix = RowMatrix.of(reference)
    known = matrix.sampled_ranks([mixed(1, 2000)])
    ranks = matrix.sampled_ranks([window])
    spectrum = Spectrum.fit(known, seed=int(reference.layout.fingerprint, 16))
    assert spectrum is not None
    expected = spectrum.compare(3000, spectrum.values(ranks).sum(axis=1, dtype=np.float64))

    found = said(a_pane(window, reference), reference)

    assert (found["mmd2"], found["pvalue"]) == pytest.approx((expected.mmd2, expected.pvalue), rel=1e-9)


def test_dependence_of_a_number_on_a_category() -> None:
    """A change that no column shows by itself, and no correlation, is detected; none is not."""
    reference = a_reference(mixed(1, 4000))

    same, moved = (said(a_pane(mixed(seed, 2000, moved=seed == 3), reference), reference) for seed in (2, 3))

    assert (same["detected"], moved["detected"]) == (0, 1)
    assert moved["mmd2"] > 0.0005 > same["mmd2"]


def test_parts_are_the_whole() -> None:
    """Sums of any parts are those of the whole, to rounding of the last digit."""
    reference, rows = a_reference(mixed(1, 2000)), mixed(2, 5000)
    whole = sums(a_pane(rows, reference))
    bounds = [0, 1, 8, 100, 2111, 5000]
    parts = [rows.span(slice(*pair)) for pair in pairwise(bounds)]

    found = Frequencies.combine([sums(a_pane(part, reference)) for part in parts])

    assert found.rows == whole.rows
    assert found.sums == pytest.approx(whole.sums, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"a": np.arange(500.0)}, "needs 2 features that vary in the reference, but has 1"),
        ({"a": np.ones(500), "b": ["x"] * 500}, "needs 2 features that vary in the reference, but has 0"),
        ({"a": np.arange(499.0), "b": np.arange(499.0)}, "needs 500 reference rows for 2 features, but has 499"),
        (
            {f"c{at}": np.random.default_rng(at).normal(size=600) for at in range(301)},
            "needs 602 reference rows for 301 features, but has 600",
        ),
    ],
    ids=["one column", "constant ones", "few rows", "fewer rows than twice the columns"],
)
def test_undefined(columns: Mapping[str, Any], reason: str) -> None:
    """There is no signal, no series, and a reason for the log."""
    reference = a_reference(features(**columns))

    assert reference.learned["multivariate"]["reason"] == reason
    assert "multivariate" not in fitted(reference)
    assert said(a_pane(features(**columns), reference), reference) == {}


@pytest.mark.parametrize(
    ("rows", "families"), [(1, set()), (2, {"mmd2", "pvalue"}), (499, {"mmd2", "pvalue"}), (500, set(FAMILIES))]
)
def test_few_rows(rows: int, families: set[str]) -> None:
    """From 2 rows on as for other statistics; judged from 500 on."""
    reference = a_reference(mixed(1, 2000))

    assert said(a_pane(mixed(2, rows), reference), reference).keys() == families


def test_small_references() -> None:
    """Below 2,000 reference rows a window has a distance and a p-value, and is not judged."""
    reference = a_reference(mixed(1, 1999))

    assert said(a_pane(mixed(3, 2000, moved=True), reference), reference).keys() == {"mmd2", "pvalue"}


def test_odd_rows() -> None:
    """Values near the largest double, columns that are missing and categories never seen give finite numbers."""
    reference = a_reference(mixed(1, 2000))
    odd = [
        features(x=np.full(600, 1.7e308), y=np.full(600, -1.7e308), plan=["new"] * 600),
        features(x=np.full(600, np.nan), y=np.full(600, np.inf), plan=[None] * 600),
        make_columns(600),
    ]

    for rows in odd:
        found = said(a_pane(rows, reference), reference)
        assert np.isfinite(list(found.values())).all()
        assert found["detected"] == 1


def test_significance_is_an_argument() -> None:
    """The flag is judged at the model's significance, or at the one that is given; the plain rule asks for no size."""
    reference = a_reference(mixed(1, 4000))
    parts = mixed(3, 400, moved=True), mixed(2, 1600)
    of = Frequencies.combine([sums(a_pane(part, reference)) for part in parts])
    compared = signal(reference).compare(of)
    assert compared is not None
    assert compared.pvalue is not None

    assert signal(reference).is_detected(of, significance=compared.pvalue * 1.01) is True
    assert signal(reference).is_detected(of, significance=compared.pvalue / 1.01) is False
    assert signal(reference, significance=0.2).significance == 0.1
    same = sums(a_pane(mixed(2, 1600), reference))
    assert signal(reference).is_detected(same, significance=1) is False
    assert signal(reference, rule="significance").is_detected(same, significance=1) is True


def test_stored_with_the_reference() -> None:
    """What was learned comes back: same fingerprint, same sums. Another reference has others, as old ones have none."""
    reference, other = a_reference(mixed(1, 600)), a_reference(mixed(2, 600))
    restored = Reference.from_state(unpack(pack(reference.to_state())))

    assert signal(restored).fingerprint == signal(reference).fingerprint != signal(other).fingerprint
    assert np.array_equal(sums(a_pane(mixed(3, 50), restored)).sums, sums(a_pane(mixed(3, 50), reference)).sums)
    assert signal(reference, significance=0.2).fingerprint == signal(reference).fingerprint

"""Bins of columns against counts of the values themselves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from data_builders import a_reference, counted, features, make_columns
from driftgauge.columns import Facts
from driftgauge.estimate.bins import Bins

RNG = np.random.default_rng(20261130)


def letters(shares: Sequence[int]) -> list[str]:
    """Return as many rows of each letter."""
    return [letter for letter, count in zip("abcdefghijklmnop", shares, strict=False) for _ in range(count)]


def test_numbers() -> None:
    """A number's bins are those of PSI, and hold all of its rows."""
    values, live = RNG.normal(size=4000), RNG.normal(0.5, 2, size=700)
    reference = a_reference(features(x=values, y=RNG.normal(size=4000)))
    bins = Bins.of(reference, ["x"])
    edges = np.quantile(values, np.linspace(0, 1, 11)[1:-1])

    found = bins.counts(counted(reference, features(x=live, y=live)))

    assert found.tolist() == [np.bincount(edges.searchsorted(live), minlength=10).tolist()]
    assert bins.shares[0] == pytest.approx(np.full(10, 0.1), abs=0.001)
    assert bins.used.all()


def test_many_bins_are_joined() -> None:
    """Of a finer division ten bins are left, equally large where all are."""
    reference = a_reference(features(x=RNG.normal(size=5000)), bins=100)

    assert Bins.of(reference, ["x"]).shares[0] == pytest.approx(np.full(10, 0.1), abs=0.002)


def test_categories() -> None:
    """The nine most frequent have a bin each; the others, and what the reference never had, share one."""
    reference = a_reference(features(c=letters([40, 30, 20, 10, 9, 8, 7, 6, 5, 4, 3])))
    bins = Bins.of(reference, ["c"])

    found = bins.counts(counted(reference, features(c=[*"aabjk", "new", "newer", "new"])))

    assert found.tolist() == [[2, 1, 0, 0, 0, 0, 0, 0, 0, 5]]
    assert bins.shares[0] == pytest.approx(np.array([40, 30, 20, 10, 9, 8, 7, 6, 5, 7]) / 142)


def test_few_categories() -> None:
    """What is new falls into a bin that the reference has nothing in."""
    reference = a_reference(features(c=letters([3, 1])))
    bins = Bins.of(reference, ["c"])

    assert bins.shares[0].tolist() == [0.75, 0.25, *[0] * 8]
    assert bins.used[0].tolist() == [True] * 3 + [False] * 7
    assert bins.counts(counted(reference, features(c=["b", "z"]))).tolist() == [[0, 1, 1, *[0] * 7]]


def test_ties_and_constants() -> None:
    """Ties merge bins; a constant has two, one of them empty."""
    reference = a_reference(features(few=np.repeat([1.0, 2.0], 500), same=np.full(1000, 7.0)))

    shares = Bins.of(reference, ["few", "same"]).shares

    assert shares.sum(axis=1).tolist() == [1, 1]
    assert np.count_nonzero(shares, axis=1).tolist() == [2, 1]


@pytest.mark.parametrize("bits", [32, 16])
def test_fewer_bits(bits: int) -> None:
    """The reference's own rows in fewer bits have exactly the shares that are expected of them."""
    values = 1e5 + RNG.normal(0, 0.03, size=3000) if bits == 32 else 100 + RNG.normal(size=3000)
    reference = a_reference(features(x=values))
    narrow = values.astype(f"float{bits}").astype(np.float64)
    rows = replace(make_columns(3000, numbers={"x": narrow}), facts=Facts(precision={"x": bits}))

    bins = Bins.of(reference, ["x"], bits={"x": bits})

    assert bins.counts(counted(reference, rows))[0] == pytest.approx(3000 * bins.shares[0])
    assert np.abs(bins.shares[0] - 0.1).max() > 0.01


def test_nothing() -> None:
    """Rows without values are in no bin."""
    reference = a_reference(features(x=RNG.normal(size=100)))

    assert not Bins.of(reference, ["x"]).counts(counted(reference, features(x=np.full(5, np.nan)))).any()

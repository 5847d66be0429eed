"""Distances against scikit-learn, and their cuts on fresh rows."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from sklearn.covariance import LedoitWolf

from driftgauge.codec import pack, unpack
from driftgauge.estimate.distances import Surroundings

Floats = npt.NDArray[np.float64]


def correlated(seed: int, rows: int, columns: int = 5) -> Floats:
    """Return columns (d, n) that correlate."""
    mixing = np.random.default_rng(0).normal(size=(columns, columns))
    return mixing @ np.random.default_rng(seed).normal(size=(columns, rows))


def test_equals_scikit_learn() -> None:
    """Distances are Ledoit and Wolf's, of a covariance that is fitted on one half, and cuts those of the other."""
    known, window = correlated(1, 4000), correlated(2, 300)
    oracle = LedoitWolf().fit(known[:, ::2].T)
    others = oracle.mahalanobis(known[:, 1::2].T)

    fitted = Surroundings.fit(known)

    assert fitted.distances(window) == pytest.approx(oracle.mahalanobis(window.T), rel=1e-9)
    for cut, level in zip(fitted.cuts, (0.99, 0.999), strict=True):
        # The order statistic that leaves k of n + 1 beyond it.
        beyond = (1 - level) * (len(others) + 1)
        high, low = np.sort(others)[[-int(beyond), -int(beyond) - 1]]
        assert cut == pytest.approx(high - (beyond - int(beyond)) * (high - low), rel=1e-9)


def test_normal_rows() -> None:
    """Of normal columns distances are chi-square, and the cuts its quantiles."""
    fitted = Surroundings.fit(correlated(1, 60_000))

    assert fitted.cuts == pytest.approx(stats.chi2.ppf([0.99, 0.999], 5), rel=0.06)


@pytest.mark.parametrize("rows", [400, 1000, 10_000])
def test_share_of_fresh_rows(rows: int) -> None:
    """On average over references, 1 % of fresh rows are beyond the cut, also where columns are many for the rows."""
    fresh = correlated(99, 4000, columns=40)
    fits = [Surroundings.fit(correlated(seed, rows, columns=40)) for seed in range(1, 9 if rows < 10_000 else 4)]
    shares = [float((fitted.distances(fresh) > fitted.cuts[0]).mean()) for fitted in fits]

    assert np.mean(shares) == pytest.approx(0.01, abs=0.004)


@pytest.mark.parametrize(("rows", "cuts"), [(400, 1), (3999, 1), (4000, 2)])
def test_cuts_that_can_be_told(rows: int, cuts: int) -> None:
    """A cut has two rows beyond it in the half that it is taken from, or there is none."""
    assert len(Surroundings.fit(correlated(1, rows)).cuts) == cuts


def test_large_references_are_thinned() -> None:
    """Of each half at most 50,000 rows are looked at, at even distances."""
    known = correlated(1, 220_000, columns=2)

    fitted = Surroundings.fit(known)

    assert fitted.center == pytest.approx(known[:, ::6].mean(axis=1), rel=1e-9)


def test_unusual_rows() -> None:
    """Those beyond the lowest cut, as in double precision; far-out ones are not missed."""
    fitted, rows = Surroundings.fit(correlated(1, 4000)), correlated(2, 20_000)
    rows[:, 7], rows[0, 9], rows[:, 11] = 1e30, np.inf, 1e200
    with np.errstate(over="ignore"):
        expected = fitted.distances(rows)

    at, distances = fitted.unusual(rows)

    assert at.tolist() == np.flatnonzero(expected > fitted.cuts[0]).tolist()
    assert distances == pytest.approx(expected[at], rel=1e-12)
    assert (expected[9], expected[11]) == (np.inf, np.inf)
    assert {7, 9, 11} <= set(at.tolist())


def test_contributions() -> None:
    """They add up to the distance; the column that moved contributes most, also where it is too far out."""
    fitted, rows = Surroundings.fit(correlated(1, 4000)), correlated(2, 100)
    rows[3, 5] += 100
    rows[2, 6] = np.inf

    found = fitted.contributions(rows)

    assert found[:, :6].sum(axis=0) == pytest.approx(fitted.distances(rows[:, :6]), rel=1e-9)
    assert found[:, [5, 6]].argmax(axis=0).tolist() == [3, 2]
    assert np.isfinite(found).all()


def test_columns_that_determine_each_other() -> None:
    """There is a distance, and rows that break the relation are far away."""
    x = np.random.default_rng(1).normal(size=4000)
    fitted = Surroundings.fit(np.stack([x, x, x]))

    near, far = fitted.distances(np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]))

    assert near < fitted.cuts[0] < 1000 < far


def test_state() -> None:
    """What was learned comes back as it was."""
    fitted = Surroundings.fit(correlated(1, 400))
    restored = Surroundings.from_state(unpack(pack(fitted.to_state())))

    assert np.array_equal(fitted.distances(correlated(2, 9)), restored.distances(correlated(2, 9)))
    assert fitted.cuts.tolist() == restored.cuts.tolist()

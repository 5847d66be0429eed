"""Errors of reconstruction against scikit-learn."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.decomposition import PCA

from driftgauge.codec import pack, unpack
from driftgauge.estimate.components import Components, errors

Floats = npt.NDArray[np.float64]


def drawn(seed: int, rows: int, *, hidden: int) -> Floats:
    """Return columns (6, n) of so many hidden causes, with a little noise."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(6, hidden))
    return mixing @ rng.normal(size=(hidden, rows)) + rng.normal(0, 0.1, (6, rows))


@pytest.mark.parametrize("hidden", [1, 6])
def test_equals_scikit_learn(hidden: int) -> None:
    """Whether few components are kept or many, errors are those of what the PCA does not rebuild."""
    known, window = drawn(1, 2000, hidden=hidden), drawn(2, 300, hidden=hidden)
    pca = PCA(n_components=0.65).fit(known.T)
    centred = window.T - pca.mean_
    expected = np.linalg.norm(centred - centred @ pca.components_.T @ pca.components_, axis=1)

    fitted = Components.fit(known)
    # The columns of a reference have the mean 0.
    found, again = errors([fitted, Components.from_state(unpack(pack(fitted.to_state())))], centred.T)

    assert fitted.kept == (2 * pca.n_components_ <= 6)
    assert found == pytest.approx(expected, rel=1e-9)
    assert np.array_equal(found, again)


def test_one_direction_is_left() -> None:
    """Of two columns that hardly correlate one direction is kept, though both are needed to explain 65 %."""
    columns = np.random.default_rng(1).normal(size=(2, 1000))

    (found,) = errors([Components.fit(columns)], columns)

    assert found.mean() > 0.5


def test_columns_that_determine_each_other() -> None:
    """Rows on the kept components have errors of rounding only, however far out they are."""
    x = np.random.default_rng(1).normal(size=1000)
    fitted = Components.fit(np.stack([x, x, -x]))

    (found,) = errors([fitted], 10 * np.stack([x, x, -x]))

    assert fitted.kept
    assert found.max() < 1e-6


def test_rows_too_far_out() -> None:
    """Their errors are infinite, not missing."""
    fitted = Components.fit(drawn(1, 100, hidden=2))

    (found,) = errors([fitted], np.array([[np.inf, 1e200, 0.0], *[[-np.inf, 1e200, 0.0]] * 5]))

    assert found.tolist() == [np.inf, np.inf, 0.0]

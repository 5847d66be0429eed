"""Losses by slice against tables counted by hand and numpy; the laws are in `test_laws`."""

import numpy as np
import pytest

from driftgauge.aggregates.losses import SliceLosses
from driftgauge.codec import pack

NAN = float("nan")
CODES = np.array([[0, 1], [1, 255], [0, 0], [255, 1], [1, 1], [0, 0]], np.uint8)


def test_counting() -> None:
    """Each group has rows and losses of every code of every column, and last those of missing values."""
    one, other = SliceLosses.fold(
        CODES, np.array([1.0, 0.0, NAN, 1.0, 1.0, 1.0]), np.array([3, 6]), (2, 2), is_binary=True
    )

    assert (one.rows.tolist(), one.loss.tolist()) == ([1, 1, 0, 0, 1, 1], [1, 0, 0, 0, 1, 0])
    assert (other.rows.tolist(), other.loss.tolist()) == ([1, 1, 1, 1, 2, 0], [1, 1, 1, 1, 2, 0])
    assert one.is_binary
    assert len(one.squares) == 0
    assert one.of_columns((2, 2)) == [slice(0, 3), slice(3, 6)]


@pytest.mark.parametrize("is_binary", [True, False])
def test_means_and_variances(is_binary: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Mean and variance of a slice are numpy's, and unknown where there are no rows."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, (400, 2)).astype(np.uint8)
    losses = (rng.random(400) < 0.3).astype(np.float64) if is_binary else rng.gamma(1, 5, 400)

    (found,) = SliceLosses.fold(codes, losses, np.array([400]), (3, 4), is_binary=is_binary)

    here = losses[codes[:, 1] == 2]
    assert found.means[4 + 2] == pytest.approx(here.mean(), rel=1e-12)
    assert found.variances[4 + 2] == pytest.approx(here.var(ddof=1), rel=1e-9)
    assert np.isnan(found.means[4 + 3])
    assert np.isnan(found.variances[4 + 3])


def test_other_slices_do_not_add() -> None:
    """Losses on other slices are refused."""
    one, other = (
        SliceLosses.fold(CODES, np.ones(6), np.array([6]), counts, is_binary=True)[0] for counts in ((2, 2), (2, 3))
    )

    with pytest.raises(ValueError, match="cannot combine losses of different slices"):
        SliceLosses.combine([one, other])


def test_bytes_of_a_pane() -> None:
    """Twenty features of 12 slices take 6 bytes a slice at most where losses are 0 or 1, and 20 where they are not."""
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 11, (20_000, 20)).astype(np.uint8)

    sizes = [
        len(pack(SliceLosses.fold(codes, losses, np.array([20_000]), (11,) * 20, is_binary=binary)[0].to_state()))
        for losses, binary in ((np.ones(20_000), True), (rng.gamma(1, 5, 20_000), False))
    ]

    assert sizes[0] < 240 * 6
    assert sizes[1] < 240 * 20

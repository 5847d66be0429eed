"""Impacts against tables computed by hand."""

import numpy as np
import pytest

from driftgauge.codec import pack, unpack
from driftgauge.estimate.causes import CellLosses, impact, ranked


def test_an_impact_by_hand() -> None:
    """Shares .5 .3 .2 become .2 .3 .5 where losses are .1 .2 .4: (-.3)(.1) + 0 + (.3)(.4) = .09, and squares alike."""
    found = impact(np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5]), np.array([[0.1, 0.2, 0.4], [1.0, 2.0, 9.0]]))

    assert found.tolist() == pytest.approx([0.09, 2.4], abs=1e-15)


def test_counting() -> None:
    """Rows are counted by cell, those without a value nowhere; the state comes back."""
    cells = np.array([0, 1, 1, -1, 3])
    found = CellLosses.of(cells, np.array([[1.0, 0.5, 0.0, 7.0, 2.0]]), 4)

    assert found.rows.tolist() == [1, 2, 0, 1]
    assert found.sums.tolist() == [[1, 0.5, 0, 2]]
    assert found.mean.tolist() == [0.875]
    restored = CellLosses.from_state(unpack(pack(found.to_state())))
    assert (restored.rows.tolist(), restored.sums.tolist()) == (found.rows.tolist(), found.sums.tolist())


@pytest.mark.parametrize(
    ("rows", "sums", "means"),
    [
        ([100, 50], [10, 25], [0.1, 0.5]),
        ([100, 12, 8, 0], [10, 6, 2, 0], [0.1, 0.4, 0.4, 0.4]),
        ([99, 1], [9, 1], [9 / 99, 0.1]),
        ([1, 1], [0, 1], [0.5, 0.5]),
    ],
    ids=["enough rows", "few rows in common", "too few even in common", "few in all"],
)
def test_means(rows: list[int], sums: list[float], means: list[float]) -> None:
    """Cells with few rows have their mean in common, or that of all rows."""
    found = CellLosses(np.array(rows), np.array([sums], np.float64)).means()

    assert found[0].tolist() == pytest.approx(means)


def test_joined_cells() -> None:
    """Cells that become one have the rows and losses of both."""
    found = CellLosses(np.array([1, 2, 3]), np.array([[1.0, 2.0, 4.0]])).joined(np.array([0, 0, 1]))

    assert (found.rows.tolist(), found.sums.tolist()) == ([3, 3], [[3, 4]])


def test_the_order_shown() -> None:
    """What moved far where it matters comes first, in either direction."""
    distances = {"noise": 2.0, "cause": 0.4, "better": 0.4, "still": 0.0, "unknown": 9.0}
    impacts = {"noise": 0.001, "cause": 0.05, "better": -0.1, "still": 0.2}

    assert ranked(distances, impacts) == ["better", "cause", "noise", "still"]

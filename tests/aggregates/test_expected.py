"""Counts on an estimator's cells; the laws are in test_laws.py."""

import numpy as np

from driftgauge.aggregates.expected import Expected


def test_cells_are_added() -> None:
    """Cells that only one part has stay, those of both are added, and sums keep every bit of one part."""
    one = Expected(3, 1, 0, 0, np.array([2, 5]), np.array([1, 1]), np.array([0.1, 0.2]))
    other = Expected(4, 0, 1, 2, np.array([5]), np.array([1]), np.array([0.3]))

    found = Expected.combine([one, Expected(), other])

    assert (found.rows, found.unusable, found.zeros, found.ones, found.size) == (7, 1, 1, 2, 2)
    assert (found.keys.tolist(), found.counts.tolist(), found.sums.tolist()) == ([2, 5], [1, 2], [0.1, 0.5])
    assert Expected.combine([one]) is one
    assert Expected.combine([]).size == Expected.combine([]).rows == 0

"""Rows of strata, summed up by hand; the laws are in `test_laws`."""

import numpy as np
import pytest

from driftgauge.aggregates.strata import StrataSums


def test_sums_by_hand() -> None:
    """Counts, and sums of errors, of their squares and of their fourth powers, by stratum."""
    found = StrataSums.fold(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0]), leaves=4, rows=5, unknown=1)

    assert (found.rows, found.known, found.unknown, found.size) == (5, 3, 1, 0)
    assert found.counts.tolist() == [1, 0, 2, 0]
    assert found.losses.tolist() == [[1, 0, 5, 0], [1, 0, 13, 0], [1, 0, 97, 0]]


def test_rows_without_any_known_stratum_add_to_others() -> None:
    """Sums of no tree at all are added to those of one."""
    known, nothing = StrataSums.fold(np.array([1]), None, leaves=2), StrataSums(rows=3, unknown=2)

    assert StrataSums.combine([nothing, nothing]).to_state()["unknown"] == 4
    both = StrataSums.combine([nothing, known])
    assert (both.rows, both.unknown, both.counts.tolist()) == (4, 2, [0, 1])


def test_errors_that_overflow() -> None:
    """A power that is no number any more is infinite, without a warning."""
    with np.errstate(all="raise"):
        found = StrataSums.fold(np.array([0]), np.array([1e100]), leaves=1)

    assert found.losses[:, 0] == pytest.approx([1e100, 1e200, np.inf])

"""Labelled rows folded to outcomes."""

import numpy as np

from data_builders import a_pane, fitted, make_columns
from driftgauge.aggregates.outcomes import Outcomes

ROWS = make_columns(3, label=["1", "0", "0"], predicted=["1", "1", "0"])


def test_labelled_rows_have_panes_of_their_own() -> None:
    """Of labelled rows there are outcomes, and nothing that is of predictions."""
    pane = a_pane(ROWS, of="labelled")

    found = pane.find("outcomes", Outcomes)
    assert found is not None
    assert found.confusion == {("1", "1"): 1, ("0", "1"): 1, ("0", "0"): 1}
    assert "latency" not in pane.aggregates


def test_groups() -> None:
    """Each group of rows has its own counts."""
    first, second = fitted()["outcomes"].fold(ROWS, np.array([1, 3]))

    assert isinstance(first, Outcomes)
    assert isinstance(second, Outcomes)
    assert first.confusion == {("1", "1"): 1}
    assert second.confusion == {("0", "1"): 1, ("0", "0"): 1}
